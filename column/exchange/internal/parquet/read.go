package parquet

import (
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// ReadOptions are what a File needs of its caller.
type ReadOptions struct {
	// Allocator is where arrays get their memory from. It may refuse a size by a panic, which is
	// the caller's to recover from: a damaged file can claim any.
	Allocator memory.Allocator
	// ArrowSchema reads a schema in Arrow's IPC format, which other writers leave in the footer,
	// or returns nil. It says what Parquet has no types for, such as lists of one length.
	ArrowSchema func(message []byte) *arrow.Schema
}

// File is a Parquet file that is read. It is for one goroutine at a time.
type File struct {
	r         io.ReaderAt
	allocator memory.Allocator
	groups    []rowGroup
	columns   []*node
	taken     int           // about how many bytes the array has that is being built
	spare     []*pageMemory // of the leaves of the chunk
}

// Open reads the footer of a file of size bytes.
func Open(r io.ReaderAt, size int64, o ReadOptions) (*File, error) {
	footer, err := readFooter(r, size)
	if err != nil {
		return nil, err
	}
	f := &File{r: r, allocator: o.Allocator, groups: footer.groups}
	if f.columns, err = columnsOf(footer); err != nil {
		return nil, err
	}
	if schema := footer.arrowSchema(o); schema != nil {
		refine(f.columns, schema)
	}
	for _, n := range f.columns {
		for _, l := range n.leaves(nil) {
			l.taken = &f.taken
		}
	}
	return f, nil
}

// Columns is the number of columns.
func (f *File) Columns() int { return len(f.columns) }

// Column is the name of a column, from 0, and the type of its arrays. If unsupported is not empty,
// it names a type that cannot be read.
func (f *File) Column(i int) (name string, t arrow.DataType, unsupported string) {
	t, unsupported = f.columns[i].arrowType()
	return f.columns[i].name, t, unsupported
}

// Groups is the number of row groups.
func (f *File) Groups() int { return len(f.groups) }

// Rows is the number of rows in a row group.
func (f *File) Rows(group int) int64 { return f.groups[group].rows }

// Nulls says whether a column has nulls, if the schema or the counts of all row groups do.
func (f *File) Nulls(column int) (some, known bool) {
	l := f.columns[column].leaf
	if l == nil {
		return false, false
	}
	if l.maxDef == 0 {
		return false, true
	}
	for i := range f.groups {
		k := &f.groups[i].chunks[l.index]
		if !k.counted {
			return false, false
		}
		some = some || k.nulls > 0
	}
	return some, true
}

// Chunk is the rows of one column in one row group.
type Chunk struct {
	f       *File
	n       *node
	t       arrow.DataType
	builder array.Builder // or nil if the column is flat
	rows    int64
	row     int64 // rows that were read
}

// Chunk begins to read a column in a row group. The one before is no longer read.
func (f *File) Chunk(group, column int) (*Chunk, error) {
	g, n := &f.groups[group], f.columns[column]
	t, what := n.arrowType()
	if what != "" {
		return nil, unsupported("values of type %s", what)
	}
	leaves := n.leaves(nil)
	c := &Chunk{f: f, n: n, t: t, rows: g.rows}
	for i, l := range leaves {
		if i == len(f.spare) {
			f.spare = append(f.spare, new(pageMemory))
		}
		if err := l.open(f.r, g.chunks[l.index], f.spare[i]); err != nil {
			return nil, damaged(err)
		}
	}
	f.spare = f.spare[:len(leaves)]
	if n.isFlat() {
		return c, nil
	}
	for _, l := range leaves {
		if err := l.advance(); err != nil {
			return nil, damaged(err)
		}
	}
	c.builder = array.NewBuilder(f.allocator, t)
	return c, nil
}

// Row is the number of rows, from 0, that were read without an error.
func (c *Chunk) Row() int64 { return c.row }

// Next returns the next rows, at most that many, and no more once they take that many bytes. The
// caller releases the array. Behind the last row it returns io.EOF.
func (c *Chunk) Next(rows, bytes int) (arrow.Array, error) {
	if c.row == c.rows {
		return nil, c.end()
	}
	if c.builder == nil {
		return c.nextFlat(rows, bytes)
	}
	c.f.taken = 0
	for n := 0; n < rows && c.f.taken < bytes && c.row < c.rows; n++ {
		if err := c.n.read(c.builder); err != nil {
			return nil, damaged(err)
		}
		c.row++
	}
	return c.builder.NewArray(), nil
}

func (c *Chunk) nextFlat(rows, bytes int) (arrow.Array, error) {
	rows = int(min(int64(rows), c.rows-c.row))
	f := newFlat(c.n.leaf, rows)
	before := c.row
	for f.n < rows && len(f.values) < bytes {
		err := f.read(rows-f.n, bytes)
		if c.row = before + int64(f.n); err != nil {
			return nil, damaged(err)
		}
	}
	return f.array(), nil
}

// end is io.EOF, or says that there are more values than rows.
func (c *Chunk) end() error {
	for _, l := range c.n.leaves(nil) {
		if more, err := l.more(c.builder == nil); err != nil {
			return damaged(err)
		} else if more {
			return fmt.Errorf("the pages have more than the %d rows of their row group", c.rows)
		}
	}
	return io.EOF
}

// Close lets go of what Next has built. The memory of the pages is that of the next chunk.
func (c *Chunk) Close() {
	if c.builder != nil {
		c.builder.Release()
	}
	for _, l := range c.n.leaves(nil) {
		l.pages = pages{}
	}
}

// damaged hides the end of a file that a page ran into: io.EOF is the end of a chunk.
func damaged(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errPageShort
	}
	return err
}
