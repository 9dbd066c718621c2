package parquet

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// flat builds an array of a column without lists whose values are in Arrow as they are in a page:
// numbers of 4 and 8 bytes, texts and bytes. It reads runs of them, where node.read would take as
// long for each value as this for ten.
type flat struct {
	leaf    *leaf
	defs    []uint32
	values  []byte
	offsets []int32 // of texts and bytes
	valid   []byte  // bits, or nil as long as there is no null
	n       int
	nulls   int
}

// isFlat says whether the arrays of a column can be built so.
func (n *node) isFlat() bool {
	l := n.leaf
	if l == nil || l.maxRep > 0 || l.maxDef > 1 {
		return false
	}
	switch l.physical {
	case physicalInt32, physicalInt64, physicalFloat, physicalDouble:
		t, ok := l.typ.(arrow.FixedWidthDataType)
		return ok && t.BitWidth() == 8*l.width
	case physicalBytes:
		return l.typ.ID() == arrow.STRING || l.typ.ID() == arrow.BINARY
	}
	return false
}

// newFlat makes room for that many rows.
func newFlat(l *leaf, rows int) *flat {
	f := &flat{leaf: l}
	if l.width > 0 {
		f.values = make([]byte, 0, rows*l.width)
	} else {
		f.offsets = append(make([]int32, 0, rows+1), 0)
	}
	return f
}

// read reads the next rows of the page, at most that many, and no more once the values take that
// many bytes. It turns the page if nothing is left of it.
func (f *flat) read(rows, bytes int) error {
	p := &f.leaf.pages
	for p.left == 0 {
		if err := p.turn(); err == io.EOF {
			return errPageShort
		} else if err != nil {
			return err
		}
	}
	n := min(rows, p.left)
	if f.leaf.width == 0 {
		return f.readTexts(n, bytes)
	}
	defs, there, err := f.levels(n)
	if err != nil {
		return err
	}
	w, start := f.leaf.width, len(f.values)
	f.values = f.values[:start+n*w]
	dst := f.values[start:]
	good, err := readRun(p.values, dst[:there*w], w)
	if err != nil {
		n = rowsOf(defs, good)
		defs = defs[:min(n, len(defs))]
	}
	spread(dst, defs, w)
	f.values = f.values[:start+n*w]
	f.mark(defs, n)
	p.left -= n
	return err
}

// levels reads the definition levels of n rows, and returns how many of those are no null. Where no
// row can be null there are no levels.
func (f *flat) levels(n int) (defs []uint32, there int, err error) {
	if f.leaf.maxDef == 0 {
		return nil, n, nil
	}
	if cap(f.defs) < n {
		f.defs = make([]uint32, n)
	}
	defs = f.defs[:n]
	if err := f.leaf.pages.defs.read(defs); err != nil {
		return nil, 0, err
	}
	for _, d := range defs {
		if d > 1 {
			return nil, 0, errors.New("a level is too high")
		}
		there += int(d)
	}
	return defs, there, nil
}

// rowsOf is how many rows come before the value of that number.
func rowsOf(defs []uint32, value int) int {
	if defs == nil {
		return value
	}
	for i, d := range defs {
		if value -= int(d); value < 0 {
			return i
		}
	}
	return len(defs)
}

// spread moves values of width bytes, which lie side by side, to the rows that are no null.
func spread(dst []byte, defs []uint32, width int) {
	from := 0
	for _, d := range defs {
		from += int(d)
	}
	for i := len(defs) - 1; i >= from; i-- {
		to := dst[i*width : (i+1)*width]
		if defs[i] == 0 {
			clear(to)
			continue
		}
		from--
		if width == 8 {
			binary.NativeEndian.PutUint64(to, binary.NativeEndian.Uint64(dst[from*8:]))
		} else {
			binary.NativeEndian.PutUint32(to, binary.NativeEndian.Uint32(dst[from*4:]))
		}
	}
}

// mark adds n rows, of which defs says whether they are null.
func (f *flat) mark(defs []uint32, n int) {
	start := f.n
	f.n += n
	before := f.nulls
	for _, d := range defs {
		f.nulls += 1 - int(d)
	}
	if f.nulls == 0 {
		return
	}
	if before == 0 {
		f.valid = setBits(f.valid[:0], 0, start)
	}
	if f.nulls == before {
		f.valid = setBits(f.valid, start, n)
		return
	}
	f.valid = append(f.valid, make([]byte, (f.n+7)/8-len(f.valid))...)
	for i, d := range defs {
		f.valid[(start+i)/8] |= byte(d) << ((start + i) % 8)
	}
}

// setBits sets n bits behind the first ones.
func setBits(bits []byte, first, n int) []byte {
	bits = append(bits, make([]byte, (first+n+7)/8-len(bits))...)
	for i := first; i < first+n; i++ {
		bits[i/8] |= 1 << (i % 8)
	}
	return bits
}

// readTexts reads values of any length.
func (f *flat) readTexts(n, bytes int) error {
	p := &f.leaf.pages
	level := [1]uint32{1}
	for ; n > 0 && len(f.values) < bytes; n-- {
		if f.leaf.maxDef > 0 {
			d, err := p.defs.next()
			if err != nil {
				return err
			}
			if level[0] = d; d > 1 {
				return errors.New("a level is too high")
			}
		}
		if level[0] == 1 {
			v, err := p.values.next()
			if err != nil {
				return err
			}
			if len(v) > mostOfARow {
				return tooLarge("a row of more than %d bytes", mostOfARow)
			}
			f.values = append(f.values, v...)
		}
		f.offsets = append(f.offsets, int32(len(f.values)))
		f.mark(level[:], 1)
		p.left--
	}
	return nil
}

// array is what was read.
func (f *flat) array() arrow.Array {
	var valid *memory.Buffer
	if f.nulls > 0 {
		valid = memory.NewBufferBytes(f.valid)
	}
	buffers := []*memory.Buffer{valid}
	if f.offsets != nil {
		buffers = append(buffers, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(f.offsets)))
	}
	buffers = append(buffers, memory.NewBufferBytes(f.values))
	data := array.NewData(f.leaf.typ, f.n, buffers, nil, f.nulls, 0)
	defer data.Release()
	return array.MakeFromData(data)
}
