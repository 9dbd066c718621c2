package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Page types.
const (
	pageData = iota
	pageIndex
	pageDictionary
	pageDataV2
)

// Encodings.
const (
	encodingPlain           = 0
	encodingPlainDictionary = 2
	encodingRLE             = 3
	encodingDelta           = 5
	encodingDeltaLength     = 6
	encodingDeltaBytes      = 7
	encodingDictionary      = 8
	encodingSplit           = 9
)

// pageHeader stands before each page.
type pageHeader struct {
	kind          int
	long, short   int // bytes, expanded and as they are stored
	sum           uint32
	summed        bool
	values        int
	encoding      int
	levels        int  // their encoding
	defs, reps    int  // bytes, in version 2
	notCompressed bool // in version 2
	there         bool
}

func (h *pageHeader) read(c *compact) {
	c.ints(thriftStruct, map[int64]*int{1: &h.kind, 2: &h.long, 3: &h.short}, func(id int64, t byte) bool {
		switch id {
		case 4:
			h.sum, h.summed = uint32(c.int(t)), true
		case 5, 7, 8:
			h.there = true
			h.readOf(c, id, t)
		default:
			return false
		}
		return true
	})
}

func (h *pageHeader) readOf(c *compact, kind int64, t byte) {
	h.levels = encodingRLE
	c.fields(t, func(id int64, t byte) bool {
		switch v2 := kind == 8; {
		case id == 1:
			h.values = c.int32(t)
		case id == 2 && !v2, id == 4 && v2:
			h.encoding = c.int32(t)
		case (id == 3 || id == 4) && kind == 5:
			if levels := c.int32(t); levels != encodingRLE {
				h.levels = levels
			}
		case id == 5 && v2:
			h.defs = c.int32(t)
		case id == 6 && v2:
			h.reps = c.int32(t)
		case id == 7 && v2:
			h.notCompressed = t == thriftFalse
		default:
			return false
		}
		return true
	})
}

// pages reads the values of a column chunk, in the order in which they were written, a page at a
// time.
type pages struct {
	r     io.ReaderAt
	chunk columnChunk
	leaf  *leaf

	*pageMemory
	dictionary *entryTable

	left       int   // values of the page
	total      int64 // values of the chunk that pages have held
	reps, defs hybrid
	values     valueReader
}

// pageMemory holds a page, as it is stored and as it is meant.
type pageMemory struct{ read, expanded []byte }

// advance moves to the next value, and returns io.EOF behind the last.
func (p *pages) advance() (rep, def int, err error) {
	for p.left == 0 {
		if err := p.turn(); err != nil {
			return 0, 0, err
		}
	}
	p.left--
	if p.leaf.maxRep > 0 {
		x, err := p.reps.next()
		if err != nil {
			return 0, 0, err
		}
		rep = int(x)
	}
	if p.leaf.maxDef > 0 {
		x, err := p.defs.next()
		if err != nil {
			return 0, 0, err
		}
		def = int(x)
	}
	if rep > p.leaf.maxRep || def > p.leaf.maxDef {
		return 0, 0, errors.New("a level is too high")
	}
	return rep, def, nil
}

// turn reads the next page.
func (p *pages) turn() error {
	if p.total >= p.chunk.values {
		return io.EOF
	}
	h, err := p.header()
	if err != nil {
		return err
	}
	data, err := p.body(h)
	if err != nil {
		return err
	}
	switch h.kind {
	case pageDictionary:
		return p.learn(h, data)
	case pageData, pageDataV2:
		if p.total += int64(h.values); p.total > p.chunk.values {
			return fmt.Errorf("the pages have more than the %d values of the column", p.chunk.values)
		}
		p.left = h.values
		return p.begin(h, data)
	}
	return nil // an index, and what later versions add
}

