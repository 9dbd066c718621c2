package exchange

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/parquet-go/parquet-go"

	"github.com/kohakuvault/kvault"
)

// parquetDecoder reads a row group column by column, each from its first page to the last, so that no more than a page of one column is
// in memory. Columns have different lengths in between, and equal ones behind each row group.
type parquetDecoder struct {
	file    *parquet.File
	groups  []parquet.RowGroup
	columns []*node
	heads   []heading
	types   []arrow.DataType

	group, column int
	rows          int64 // of the column, in this row group
	builder       array.Builder
	taken         int // about how many bytes the builder holds
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
	if err := checkFooter(at, size); err != nil {
		return nil, unreadable(Parquet, err)
	}
	f, err := parquet.OpenFile(at, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, unreadable(Parquet, err)
	}
	d := &parquetDecoder{file: f, groups: f.RowGroups()}
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
	if d.builder != nil {
		d.builder.Release()
		d.builder = nil
	}
	if d.column < len(d.columns) {
		for _, l := range d.columns[d.column].leaves(nil) {
			l.close()
		}
	}
}

func (d *parquetDecoder) next(sinks []sink) (rows int, err error) {
	defer guard(Parquet, &err)
	for d.group < len(d.groups) {
		g := d.groups[d.group]
		if d.column == len(d.columns) {
			d.column = 0
			d.group++
			return int(g.NumRows()), nil
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

// some appends the next rows of the column to its sink. The library panics at some of what is damaged.
func (d *parquetDecoder) some(g parquet.RowGroup, s sink) (err error) {
	n, name := d.columns[d.column], d.heads[d.column].name
	defer func() {
		if r := recover(); r != nil {
			err = failed("import", name, fmt.Errorf("%w: %v", kvault.ErrInvalid, r))
		}
	}()
	if d.builder == nil {
		if err := d.beginColumn(n); err != nil {
			return failed("import", name, damagedPage(err))
		}
	}
	count := 0
	for d.taken = 0; count < rowsAtOnce && d.taken < bytesAtOnce && d.rows+int64(count) < g.NumRows(); {
		read, err := n.readSome(d.builder, min(rowsAtOnce-count, int(min(g.NumRows()-d.rows, rowsAtOnce))-count))
		if count += read; err != nil {
			d.rows += int64(count)
			return failed("import", name, damagedPage(err))
		}
	}
	a := d.builder.NewArray()
	defer a.Release()
	added, err := s.addArrows(a, 0, count)
	if d.rows += int64(added); err != nil {
		return err
	}
	if d.rows < g.NumRows() {
		return nil
	}
	for _, l := range n.leaves(nil) {
		if !l.done {
			return failed("import", name, damagedPage(fmt.Errorf("the pages have more than the %d rows of their row group", g.NumRows())))
		}
	}
	d.endColumn()
	d.rows = 0
	d.column++
	return nil
}

// beginColumn moves to the first value of a column in a row group.
func (d *parquetDecoder) beginColumn(n *node) error {
	for _, l := range n.leaves(nil) {
		if err := l.open(d.file, d.group); err != nil {
			return err
		}
	}
	d.builder = array.NewBuilder(limitedMemory, d.types[d.column])
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

// readSome appends elements of the column, at least one and at most that many.
func (n *node) readSome(b array.Builder, most int) (int, error) {
	if n.kind == leafNode {
		return n.leaf.readSome(b, most)
	}
	if err := n.read(b); err != nil {
		return 0, err
	}
	return 1, nil
}

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

// nulls says whether a column has nulls, if the footer tells. Where it counts none, the library may have found no count at all:
// then only a histogram of the levels tells.
func (d *parquetDecoder) nulls(column int) (some, known bool) {
	l := d.columns[column].leaf
	if l == nil {
		return false, false
	}
	if l.maxDef == 0 {
		return false, true
	}
	known = true
	for _, g := range d.file.Metadata().RowGroups {
		if l.index >= len(g.Columns) {
			return false, false
		}
		m := g.Columns[l.index].MetaData
		if m.Statistics.NullCount > 0 {
			return true, true
		}
		levels := m.SizeStatistics.DefinitionLevelHistogram
		known = known && len(levels) == l.maxDef+1 && levels[l.maxDef] == m.NumValues
	}
	return false, known
}
