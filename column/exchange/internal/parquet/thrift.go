package parquet

import (
	"encoding/binary"
	"errors"
)

// compact reads Thrift's compact protocol, in which Parquet writes its footer and the headers of
// its pages. It never takes more memory than the bytes it reads: a length that they cannot hold is
// an error.
type compact struct {
	b   []byte
	err error
}

// The types of the compact protocol.
const (
	thriftStop = iota
	thriftTrue
	thriftFalse
	thriftByte
	thriftI16
	thriftI32
	thriftI64
	thriftDouble
	thriftBinary
	thriftList
	thriftSet
	thriftMap
	thriftStruct
	thriftUUID
)

var (
	errThriftShort = errors.New("a header ends too early")
	errThrift      = errors.New("a header is not in Thrift's compact protocol")
)

func (c *compact) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.b = nil
}

func (c *compact) byte() byte {
	if len(c.b) == 0 {
		c.fail(errThriftShort)
		return 0
	}
	x := c.b[0]
	c.b = c.b[1:]
	return x
}

func (c *compact) uvarint() uint64 {
	x, b, err := uvarint(c.b)
	if err != nil {
		c.fail(err)
		return 0
	}
	c.b = b
	return x
}

// uvarint reads a number of any length from the beginning of b, and returns what is behind it.
func uvarint(b []byte) (x uint64, rest []byte, err error) {
	for shift := 0; shift < 64; shift += 7 {
		if len(b) == 0 {
			return 0, nil, errThriftShort
		}
		x |= uint64(b[0]&0x7f) << shift
		more := b[0] >= 0x80
		if b = b[1:]; !more {
			return x, b, nil
		}
	}
	return 0, nil, errThrift
}

func zigzag(x uint64) int64 { return int64(x>>1) ^ -int64(x&1) }

// int reads a number of type t.
func (c *compact) int(t byte) int64 {
	switch t {
	case thriftByte:
		return int64(int8(c.byte()))
	case thriftI16, thriftI32, thriftI64:
		return zigzag(c.uvarint())
	}
	c.fail(errThrift)
	return 0
}

// int32 is a number that cannot be negative or of more than 31 bits.
func (c *compact) int32(t byte) int {
	x := c.int(t)
	if x < 0 || x > 1<<31-1 {
		c.fail(errThrift)
		return 0
	}
	return int(x)
}

func (c *compact) bytes(t byte) []byte {
	n := c.uvarint()
	if t != thriftBinary {
		c.fail(errThrift)
	}
	if n > uint64(len(c.b)) {
		c.fail(errThriftShort)
		return nil
	}
	x := c.b[:n:n]
	c.b = c.b[n:]
	return x
}

// fields calls field for each field of a struct. field returns false for those that it has not
// read.
func (c *compact) fields(t byte, field func(id int64, t byte) bool) {
	if t != thriftStruct {
		c.fail(errThrift)
	}
	var id int64
	for c.err == nil {
		head := c.byte()
		t := head & 0xf
		if t == thriftStop {
			return
		}
		if delta := head >> 4; delta > 0 {
			id += int64(delta)
		} else {
			id = c.int(thriftI16)
		}
		if !field(id, t) {
			c.skip(t, 0)
		}
	}
}

// ints reads fields of a struct that are numbers that int32 takes, to where into says by their ids,
// and calls field for the others.
func (c *compact) ints(t byte, into map[int64]*int, field func(id int64, t byte) bool) {
	c.fields(t, func(id int64, t byte) bool {
		if x, ok := into[id]; ok {
			*x = c.int32(t)
			return true
		}
		return field(id, t)
	})
}

// list calls element for each element of a list.
func (c *compact) list(t byte, element func(t byte)) {
	if t != thriftList {
		c.fail(errThrift)
	}
	n, t := c.listHead()
	for range n {
		if element(t); c.err != nil {
			return
		}
	}
}

func (c *compact) listHead() (n uint64, t byte) {
	head := c.byte()
	if n = uint64(head >> 4); n == 15 {
		n = c.uvarint()
	}
	if n > uint64(len(c.b)) { // each takes a byte at least
		c.fail(errThriftShort)
		return 0, 0
	}
	return n, head & 0xf
}

const thriftDepth = 32

func (c *compact) skip(t byte, depth int) {
	if depth > thriftDepth {
		c.fail(errThrift)
		return
	}
	switch t {
	case thriftTrue, thriftFalse: // the value of a field is its type
	case thriftByte:
		c.byte()
	case thriftI16, thriftI32, thriftI64:
		c.uvarint()
	case thriftDouble:
		c.skipBytes(8)
	case thriftUUID:
		c.skipBytes(16)
	case thriftBinary:
		c.bytes(t)
	case thriftList, thriftSet:
		n, t := c.listHead()
		for range n {
			c.skipElement(t, depth)
		}
	case thriftMap:
		c.skipMap(depth)
	case thriftStruct:
		c.fields(t, func(_ int64, t byte) bool { c.skip(t, depth+1); return true })
	default:
		c.fail(errThrift)
	}
}

func (c *compact) skipBytes(n int) {
	if len(c.b) < n {
		c.fail(errThriftShort)
		return
	}
	c.b = c.b[n:]
}

// skipElement skips an element of a list or a map, where a truth value takes a byte.
func (c *compact) skipElement(t byte, depth int) {
	if t == thriftTrue || t == thriftFalse {
		t = thriftByte
	}
	if c.err == nil {
		c.skip(t, depth+1)
	}
}

func (c *compact) skipMap(depth int) {
	n := c.uvarint()
	if n == 0 {
		return
	}
	types := c.byte()
	if n > uint64(len(c.b)) {
		c.fail(errThriftShort)
		return
	}
	for range n {
		c.skipElement(types>>4, depth)
		c.skipElement(types&0xf, depth)
	}
}

// compactWriter writes the compact protocol.
type compactWriter struct {
	b    []byte
	last []int16 // the field before, of the struct and of those it lies in
}

// begin begins a struct: that of a field, or an element of a list if there is no id.
func (w *compactWriter) begin(id int16) {
	if id > 0 {
		w.field(id, thriftStruct)
	}
	w.last = append(w.last, 0)
}

func (w *compactWriter) end() {
	w.b = append(w.b, thriftStop)
	w.last = w.last[:len(w.last)-1]
}

func (w *compactWriter) field(id int16, t byte) {
	before := &w.last[len(w.last)-1]
	if delta := id - *before; delta > 0 && delta < 16 {
		w.b = append(w.b, byte(delta)<<4|t)
	} else {
		w.b = binary.AppendVarint(append(w.b, t), int64(id))
	}
	*before = id
}

func (w *compactWriter) i32(id int16, x int) {
	w.field(id, thriftI32)
	w.b = binary.AppendVarint(w.b, int64(x))
}

func (w *compactWriter) i64(id int16, x int64) {
	w.field(id, thriftI64)
	w.b = binary.AppendVarint(w.b, x)
}

func (w *compactWriter) text(id int16, s string) {
	w.field(id, thriftBinary)
	w.appendText(s)
}

func (w *compactWriter) appendText(s string) {
	w.b = append(binary.AppendUvarint(w.b, uint64(len(s))), s...)
}

func (w *compactWriter) bool(id int16, x bool) {
	if x {
		w.field(id, thriftTrue)
	} else {
		w.field(id, thriftFalse)
	}
}

func (w *compactWriter) list(id int16, t byte, n int) {
	w.field(id, thriftList)
	if n < 15 {
		w.b = append(w.b, byte(n)<<4|t)
	} else {
		w.b = binary.AppendUvarint(append(w.b, 0xf0|t), uint64(n))
	}
}
