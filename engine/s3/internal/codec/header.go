package codec

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

// Kind is what an object of a key is.
type Kind byte

// The kinds. A value is the bytes of the object; a pointer names the data objects that have them; a
// tombstone says that there is no value; a stamped value is the object up to its stamp.
const (
	Value     Kind = 1
	Pointer   Kind = 2
	Tombstone Kind = 3
	Stamped   Kind = 4
)

// Header is what is kept beside an object.
type Header struct {
	Kind Kind
	// Write is a number that each write makes anew, by which it knows its own.
	Write uint64
	// Parents are the numbers of the versions before, the last first, at most MaxParents. There are
	// fewer only if the key had no object before, or one of another program.
	Parents []uint64
	Meta    engine.Meta
	// Size is the length of the value of a pointer, or before a stamp.
	Size int64
	// Beside says that the content type and the user's metadata did not fit, and stand in the
	// pointer.
	Beside bool
}

// version is that of the format, and laterVersions what others may have some day. Anything else is
// no header.
const version, laterVersions = 1, 31

// MaxParents is how many versions before it a header has at most.
const MaxParents = 8

// Follow has h follow another version, of which before is the header.
func (h *Header) Follow(before *Header) {
	h.Parents = append([]uint64{before.Write}, before.Parents...)
	h.Parents = h.Parents[:min(len(h.Parents), MaxParents)]
}

const (
	flagSum = 1 << iota
	flagTime
	flagBeside
	flagHexTag
)

// MaxHeader is the most bytes of a header as text. Servers take 2 KB of all metadata together.
const MaxHeader = 1500

var errFormat = fmt.Errorf("it makes no sense: %w", engine.ErrCorrupt)

// Text returns the header as text, and false if it is too long: see Header.Beside.
func (h *Header) Text() (string, bool) {
	text := base64.RawURLEncoding.EncodeToString(h.append(nil))
	return text, len(text) <= MaxHeader
}

func (h *Header) append(b []byte) []byte {
	var flags byte
	raw, err := hex.DecodeString(h.Meta.Tag)
	hexTag := err == nil && len(raw) == 8 && hex.EncodeToString(raw) == h.Meta.Tag
	for _, f := range []struct {
		set  bool
		flag byte
	}{{h.Meta.HasSum, flagSum}, {!h.Meta.ModTime.IsZero(), flagTime}, {h.Beside, flagBeside}, {hexTag, flagHexTag}} {
		if f.set {
			flags |= f.flag
		}
	}
	b = append(b, version, byte(h.Kind), flags)
	b = binary.BigEndian.AppendUint64(b, h.Write)
	b = append(b, byte(len(h.Parents)))
	for _, p := range h.Parents {
		b = binary.BigEndian.AppendUint64(b, p)
	}
	if hexTag {
		b = append(b, raw...)
	} else {
		b = appendText(b, h.Meta.Tag)
	}
	if h.Meta.HasSum {
		b = binary.BigEndian.AppendUint32(b, h.Meta.Sum)
	}
	if flags&flagTime != 0 {
		b = binary.BigEndian.AppendUint64(b, uint64(h.Meta.ModTime.UnixNano()))
	}
	b = binary.AppendUvarint(b, uint64(h.Size))
	if h.Beside {
		return b
	}
	return appendUser(b, h.Meta)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendUser(b []byte, m engine.Meta) []byte {
	b = appendText(b, m.ContentType)
	b = binary.AppendUvarint(b, uint64(len(m.User)))
	for _, name := range slices.Sorted(maps.Keys(m.User)) {
		b = appendText(appendText(b, name), m.User[name])
	}
	return b
}

// ParseHeader reads what Text returned.
func ParseHeader(text string) (h Header, err error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) == 0 {
		return h, errFormat
	}
	d := decoder{b: b}
	switch v := d.byte(); {
	case v == 0 || v > laterVersions:
		return h, errFormat
	case v != version:
		return h, fmt.Errorf("version %d, which a later kvault has written: use that: %w", v, engine.ErrUnsupported)
	}
	h.Kind = Kind(d.byte())
	flags := d.byte()
	h.Write = binary.BigEndian.Uint64(d.take(8))
	parents := d.byte()
	for range parents {
		h.Parents = append(h.Parents, binary.BigEndian.Uint64(d.take(8)))
	}
	if flags&flagHexTag != 0 {
		h.Meta.Tag = hex.EncodeToString(d.take(8))
	} else {
		h.Meta.Tag = d.text()
	}
	if flags&flagSum != 0 {
		h.Meta.HasSum, h.Meta.Sum = true, binary.BigEndian.Uint32(d.take(4))
	}
	if flags&flagTime != 0 {
		h.Meta.ModTime = time.Unix(0, int64(binary.BigEndian.Uint64(d.take(8)))).UTC()
	}
	h.Size = int64(d.uvarint())
	if h.Beside = flags&flagBeside != 0; !h.Beside {
		d.user(&h.Meta)
	}
	if d.failed || len(d.b) > 0 || parents > MaxParents || h.Size < 0 || h.Kind < Value || h.Kind > Stamped {
		return Header{}, errFormat
	}
	return h, nil
}

