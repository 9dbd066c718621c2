package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// valueReader returns the values of a page one after the other, as the encoding PLAIN has them:
// little-endian numbers, one byte for a truth value. A value is good until the next page is read;
// of some encodings, until the next value.
type valueReader interface {
	next() ([]byte, error)
}

// plain reads the encoding PLAIN.
func (l *leaf) plain(data []byte) (valueReader, error) {
	switch l.physical {
	case physicalBool:
		return &bitValues{bits: data}, nil
	case physicalBytes:
		return &byteValues{data}, nil
	}
	if l.width == 0 {
		return nil, errors.New("values of no bytes")
	}
	return &fixedValues{data, l.width}, nil
}

// reader reads the values of a page.
func (p *pages) reader(h *pageHeader, data []byte) (valueReader, error) {
	l := p.leaf
	switch h.encoding {
	case encodingPlain:
		return l.plain(data)
	case encodingDictionary, encodingPlainDictionary:
		if len(data) == 0 { // there are nulls only
			return &fixedValues{nil, 1}, nil
		}
		if p.dictionary == nil {
			return nil, errors.New("a page refers to a dictionary that there is not")
		}
		return &entries{entryTable: p.dictionary, hybrid: hybrid{data: data[1:], bitWidth: uint(data[0])}}, nil
	case encodingRLE:
		if l.physical == physicalBool && len(data) >= 4 {
			return &runValues{hybrid: hybrid{data: data[4:], bitWidth: 1}}, nil
		}
	case encodingDelta:
		if l.physical == physicalInt32 || l.physical == physicalInt64 {
			d, err := newDelta(data)
			return &deltaValues{delta: d, width: l.width}, err
		}
	case encodingDeltaLength:
		if l.physical == physicalBytes {
			return newLengthValues(data, h.values)
		}
	case encodingDeltaBytes:
		if l.physical == physicalBytes || l.physical == physicalFixed {
			return newPrefixValues(data, h.values)
		}
	case encodingSplit:
		if l.width > 0 && l.physical != physicalBool {
			return &splitValues{data: data, n: len(data) / l.width, value: make([]byte, l.width)}, nil
		}
	}
	return nil, unsupported("encoding number %d is not supported for values of physical type %d", h.encoding, l.physical)
}

// runReader is a valueReader of values of one length that reads many at once.
type runReader interface {
	// run fills dst, and returns how many values it read before an error.
	run(dst []byte) (int, error)
}

// readRun fills dst with values of width bytes, and returns how many it read before an error.
func readRun(v valueReader, dst []byte, width int) (int, error) {
	if r, ok := v.(runReader); ok {
		return r.run(dst)
	}
	for at := 0; at < len(dst); at += width {
		x, err := v.next()
		if err != nil {
			return at / width, err
		}
		copy(dst[at:at+width], x)
	}
	return len(dst) / width, nil
}

type fixedValues struct {
	data  []byte
	width int
}

func (v *fixedValues) next() ([]byte, error) {
	if len(v.data) < v.width {
		return nil, errPageShort
	}
	x := v.data[:v.width]
	v.data = v.data[v.width:]
	return x, nil
}

func (v *fixedValues) run(dst []byte) (int, error) {
	n := copy(dst, v.data[:len(v.data)/v.width*v.width])
	v.data = v.data[n:]
	if n < len(dst) {
		return n / v.width, errPageShort
	}
	return n / v.width, nil
}

type byteValues struct{ data []byte }

func (v *byteValues) next() ([]byte, error) {
	if len(v.data) < 4 {
		return nil, errPageShort
	}
	n := uint64(binary.LittleEndian.Uint32(v.data))
	rest := v.data[4:]
	if n > uint64(len(rest)) {
		return nil, errPageShort
	}
	v.data = rest[n:]
	return rest[:n], nil
}

var truths = [...][]byte{{0}, {1}}

type bitValues struct {
	bits []byte
	at   int
}

func (v *bitValues) next() ([]byte, error) {
	if v.at>>3 >= len(v.bits) {
		return nil, errPageShort
	}
	x := v.bits[v.at>>3] >> (v.at & 7) & 1
	v.at++
	return truths[x], nil
}

type runValues struct{ hybrid }

func (v *runValues) next() ([]byte, error) {
	x, err := v.hybrid.next()
	return truths[x&1], err
}

// entries are values in a dictionary.
type entries struct {
	*entryTable
	hybrid
	numbers []uint32
}

func (v *entries) next() ([]byte, error) {
	i, err := v.hybrid.next()
	if err != nil {
		return nil, err
	}
	return v.entry(i)
}

// entriesAtOnce bounds the memory for the numbers of a run.
const entriesAtOnce = 1024

func (v *entries) run(dst []byte) (done int, err error) {
	if v.numbers == nil {
		v.numbers = make([]uint32, entriesAtOnce)
	}
	for w := v.width; len(dst) > 0; {
		numbers := v.numbers[:min(len(dst)/w, entriesAtOnce)]
		if err := v.hybrid.read(numbers); err != nil {
			return done, err
		}
		n, err := v.gather(dst, numbers)
		if done += n; err != nil {
			return done, err
		}
		dst = dst[n*w:]
	}
	return done, nil
}

