package parquet

import (
	"encoding/binary"
	"errors"
)

var errPageShort = errors.New("a page ends too early")

// hybrid reads small numbers of a fixed number of bits: runs of equal ones, and packed ones, in
// turn.
type hybrid struct {
	data     []byte
	bitWidth uint
	left     uint64 // of the run
	value    uint32 // of all in it, unless they are packed
	bits     []byte // of a packed run
	at       uint64 // in bits
}

func (h *hybrid) next() (uint32, error) {
	for h.left == 0 {
		if err := h.start(); err != nil {
			return 0, err
		}
	}
	h.left--
	if h.bits == nil {
		return h.value, nil
	}
	x := uint32(bitsAt(h.bits, h.at, h.bitWidth))
	h.at += uint64(h.bitWidth)
	return x, nil
}

// read reads as many numbers as dst has room for.
func (h *hybrid) read(dst []uint32) error {
	for len(dst) > 0 {
		if h.left == 0 {
			if err := h.start(); err != nil {
				return err
			}
			continue
		}
		n := int(min(uint64(len(dst)), h.left))
		if h.bits == nil {
			for i := range dst[:n] {
				dst[i] = h.value
			}
		} else {
			unpack(dst[:n], h.bits, h.at, h.bitWidth)
			h.at += uint64(n) * uint64(h.bitWidth)
		}
		h.left -= uint64(n)
		dst = dst[n:]
	}
	return nil
}

// unpack reads numbers of width bits, at most 32, from a bit of b on.
func unpack(dst []uint32, b []byte, at uint64, width uint) {
	mask := uint64(1)<<width - 1
	for i := range dst {
		if from := at / 8; from+8 <= uint64(len(b)) {
			dst[i] = uint32(binary.LittleEndian.Uint64(b[from:]) >> (at % 8) & mask)
		} else {
			dst[i] = uint32(bitsAt(b, at, width))
		}
		at += uint64(width)
	}
}

// start begins the next run.
func (h *hybrid) start() error {
	if h.bitWidth > 32 {
		return errors.New("numbers of more than 32 bits where there cannot be any")
	}
	if h.bitWidth == 0 { // all are 0, and some writers leave out how many
		h.left, h.value, h.bits = 1<<62, 0, nil
		return nil
	}
	head, rest, err := uvarint(h.data)
	if err != nil {
		return errPageShort
	}
	n := uint64(h.bitWidth+7) / 8
	packed := head&1 == 1
	if packed {
		if head>>1 > uint64(len(rest)) {
			return errPageShort
		}
		n = head >> 1 * uint64(h.bitWidth)
	}
	if n > uint64(len(rest)) {
		if !packed || len(rest) == 0 {
			return errPageShort
		}
		n = uint64(len(rest)) // the last run need not be padded
	}
	h.data = rest[n:]
	if packed {
		h.left, h.bits, h.at = n*8/uint64(h.bitWidth), rest[:n], 0
		return nil
	}
	var value [4]byte
	copy(value[:], rest[:n])
	h.left, h.value, h.bits = head>>1, binary.LittleEndian.Uint32(value[:]), nil
	return nil
}

// bitsAt returns width bits, at most 64, that begin at a bit of b, the lowest first. Behind b all
// are 0.
func bitsAt(b []byte, at uint64, width uint) uint64 {
	b = b[min(at/8, uint64(len(b))):]
	shift := uint(at % 8)
	if len(b) >= 8 && shift+width <= 64 {
		x := binary.LittleEndian.Uint64(b) >> shift
		return x & (1<<width - 1)
	}
	var x uint64
	for i := uint(0); i*8 < shift+width && int(i) < len(b); i++ {
		if i == 0 {
			x = uint64(b[0]) >> shift
		} else {
			x |= uint64(b[i]) << (i*8 - shift)
		}
	}
	return x & (1<<width - 1)
}

// delta reads integers that are stored as differences, in blocks.
type delta struct {
	b       []byte
	total   uint64 // values that are left
	last    int64
	first   bool
	minis   int    // in a block
	perMini uint64 // values
	lowest  int64  // difference of the block
	widths  []byte // of those that are left of the block
	bits    []byte
	width   uint
	at      uint64
	left    uint64 // of the mini block
}

func newDelta(b []byte) (*delta, error) {
	c := &compact{b: b}
	block, minis, total, first := c.uvarint(), c.uvarint(), c.uvarint(), zigzag(c.uvarint())
	if c.err != nil {
		return nil, errPageShort
	}
	if minis == 0 || minis > 1<<16 || block > 1<<30 || block%minis != 0 || block/minis == 0 || block/minis%8 != 0 {
		return nil, errors.New("a block of differences is malformed")
	}
	return &delta{b: c.b, total: total, last: first, first: true, minis: int(minis), perMini: block / minis}, nil
}

func (d *delta) next() (int64, error) {
	if d.total == 0 {
		return 0, errPageShort
	}
	if d.first {
		d.first = false
		d.total--
		return d.last, nil
	}
	if d.left == 0 {
		if err := d.start(); err != nil {
			return 0, err
		}
	}
	d.total--
	d.left--
	d.last += d.lowest + int64(bitsAt(d.bits, d.at, d.width))
	d.at += uint64(d.width)
	return d.last, nil
}

// start begins the next mini block.
func (d *delta) start() error {
	if len(d.widths) == 0 {
		c := &compact{b: d.b}
		d.lowest = zigzag(c.uvarint())
		if c.err != nil || len(c.b) < d.minis {
			return errPageShort
		}
		d.widths, d.b = c.b[:d.minis], c.b[d.minis:]
	}
	d.width, d.widths = uint(d.widths[0]), d.widths[1:]
	if d.width > 64 {
		return errors.New("a block of differences is malformed")
	}
	n := d.perMini / 8 * uint64(d.width)
	if n > uint64(len(d.b)) {
		if d.total*uint64(d.width) > 8*uint64(len(d.b)) { // the last need not be padded
			return errPageShort
		}
		n = uint64(len(d.b))
	}
	d.bits, d.b, d.at, d.left = d.b[:n], d.b[n:], 0, d.perMini
	return nil
}

// rest returns what is behind all the integers, which it reads. There are at most so many.
func (d *delta) rest(most int) ([]byte, error) {
	if d.total > uint64(most) {
		return nil, errors.New("more lengths than values")
	}
	for d.total > 0 {
		if _, err := d.next(); err != nil {
			return nil, err
		}
	}
	return d.b, nil
}
