package typed

// HeaderSize is the length of a header in bytes.
const HeaderSize = 10

// A header is 89 4B, the version, the encoding, flags, three bytes that are zero, and 56 4B. No
// version of the package sets a flag.
const (
	magic0, magic1     = 0x89, 0x4B
	version            = 1
	closing0, closing1 = 0x56, 0x4B
)

// AppendHeader appends the header of e to b.
func AppendHeader(b []byte, e Encoding) []byte {
	return append(b, magic0, magic1, version, byte(e), 0, 0, 0, 0, closing0, closing1)
}

// ParseHeader looks for a header at the start of a value, of which the first HeaderSize bytes are
// enough. It reports false for bytes that do not begin as a header does: the value is raw. Those
// that do, and are no header, are an error that matches ErrHeader.
func ParseHeader(b []byte) (e Encoding, headed bool, err error) {
	if !looksHeaded(b) {
		return Raw, false, nil
	}
	e = Encoding(b[3])
	switch {
	case b[8] != closing0 || b[9] != closing1:
		return Raw, false, badHeader("it does not end in 56 4b, so the value may be raw bytes that happen to begin 89 4b")
	case b[2] != version:
		return Raw, false, badHeader("version %d is none that is known", b[2])
	case b[4] != 0:
		return Raw, false, badHeader("flags %02x are set, for a compression or encryption that is not known", b[4])
	case b[5] != 0 || b[6] != 0 || b[7] != 0:
		return Raw, false, badHeader("the reserved bytes %x are not zero", b[5:8])
	case !e.known():
		return Raw, false, badHeader("%v is none that is known", e)
	}
	return e, true, nil
}

// looksHeaded says that the Python package would take b for a value with a header.
func looksHeaded(b []byte) bool {
	return len(b) >= HeaderSize && b[0] == magic0 && b[1] == magic1
}
