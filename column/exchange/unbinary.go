package exchange

import (
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/kohakuvault/kvault"
)

// arrowDecoder reads record batches, and hands them on some rows at a time.
type arrowDecoder struct {
	heads []heading
	read  func() (arrow.RecordBatch, error) // io.EOF behind the last
	done  func()

	rec arrow.RecordBatch
	at  int
}

func seekable(r io.Reader, f Format) (ipc.ReadAtSeeker, error) {
	at, ok := r.(ipc.ReadAtSeeker)
	if ok {
		if _, err := at.Seek(0, io.SeekCurrent); err != nil {
			ok = false
		}
	}
	if !ok {
		return nil, invalid("", "%s is read from its end: it has to be a file, not a stream", f)
	}
	return at, nil
}

func unreadable(f Format, err error) error {
	return failed("import", "", fmt.Errorf("no table in the format %s: %w: %w", f, kvault.ErrInvalid, err))
}

// arrowStream is what a stream begins with.
const arrowStream = "\xff\xff\xff\xff"

// newArrowDecoder reads the file format, and the stream format, which files with the same extension
// are in at times.
func newArrowDecoder(r io.Reader) (_ decoder, err error) {
	defer guard(Arrow, &err)
	at, err := seekable(r, Arrow)
	if err != nil {
		return nil, err
	}
	start := make([]byte, len(arrowStream))
	if _, err := at.ReadAt(start, 0); err == nil && string(start) == arrowStream {
		d, err := newStreamDecoder(r)
		if err != nil {
			return nil, mistaken(start, Arrow)
		}
		return d, nil
	}
	size, err := at.Seek(0, io.SeekEnd)
	if err == nil {
		err = checkFooter(at, size)
	}
	if err != nil {
		return nil, unreadable(Arrow, err)
	}
	in, err := ipc.NewFileReader(at, ipc.WithAllocator(limitedMemory))
	if err != nil {
		return nil, unreadable(Arrow, err)
	}
	d := newArrowBatches(in.Schema(), func() { in.Close() })
	n := 0
	d.read = func() (arrow.RecordBatch, error) {
		if n == in.NumRecords() {
			return nil, io.EOF
		}
		n++
		return in.RecordBatchAt(n - 1)
	}
	return d, nil
}

// newStreamDecoder reads the form of Arrow that has no directory at its end, and so needs no file.
func newStreamDecoder(r io.Reader) (_ decoder, err error) {
	defer guard(Arrows, &err)
	b, err := checkStream(r)
	if err != nil {
		return nil, unreadable(Arrows, err)
	}
	in, err := ipc.NewReader(b, ipc.WithAllocator(limitedMemory))
	if err != nil {
		return nil, unreadable(Arrows, err)
	}
	d := newArrowBatches(in.Schema(), in.Release)
	d.read = func() (arrow.RecordBatch, error) {
		if !in.Next() {
			if err := in.Err(); err != nil {
				return nil, err
			}
			return nil, io.EOF
		}
		rec := in.RecordBatch()
		rec.Retain() // for letGo
		return rec, nil
	}
	return d, nil
}

func newArrowBatches(schema *arrow.Schema, done func()) *arrowDecoder {
	d := &arrowDecoder{done: done}
	for _, f := range schema.Fields() {
		d.heads = append(d.heads, headingOf(f.Name, f.Type, ""))
	}
	return d
}

// headingOf is the heading of a column of arrays, or of one that has no arrays.
func headingOf(name string, t arrow.DataType, unsupported string) heading {
	h := heading{name: name, foreign: unsupported}
	if unsupported == "" {
		if h.typ = typeOf(t); h.typ == "" {
			h.foreign, h.kept = t.String(), keptAs(t)
		}
	}
	return h
}

// largestBuffer is the most that a file may say that one of its buffers takes. It is what the
// offsets of most types reach, or what a system of 32 bits may still have.
const largestBuffer = min(2<<30, math.MaxInt/4)

