package exchange

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kohakuvault/kvault"
)

// parquetDecoder reads a row group column by column, each from its first page to the last, so that
// no more than a page of one column is in memory. Columns have different lengths in between, and
// equal ones behind each row group.
type parquetDecoder struct {
	r       io.ReaderAt
	groups  []rowGroup
	columns []*node
	heads   []heading
	types   []arrow.DataType

	group, column int
	rows          int64 // of the column, in this row group
	builder       array.Builder
	taken         int // about how many bytes the builder holds
	spare         []pageMemory
}

func newParquetDecoder(r io.Reader) (_ decoder, err error) {
	defer guard(Parquet, &err)
	at, err := seekable(r, Parquet)
	if err != nil {
		return nil, err
	}
	size, err := at.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, unreadable(Parquet, err)
	}
	f, err := readFooter(at, size)
	if err != nil {
		return nil, unreadable(Parquet, err)
	}
	d := &parquetDecoder{r: at, groups: f.groups}
	if d.columns, err = columnsOf(f); err != nil {
		return nil, unreadable(Parquet, err)
	}
	for _, n := range d.columns {
		t, unsupported := n.arrowType()
		d.heads = append(d.heads, headingOf(n.name, t, unsupported))
		d.types = append(d.types, t)
		for _, l := range n.leaves(nil) {
			l.taken = &d.taken
		}
	}
	return d, nil
}

func (d *parquetDecoder) headings() []heading { return d.heads }

func (d *parquetDecoder) close() { d.endColumn() }

func (d *parquetDecoder) endColumn() {
	if d.builder == nil {
		return
	}
	d.builder.Release()
	d.builder = nil
	d.spare = d.spare[:0]
	for _, l := range d.columns[d.column].leaves(nil) {
		d.spare = append(d.spare, l.pages.pageMemory)
		l.pages = pages{}
	}
}

func (d *parquetDecoder) next(sinks []sink) (rows int, err error) {
	defer guard(Parquet, &err)
	for d.group < len(d.groups) {
		g := &d.groups[d.group]
		if d.column == len(d.columns) {
			d.column = 0
			d.group++
			return int(g.rows), nil
		}
		s := sinks[d.column]
		if s == nil {
			d.column++
			continue
		}
		if err := d.some(g, s); err != nil {
			return int(d.rows), err
		}
		return 0, nil
	}
	return 0, io.EOF
}

// some appends the next rows of the column to its sink.
func (d *parquetDecoder) some(g *rowGroup, s sink) error {
	n, name := d.columns[d.column], d.heads[d.column].name
	if d.builder == nil {
		if err := d.beginColumn(g, n); err != nil {
			return &misfit{column: name, err: damagedPage(err)}
		}
	}
	count := 0
	for d.taken = 0; count < rowsAtOnce && d.taken < bytesAtOnce && d.rows+int64(count) < g.rows; count++ {
		if err := n.read(d.builder); err != nil {
			d.rows += int64(count)
			return &misfit{column: name, err: damagedPage(err)}
		}
	}
	a := d.builder.NewArray()
	defer a.Release()
	added, err := s.addArrows(a, 0, count)
	if d.rows += int64(added); err != nil {
		return err
	}
	if d.rows < g.rows {
		return nil
	}
	for _, l := range n.leaves(nil) {
		if !l.done {
			return &misfit{column: name, err: damagedPage(fmt.Errorf("the pages have more than the %d rows of their row group", g.rows))}
		}
	}
	d.endColumn()
	d.rows = 0
	d.column++
	return nil
}

// beginColumn moves to the first value of a column in a row group.
func (d *parquetDecoder) beginColumn(g *rowGroup, n *node) error {
	d.builder = array.NewBuilder(limitedMemory, d.types[d.column])
	for i, l := range n.leaves(nil) {
		var memory pageMemory
		if i < len(d.spare) {
			memory = d.spare[i]
		}
		if err := l.open(d.r, g.chunks[l.index], memory); err != nil {
			return err
		}
	}
	return nil
}

func damagedPage(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = errPageShort
	}
	if errors.Is(err, kvault.ErrUnsupported) || errors.Is(err, kvault.ErrTooLarge) {
		return err
	}
	return fmt.Errorf("%w: %w", kvault.ErrInvalid, err)
}

