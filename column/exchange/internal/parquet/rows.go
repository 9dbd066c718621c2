package parquet

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow/array"
)

// cursor is at a value of a leaf.
type cursor struct {
	pages    pages
	rep, def int
	done     bool // it is behind the last
	taken    *int
}

// open moves to the first value of a chunk.
func (l *leaf) open(r io.ReaderAt, k columnChunk, memory *pageMemory) error {
	switch {
	case k.elsewhere:
		return unsupported("the column lies in another file")
	case k.encrypted:
		return unsupported("the column is encrypted")
	case k.physical != l.physical || k.start < 0 || k.end < k.start || k.values < 0:
		return errors.New("the footer contradicts itself")
	}
	l.pages = pages{r: r, chunk: k, leaf: l, pageMemory: memory}
	l.done = false
	return nil
}

// more says whether there are values behind those that were read. Of a flat column no value is
// looked at before it is read.
func (l *leaf) more(flat bool) (bool, error) {
	if !flat {
		return !l.done, nil
	}
	for l.pages.left == 0 {
		if err := l.pages.turn(); err == io.EOF {
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
	return true, nil
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

// elementBytes is about what an element takes in memory beside its bytes.
const elementBytes = 24

// mostOfARow bounds the memory that one row takes: a few bytes of a file can stand for any number
// of elements.
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
		return tooLarge("a row of more than %d bytes", mostOfARow)
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
		return tooLarge("a row of more than %d bytes", mostOfARow)
	}
	if err := l.add(b, v); err != nil {
		return err
	}
	return l.advance()
}
