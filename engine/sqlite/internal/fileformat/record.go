package fileformat

import "encoding/binary"

// Varint reads a variable-length integer from the start of p, and returns the number of its bytes:
// 0 if it runs off the end.
func Varint(p []byte) (v uint64, n int) {
	if len(p) > 0 && p[0] < 0x80 { // as most are
		return uint64(p[0]), 1
	}
	return longVarint(p)
}

func longVarint(p []byte) (v uint64, n int) {
	for i, b := range p {
		if i == 8 {
			return v<<8 | uint64(b), 9
		}
		if v = v<<7 | uint64(b&0x7f); b < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}

// Signed reads a big-endian integer of 1 to 8 bytes.
func Signed(p []byte) int64 {
	var b [8]byte
	if p[0]&0x80 != 0 {
		b = [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	copy(b[8-len(p):], p)
	return int64(binary.BigEndian.Uint64(b[:]))
}

// Class is the storage class of a column.
type Class byte

// The storage classes.
const (
	Null Class = iota
	Int
	Float
	Text
	Blob
)

// Column is what the header of a record says of a column.
type Column struct {
	Class Class
	// Const is the value of an integer that takes no bytes.
	Const int64
	// Off is where in the record the column's bytes begin, and Size is their number.
	Off, Size int64
}

// RecordHeader goes through the columns of a record: call Next as long as there is More.
type RecordHeader struct {
	types     []byte // those of the columns to come
	off, size int64
}

// ParseRecord reads the start of the header of a record of size bytes, of which local are at hand.
// ok is false if the header makes no sense, or is not all there.
func ParseRecord(local []byte, size int64) (h RecordHeader, ok bool) {
	head, n := Varint(local)
	if n == 0 || head < uint64(n) || head > uint64(len(local)) || int64(head) > size {
		return h, false
	}
	return RecordHeader{local[n:head], int64(head), size}, true
}

// More says that there is a further column.
func (h *RecordHeader) More() bool { return len(h.types) > 0 }

// Next returns the next column, if there is one that makes sense.
func (h *RecordHeader) Next() (c Column, ok bool) {
	serial, n := Varint(h.types)
	if n == 0 {
		return c, false
	}
	c, ok = columnOf(serial)
	if !ok || c.Size > h.size-h.off {
		return c, false
	}
	c.Off = h.off
	h.types, h.off = h.types[n:], h.off+c.Size
	return c, true
}

// End is where the columns end that Next has returned, counted from the start of the record.
func (h *RecordHeader) End() int64 { return h.off }

func columnOf(serial uint64) (Column, bool) {
	switch {
	case serial == 0:
		return Column{}, true
	case serial <= 6:
		return Column{Class: Int, Size: [...]int64{0, 1, 2, 3, 4, 6, 8}[serial]}, true
	case serial == 7:
		return Column{Class: Float, Size: 8}, true
	case serial == 8 || serial == 9:
		return Column{Class: Int, Const: int64(serial - 8)}, true
	case serial < 12 || serial > 1<<33:
		return Column{}, false
	case serial%2 == 0:
		return Column{Class: Blob, Size: int64(serial-12) / 2}, true
	}
	return Column{Class: Text, Size: int64(serial-13) / 2}, true
}