// cursor is at a value of a leaf.
type cursor struct {
	pages    pages
	rep, def int
	done     bool // it is behind the last
	taken    *int
}

// open moves to the first value of a chunk.
func (l *leaf) open(r io.ReaderAt, k columnChunk, memory pageMemory) error {
	switch {
	case k.elsewhere:
		return fmt.Errorf("the column lies in another file: %w", kvault.ErrUnsupported)
	case k.encrypted:
		return fmt.Errorf("the column is encrypted: %w", kvault.ErrUnsupported)
	case k.physical != l.physical || k.start < 0 || k.end < k.start || k.values < 0:
		return errors.New("the footer contradicts itself")
	}
	l.pages = pages{r: r, chunk: k, leaf: l, pageMemory: memory}
	l.done = false
	return l.advance()
}

func (l *leaf) advance() (err error) {
	if l.done {
		return errPageShort
	}
	*l.taken += elementBytes
	l.rep, l.def, err = l.pages.advance()
	if err == io.EOF {
		l.done, l.rep, l.def = true, 0, 0
		return nil
	}
	return err
}

// mostOfARow bounds the memory that one row takes: a few bytes of a file can stand for any number of elements.
const mostOfARow = 1 << 30

// read appends the next element of the column, or of the part of it.
func (n *node) read(b array.Builder) error {
	if n.kind == leafNode {
		return n.leaf.read(b)
	}
	first := n.first()
	switch {
	case first.done:
		return errPageShort
	case *first.taken > mostOfARow:
		return fmt.Errorf("a row of more than %d bytes: %w", mostOfARow, kvault.ErrTooLarge)
	case first.def < n.def:
		*first.taken += elementBytes * n.fixed
		b.AppendNull()
		return n.advance()
	}
	switch n.kind {
	case structNode:
		return n.readStruct(b.(*array.StructBuilder))
	case mapNode:
		m := b.(*array.MapBuilder)
		m.Append(true)
		return n.readElements(first, func() error { return errors.Join(n.parts[0].read(m.KeyBuilder()), n.parts[1].read(m.ItemBuilder())) })
	}
	list := b.(array.ListLikeBuilder)
	list.Append(true)
	count := 0
	err := n.readElements(first, func() error { count++; return n.parts[0].read(list.ValueBuilder()) })
	if err == nil && n.fixed > 0 && count != n.fixed {
		err = fmt.Errorf("a list of %d where all are of %d", count, n.fixed)
	}
	return err
}

func (n *node) readStruct(b *array.StructBuilder) error {
	b.Append(true)
	for i, part := range n.parts {
		if err := part.read(b.FieldBuilder(i)); err != nil {
			return err
		}
	}
	return nil
}

// readElements calls element for each element of a list that is no null.
func (n *node) readElements(first *leaf, element func() error) error {
	if first.def == n.def {
		return n.advance() // it is empty
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if first.done || first.rep != n.rep {
			return nil
		}
	}
}

// first is the leaf whose levels tell where the node's elements end.
func (n *node) first() *leaf {
	for n.leaf == nil {
		n = n.parts[0]
	}
	return n.leaf
}

// advance moves all leaves behind an element that has nothing in it.
func (n *node) advance() error {
	if n.leaf != nil {
		return n.leaf.advance()
	}
	for _, part := range n.parts {
		if err := part.advance(); err != nil {
			return err
		}
	}
	return nil
}

func (l *leaf) read(b array.Builder) error {
	if l.done {
		return errPageShort
	}
	if l.def < l.maxDef {
		*l.taken += l.width
		b.AppendNull()
		return l.advance()
	}
	v, err := l.pages.values.next()
	if err != nil {
		return err
	}
	if *l.taken += len(v); *l.taken > mostOfARow {
		return fmt.Errorf("a row of more than %d bytes: %w", mostOfARow, kvault.ErrTooLarge)
	}
	if err := l.add(b, v); err != nil {
		return err
	}
	return l.advance()
}

// nulls says whether a column has nulls, if the footer counts them in every row group.
func (d *parquetDecoder) nulls(column int) (some, known bool) {
	l := d.columns[column].leaf
	if l == nil {
		return false, false
	}
	if l.maxDef == 0 {
		return false, true
	}
	for i := range d.groups {
		k := &d.groups[i].chunks[l.index]
		if !k.counted {
			return false, false
		}
		some = some || k.nulls > 0
	}
	return some, true
}
