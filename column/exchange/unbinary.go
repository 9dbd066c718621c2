package exchange

import (
	"context"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/kohakuvault/kvault"
)

// binaryDecoder reads record batches, and hands them on some rows at a time.
type binaryDecoder struct {
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

func newArrowDecoder(r io.Reader) (_ decoder, err error) {
	defer guard(Arrow, &err)
	at, err := seekable(r, Arrow)
	if err != nil {
		return nil, err
	}
	in, err := ipc.NewFileReader(at, ipc.WithAllocator(bounded{memory.DefaultAllocator}))
	if err != nil {
		return nil, unreadable(Arrow, err)
	}
	d := &binaryDecoder{done: func() { in.Close() }}
	for _, f := range in.Schema().Fields() {
		d.heads = append(d.heads, heading{name: f.Name, typ: typeOf(f.Type)})
	}
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

func newParquetDecoder(ctx context.Context, r io.Reader) (_ decoder, err error) {
	defer guard(Parquet, &err)
	at, err := seekable(r, Parquet)
	if err != nil {
		return nil, err
	}
	opened, err := file.NewParquetReader(struct{ parquet.ReaderAtSeeker }{at}) // it would close a file that is not its own
	if err != nil {
		return nil, unreadable(Parquet, err)
	}
	in, err := pqarrow.NewFileReader(opened, pqarrow.ArrowReadProperties{BatchSize: rowsAtOnce}, memory.DefaultAllocator)
	if err != nil {
		return nil, unreadable(Parquet, err)
	}
	records, err := in.GetRecordReader(ctx, nil, nil)
	if err != nil {
		return nil, unreadable(Parquet, err)
	}
	d := &binaryDecoder{done: records.Release}
	for _, f := range records.Schema().Fields() {
		d.heads = append(d.heads, heading{name: f.Name, typ: typeOf(f.Type)})
	}
	d.read = func() (arrow.RecordBatch, error) {
		if !records.Next() {
			if err := records.Err(); err != nil && err != io.EOF {
				return nil, err
			}
			return nil, io.EOF
		}
		rec := records.RecordBatch()
		rec.Retain()
		return rec, nil
	}
	return d, nil
}

// largestBuffer is the most that an Arrow file may say that one of its buffers takes. It is what the offsets of most types reach, or what
// a system of 32 bits may still have.
const largestBuffer = min(2<<30, math.MaxInt/4)

// bounded panics, for guard, instead of taking the memory that a damaged file claims: to run out of it cannot be recovered from.
type bounded struct{ memory.Allocator }

func (b bounded) Allocate(size int) []byte {
	refuse(size)
	return b.Allocator.Allocate(size)
}

func (b bounded) Reallocate(size int, buf []byte) []byte {
	refuse(size)
	return b.Allocator.Reallocate(size, buf)
}

func refuse(size int) {
	if size > largestBuffer {
		panic(fmt.Sprintf("a buffer of %d bytes, at most %d are possible", size, largestBuffer))
	}
}

// guard makes an error of a panic: the readers of these formats were not made for files that are damaged on purpose.
func guard(f Format, err *error) {
	if r := recover(); r != nil {
		*err = unreadable(f, fmt.Errorf("%v", r))
	}
}

// typeOf is the type of a column for such values, or empty.
func typeOf(t arrow.DataType) string {
	switch t.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64:
		return "i64"
	case arrow.FLOAT32, arrow.FLOAT64:
		return "f64"
	case arrow.BOOL:
		return "bool"
	case arrow.DATE32, arrow.DATE64:
		return "date"
	case arrow.TIMESTAMP:
		return typeOfTimestamp(t.(*arrow.TimestampType))
	case arrow.STRING, arrow.LARGE_STRING:
		return "str"
	case arrow.BINARY, arrow.LARGE_BINARY:
		return "bytes"
	case arrow.FIXED_SIZE_BINARY:
		return "bytes:" + strconv.Itoa(t.(*arrow.FixedSizeBinaryType).ByteWidth)
	case arrow.FIXED_SIZE_LIST, arrow.LIST, arrow.LARGE_LIST:
		return typeOfLists(t)
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

// typeOfLists is the type of a column for lists of numbers in one another: with dimensions if all of them have one.
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

func (d *binaryDecoder) headings() []heading { return d.heads }

func (d *binaryDecoder) close() {
	d.letGo()
	d.done()
}

func (d *binaryDecoder) letGo() {
	if d.rec != nil {
		d.rec.Release()
		d.rec = nil
	}
}

func (d *binaryDecoder) next(sinks []sink) (rows int, err error) {
	defer guard("arrow or parquet", &err)
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
	for range n {
		for i, s := range sinks {
			if s == nil {
				continue
			}
			if err := s.addArrow(d.rec.Column(i), d.at); err != nil {
				return rows, err
			}
		}
		d.at++
		rows++
	}
	return rows, nil
}