// header reads the header of the page at the start of the chunk, and moves the start behind it.
func (p *pages) header() (*pageHeader, error) {
	for size := int64(256); ; size *= 8 {
		n := min(size, p.chunk.end-p.chunk.start)
		if n <= 0 || n > 1<<27 {
			return nil, errPageShort
		}
		if int64(cap(p.read)) < n {
			p.read = make([]byte, n)
		}
		b := p.read[:n]
		if _, err := p.r.ReadAt(b, p.chunk.start); err != nil {
			return nil, err
		}
		c, h := &compact{b: b}, new(pageHeader)
		if h.read(c); c.err == errThriftShort && n < p.chunk.end-p.chunk.start {
			continue
		}
		if c.err != nil {
			return nil, c.err
		}
		p.chunk.start += n - int64(len(c.b))
		if !h.there && h.kind != pageIndex {
			return nil, errors.New("a page has no header of its kind")
		}
		return h, nil
	}
}

// body reads a page as it is stored.
func (p *pages) body(h *pageHeader) ([]byte, error) {
	if int64(h.short) > p.chunk.end-p.chunk.start {
		return nil, errPageShort
	}
	if cap(p.read) < h.short {
		p.read = make([]byte, h.short)
	}
	b := p.read[:h.short]
	if _, err := p.r.ReadAt(b, p.chunk.start); err != nil {
		return nil, err
	}
	p.chunk.start += int64(h.short)
	if h.summed && crc32.ChecksumIEEE(b) != h.sum {
		return nil, errors.New("a page does not have the checksum of its header")
	}
	return b, nil
}

// learn takes a page for the dictionary.
func (p *pages) learn(h *pageHeader, data []byte) error {
	if p.dictionary != nil {
		return errors.New("there are two dictionaries")
	}
	if h.long > longestDictionary {
		return tooLarge("a dictionary of %d bytes, at most %d are possible: write the file without dictionaries", h.long, longestDictionary)
	}
	data, err := expand(p.chunk.codec, nil, data, h.long)
	if err != nil {
		return err
	}
	if p.chunk.codec == codecNone {
		data = append([]byte(nil), data...) // the next page is read to the same memory
	}
	p.dictionary, err = newEntryTable(p.leaf, data, h.values)
	return err
}

// begin makes the levels and values of a page the next to be read.
func (p *pages) begin(h *pageHeader, data []byte) (err error) {
	if h.kind == pageDataV2 {
		if h.reps+h.defs > len(data) {
			return errPageShort
		}
		p.reps.begin(p.leaf.maxRep, data[:h.reps])
		p.defs.begin(p.leaf.maxDef, data[h.reps:h.reps+h.defs])
		long := h.long - h.reps - h.defs
		data = data[h.reps+h.defs:]
		if !h.notCompressed && (long > 0 || len(data) > 0) {
			data, err = p.expand(data, long)
		}
	} else {
		if data, err = p.expand(data, h.long); err == nil {
			data, err = p.levels(h, data)
		}
	}
	if err != nil {
		return err
	}
	p.values, err = p.reader(h, data)
	return err
}

func (p *pages) expand(data []byte, n int) ([]byte, error) {
	if n < 0 {
		return nil, errExpanded
	}
	out, err := expand(p.chunk.codec, p.expanded, data, n)
	if err == nil && p.chunk.codec != codecNone {
		p.expanded = out
	}
	return out, err
}

// levels takes the levels from the beginning of a page of version 1.
func (p *pages) levels(h *pageHeader, data []byte) ([]byte, error) {
	for i, most := range []int{p.leaf.maxRep, p.leaf.maxDef} {
		if most == 0 {
			continue
		}
		if h.levels != encodingRLE {
			return nil, unsupported("levels in encoding number %d are not supported", h.levels)
		}
		if len(data) < 4 {
			return nil, errPageShort
		}
		n := uint64(binary.LittleEndian.Uint32(data))
		if data = data[4:]; n > uint64(len(data)) {
			return nil, errPageShort
		}
		[]*hybrid{&p.reps, &p.defs}[i].begin(most, data[:n])
		data = data[n:]
	}
	return data, nil
}

// begin starts to read levels of at most most.
func (h *hybrid) begin(most int, data []byte) {
	*h = hybrid{data: data, bitWidth: bitsFor(most)}
}

// bitsFor is how many bits numbers up to n need.
func bitsFor(n int) (bits uint) {
	for ; n > 0; n >>= 1 {
		bits++
	}
	return bits
}
