package column

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/kohakuvault/kvault"
)

// Encoding is how the characters of text are kept.
type Encoding string

// The encodings. ASCII holds the characters below 128, and Latin1 those below 256, in one byte
// each; the others hold all.
const (
	UTF8    Encoding = "utf8"
	UTF16LE Encoding = "utf16le"
	UTF16BE Encoding = "utf16be"
	ASCII   Encoding = "ascii"
	Latin1  Encoding = "latin1"
)

func (e Encoding) known() bool {
	switch e {
	case UTF8, UTF16LE, UTF16BE, ASCII, Latin1:
		return true
	}
	return false
}

// String keeps text of any length in UTF-8, type str:utf8. Text that is not valid UTF-8 is
// ErrInvalid. It is Text(UTF8).
var String = Text(UTF8)

// Text keeps text of any length, type str:e. Text that is not valid UTF-8, or has characters that e
// lacks, is ErrInvalid.
func Text(e Encoding) Codec[string] { return textCodec{enc: e} }

// FixedText keeps text in n bytes each, type str:n:e. A text whose encoded form is longer is
// ErrTooLarge. A shorter one is filled up with zeros, which are taken off when it is read, so one
// that ends in a NUL of its own is ErrInvalid; other errors are those of Text. n must be above 0.
func FixedText(n int, e Encoding) Codec[string] { return textCodec{enc: e, fixed: true, size: n} }

type textCodec struct {
	enc   Encoding
	fixed bool
	size  int
}

func (c textCodec) Type() string { return (&typeName{base: "str", size: c.size, enc: c.enc}).String() }

func (c textCodec) Size() int { return c.size }

func (c textCodec) check() error {
	if !c.enc.known() {
		return invalid("unknown encoding %q: use %q, %q, %q, %q or %q", c.enc, UTF8, UTF16LE, UTF16BE, ASCII, Latin1)
	}
	return checkSize(c.fixed, c.size)
}

// checkSize refuses a size of elements that is none.
func checkSize(fixed bool, n int) error {
	if fixed && n < 1 {
		return invalid("elements of %d bytes: want at least 1", n)
	}
	return nil
}

func (c textCodec) Append(dst []byte, x string) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if !utf8.ValidString(x) {
		return nil, fmt.Errorf("%s is not valid UTF-8: %w", quote(x), kvault.ErrInvalid)
	}
	if c.fixed && strings.HasSuffix(x, "\x00") {
		return nil, fmt.Errorf("%s ends in a NUL, which would be lost: %w", quote(x), kvault.ErrInvalid)
	}
	before := len(dst)
	dst, err := c.enc.append(dst, x)
	if err != nil || !c.fixed {
		return dst, err
	}
	return pad(dst, before, c.size)
}

// pad fills what was appended behind the first bytes of dst up to n bytes.
func pad(dst []byte, before, n int) ([]byte, error) {
	if has := len(dst) - before; has > n {
		return nil, fmt.Errorf("%d bytes, the column holds %d each: %w", has, n, kvault.ErrTooLarge)
	}
	return append(dst, make([]byte, before+n-len(dst))...), nil
}

func (e Encoding) append(dst []byte, x string) ([]byte, error) {
	switch e {
	case UTF8:
		return append(dst, x...), nil
	case ASCII, Latin1:
		largest := rune(0xff)
		if e == ASCII {
			largest = 0x7f
		}
		for _, r := range x {
			if r > largest {
				return nil, fmt.Errorf("%s has %q, which %s lacks: %w", quote(x), r, e, kvault.ErrInvalid)
			}
			dst = append(dst, byte(r))
		}
		return dst, nil
	}
	order := e.order()
	for _, r := range x {
		if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
			dst, r = order.AppendUint16(dst, uint16(high)), low
		}
		dst = order.AppendUint16(dst, uint16(r))
	}
	return dst, nil
}

// order is that of the bytes of UTF-16.
func (e Encoding) order() interface {
	binary.ByteOrder
	binary.AppendByteOrder
} {
	if e == UTF16BE {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func (c textCodec) Decode(b []byte) (string, error) {
	if err := c.check(); err != nil {
		return "", err
	}
	if c.fixed && c.size%2 == 1 && (c.enc == UTF16LE || c.enc == UTF16BE) {
		b = b[:len(b)-1] // no half character fits there
	}
	x, ok := c.enc.decode(b)
	if !ok {
		return "", fmt.Errorf("%w: element %s is not valid %s", kvault.ErrCorrupt, quote(string(b)), c.enc)
	}
	if c.fixed {
		x = strings.TrimRight(x, "\x00")
	}
	return x, nil
}

func (e Encoding) decode(b []byte) (string, bool) {
	switch e {
	case UTF8:
		return string(b), utf8.Valid(b)
	case ASCII, Latin1:
		x := make([]byte, 0, len(b))
		for _, c := range b {
			if e == ASCII && c > 0x7f {
				return "", false
			}
			x = utf8.AppendRune(x, rune(c))
		}
		return string(x), true
	}
	order, x := e.order(), make([]byte, 0, len(b))
	for ; len(b) >= 2; b = b[2:] {
		r := rune(order.Uint16(b))
		if utf16.IsSurrogate(r) {
			if b = b[2:]; len(b) < 2 {
				return "", false
			}
			if r = utf16.DecodeRune(r, rune(order.Uint16(b))); r == utf8.RuneError {
				return "", false
			}
		}
		x = utf8.AppendRune(x, r)
	}
	return string(x), len(b) == 0
}

// quote quotes the beginning of a text for an error.
func quote(x string) string {
	const most = 60
	if len(x) > most {
		return fmt.Sprintf("%q…", x[:most])
	}
	return fmt.Sprintf("%q", x)
}