// bounded panics, for guard, instead of taking the memory that a damaged file claims: to run out of
// it cannot be recovered from.
type bounded struct{ memory.Allocator }

func (b bounded) Allocate(size int) []byte {
	refuse(size)
	return b.Allocator.Allocate(size)
}

func (b bounded) Reallocate(size int, buf []byte) []byte {
	refuse(size)
	return b.Allocator.Reallocate(size, buf)
}

var limitedMemory = bounded{memory.DefaultAllocator}

func refuse(size int) {
	if size > largestBuffer {
		panic(fmt.Sprintf("a buffer of %d bytes, at most %d are possible", size, largestBuffer))
	}
}

// guard makes an error of a panic: the readers of these formats were not made for files that are
// damaged on purpose.
func guard(f Format, err *error) {
	if r := recover(); r != nil {
		*err = unreadable(f, fmt.Errorf("%v", r))
	}
}

// typeOf is the type of a column for such values, or empty.
func typeOf(t arrow.DataType) string {
	switch t := t.(type) {
	case *arrow.DictionaryType:
		return typeOf(t.ValueType)
	case *arrow.RunEndEncodedType:
		return typeOf(t.Encoded())
	case arrow.ExtensionType:
		return typeOf(t.StorageType())
	case *arrow.FixedSizeBinaryType:
		return "bytes:" + strconv.Itoa(t.ByteWidth)
	case arrow.ListLikeType:
		return typeOfLists(t)
	case *arrow.TimestampType:
		return typeOfTimestamp(t)
	}
	switch t.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64:
		return "i64"
	case arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64:
		return "f64"
	case arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW:
		return "str"
	case arrow.BINARY, arrow.LARGE_BINARY, arrow.BINARY_VIEW:
		return "bytes"
	case arrow.BOOL:
		return "bool"
	case arrow.DATE32, arrow.DATE64:
		return "date"
	}
	return ""
}

func typeOfTimestamp(t *arrow.TimestampType) string {
	typ := "timestamp:" + t.Unit.String()
	if t.TimeZone != "" {
		typ += ":utc"
	}
	return typ
}

// typeOfLists is the type of a column for lists of numbers in one another: with dimensions if all
// of them have one.
func typeOfLists(t arrow.DataType) string {
	dims, fixed := "", true
	for {
		list, ok := t.(arrow.ListLikeType)
		if !ok {
			break
		}
		if f, ok := t.(*arrow.FixedSizeListType); ok && f.Len() > 0 {
			dims += ":" + strconv.Itoa(int(f.Len()))
		} else {
			fixed = false
		}
		t = list.Elem()
	}
	for name, number := range numberTypes {
		if !arrow.TypeEqual(t, number) {
			continue
		}
		if fixed {
			return "vec:" + name + dims
		}
		return "vec:" + name
	}
	return ""
}

func (d *arrowDecoder) headings() []heading { return d.heads }

func (d *arrowDecoder) close() {
	d.letGo()
	d.done()
}

func (d *arrowDecoder) letGo() {
	if d.rec != nil {
		d.rec.Release()
		d.rec = nil
	}
}

func (d *arrowDecoder) next(sinks []sink) (rows int, err error) {
	defer guard(Arrow, &err)
	if d.rec == nil || d.at == int(d.rec.NumRows()) {
		d.letGo()
		d.at = 0
		if d.rec, err = d.read(); err == io.EOF {
			return 0, io.EOF
		} else if err != nil {
			return 0, fmt.Errorf("%w: %w", kvault.ErrInvalid, err)
		}
	}
	n := min(rowsAtOnce, int(d.rec.NumRows())-d.at)
	for i, s := range sinks {
		if s == nil {
			continue
		}
		if row, err := s.addArrows(d.rec.Column(i), d.at, n); err != nil {
			return row, err
		}
	}
	d.at += n
	return n, nil
}