// entryTable is a dictionary, as its page has it in the encoding PLAIN.
type entryTable struct {
	plain  []byte
	width  int      // of each entry, or 0 if they differ
	starts []uint32 // where those of different lengths have their length
	n      int
}

// longestDictionary bounds a dictionary, which stays in memory while its column is read. Writers
// stop at a megabyte or some.
const longestDictionary = 256 << 20

// newEntryTable finds n entries.
func newEntryTable(l *leaf, plain []byte, n int) (*entryTable, error) {
	t := &entryTable{plain: plain, width: l.width, n: n}
	switch {
	case l.physical == physicalBool:
		return nil, unsupported("a dictionary of truth values")
	case l.physical != physicalBytes:
		if l.width == 0 || n > len(plain)/l.width {
			return nil, errPageShort
		}
		return t, nil
	case n > len(plain)/4:
		return nil, errPageShort
	}
	t.starts = make([]uint32, n)
	for i, at := 0, uint64(0); i < n; i++ {
		if at+4 > uint64(len(plain)) {
			return nil, errPageShort
		}
		t.starts[i] = uint32(at)
		if at += 4 + uint64(binary.LittleEndian.Uint32(plain[at:])); at > uint64(len(plain)) {
			return nil, errPageShort
		}
	}
	return t, nil
}

func (t *entryTable) noEntry(i uint32) error {
	return fmt.Errorf("entry %d of a dictionary of %d", i, t.n)
}

func (t *entryTable) entry(i uint32) ([]byte, error) {
	if uint64(i) >= uint64(t.n) {
		return nil, t.noEntry(i)
	}
	if t.starts == nil {
		return t.plain[int(i)*t.width:][:t.width], nil
	}
	at := t.starts[i]
	return t.plain[at+4:][:binary.LittleEndian.Uint32(t.plain[at:])], nil
}

// gather fills dst with the entries of those numbers, and returns how many it found before an
// error.
func (t *entryTable) gather(dst []byte, numbers []uint32) (int, error) {
	for done, i := range numbers {
		if uint64(i) >= uint64(t.n) {
			return done, t.noEntry(i)
		}
		switch at := int(i) * t.width; t.width {
		case 8:
			binary.NativeEndian.PutUint64(dst[done*8:], binary.NativeEndian.Uint64(t.plain[at:]))
		case 4:
			binary.NativeEndian.PutUint32(dst[done*4:], binary.NativeEndian.Uint32(t.plain[at:]))
		default:
			copy(dst[done*t.width:], t.plain[at:at+t.width])
		}
	}
	return len(numbers), nil
}

type deltaValues struct {
	*delta
	width int
	value [8]byte
}

func (v *deltaValues) next() ([]byte, error) {
	x, err := v.delta.next()
	binary.LittleEndian.PutUint64(v.value[:], uint64(x))
	return v.value[:v.width], err
}

// lengthValues have the lengths of all before their bytes.
type lengthValues struct {
	lengths *delta
	data    []byte
}

func newLengthValues(data []byte, most int) (*lengthValues, error) {
	lengths, rest, err := splitDelta(data, most)
	return &lengthValues{lengths, rest}, err
}

// splitDelta returns a reader of the integers at the beginning of data, and what is behind them.
func splitDelta(data []byte, most int) (*delta, []byte, error) {
	look, err := newDelta(data)
	if err != nil {
		return nil, nil, err
	}
	rest, err := look.rest(most)
	if err != nil {
		return nil, nil, err
	}
	d, err := newDelta(data)
	return d, rest, err
}

func (v *lengthValues) next() ([]byte, error) {
	n, err := v.lengths.next()
	if err != nil {
		return nil, err
	}
	if n < 0 || n > int64(len(v.data)) {
		return nil, errPageShort
	}
	x := v.data[:n]
	v.data = v.data[n:]
	return x, nil
}

// prefixValues leave out what a value has in common with the one before.
type prefixValues struct {
	prefixes *delta
	suffixes *lengthValues
	value    []byte
}

func newPrefixValues(data []byte, most int) (*prefixValues, error) {
	prefixes, rest, err := splitDelta(data, most)
	if err != nil {
		return nil, err
	}
	suffixes, err := newLengthValues(rest, most)
	return &prefixValues{prefixes: prefixes, suffixes: suffixes}, err
}

func (v *prefixValues) next() ([]byte, error) {
	n, err := v.prefixes.next()
	if err != nil {
		return nil, err
	}
	suffix, err := v.suffixes.next()
	if err != nil {
		return nil, err
	}
	if n < 0 || n > int64(len(v.value)) {
		return nil, errPageShort
	}
	v.value = append(v.value[:n], suffix...)
	return v.value, nil
}

// splitValues have the first bytes of all, then the second ones, and so on.
type splitValues struct {
	data  []byte
	n, at int
	value []byte
}

func (v *splitValues) next() ([]byte, error) {
	if v.at >= v.n {
		return nil, errPageShort
	}
	for i := range v.value {
		v.value[i] = v.data[i*v.n+v.at]
	}
	v.at++
	return v.value, nil
}