// decoder reads bytes that may be anything.
type decoder struct {
	b      []byte
	failed bool
}

func (d *decoder) take(n int) []byte {
	if n > len(d.b) {
		d.failed, d.b = true, nil
		return make([]byte, min(n, 8))
	}
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) byte() byte { return d.take(1)[0] }

func (d *decoder) uvarint() uint64 {
	x, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.failed, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return x
}

func (d *decoder) text() string {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.failed, d.b = true, nil
		return ""
	}
	return string(d.take(int(n)))
}

func (d *decoder) user(m *engine.Meta) {
	m.ContentType = d.text()
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.failed = true
		return
	}
	for range n {
		if m.User == nil {
			m.User = make(map[string]string, n)
		}
		name := d.text()
		m.User[name] = d.text()
	}
}

// Plain reports whether an object of that size that is no tombstone surely is a value, of that
// size: pointers, and values with a stamp, are padded to 63 bytes more than a multiple of 64. So a
// listing tells the sizes of most values.
func Plain(size int64) bool { return size%padded != padded-1 }

const padded = 64

// pad returns the least size of an object from size on that is not Plain.
func pad(size int64) int64 { return size + padded - 1 - size%padded }

// MaxStamp is the length of the longest stamp.
const MaxStamp = 8 + padded - 1

// StampedSize is the size of the object of a value of that size with a stamp.
func StampedSize(size int64) int64 { return pad(size + 8) }

// Stamp returns a value with a stamp behind it: zeros, and the number of the write, which gives the
// object an ETag of its own, whatever the value.
func Stamp(value []byte, write uint64) []byte {
	b := make([]byte, StampedSize(int64(len(value))))
	copy(b, value)
	binary.BigEndian.PutUint64(b[len(b)-8:], write)
	return b
}

// Target is what a pointer holds beside its header.
type Target struct {
	// Write is that of the header. It gives each pointer an ETag of its own.
	Write uint64
	// Inline is the value itself, if there are no data objects.
	Inline []byte
	// Data are the names of the data objects, in order, with their sizes.
	Data []Data
	// ContentType and User are those of the value, whether or not the header has them, too.
	ContentType string
	User        map[string]string
}

// Data is an object that has a part of a value.
type Data struct {
	Name string
	Size int64
}

const magic = "kvault pointer 1\n"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Bytes returns the content of the pointer's object.
func (t *Target) Bytes() []byte {
	b := binary.BigEndian.AppendUint64([]byte(magic), t.Write)
	b = binary.AppendUvarint(b, uint64(len(t.Data)))
	for _, d := range t.Data {
		b = binary.AppendUvarint(appendText(b, d.Name), uint64(d.Size))
	}
	b = appendUser(b, engine.Meta{ContentType: t.ContentType, User: t.User})
	size := int64(len(b) + 1 + len(t.Inline) + 4) // without padding
	b = appendText(b, string(make([]byte, pad(size)-size)))
	b = append(b, t.Inline...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// ParseTarget reads what Bytes returned, and keeps b. The sizes of the data come to size, or it
// fails.
func ParseTarget(b []byte, size int64) (t Target, err error) {
	wrong := fmt.Errorf("pointer: %w", errFormat)
	if len(b) < len(magic)+4 || string(b[:len(magic)]) != magic {
		return t, wrong
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return t, wrong
	}
	d := decoder{b: body[len(magic):]}
	t.Write = binary.BigEndian.Uint64(d.take(8))
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		return t, wrong
	}
	inline := n == 0
	for range n {
		part := Data{Name: d.text(), Size: int64(d.uvarint())}
		if part.Size < 0 || part.Size > size {
			return t, wrong
		}
		size -= part.Size
		t.Data = append(t.Data, part)
	}
	var m engine.Meta
	d.user(&m)
	t.ContentType, t.User = m.ContentType, m.User
	_ = d.text() // padding
	if inline {
		t.Inline, d.b = d.b, nil
		size -= int64(len(t.Inline))
	}
	if d.failed || len(d.b) > 0 || size != 0 {
		return Target{}, wrong
	}
	return t, nil
}
