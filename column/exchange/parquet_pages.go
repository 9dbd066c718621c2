package exchange

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/parquet-go/parquet-go"

	"github.com/kohakuvault/kvault"
)

var (
	errPageShort = errors.New("a page ends too early")
	errLevel     = errors.New("a level is too high")
)

// valuesAtOnce of a page are made values of the library's type.
const valuesAtOnce = 256

// cursor is at a value of a leaf.
type cursor struct {
	pages  parquet.Pages
	page   parquet.Page
	reader parquet.ValueReader
	values []parquet.Value // of the page, the first of which is the one that the cursor is at
	buffer []parquet.Value
	left   int64 // values of the chunk that are on later pages

	rep, def int
	done     bool // it is behind the last
	taken    *int
}

// open moves to the first value in a row group.
func (l *leaf) open(f *parquet.File, group int) error {
	if err := l.check(f, group); err != nil {
		return err
	}
	chunk := f.RowGroups()[group].ColumnChunks()[l.index]
	l.cursor = cursor{pages: chunk.Pages(), left: chunk.NumValues(), buffer: make([]parquet.Value, valuesAtOnce), taken: l.taken}
	return l.step()
}

// close gives back what the library holds for the chunk.
func (c *cursor) close() {
	if c.page != nil {
		parquet.Release(c.page)
		c.page = nil
	}
	if c.pages != nil {
		_ = c.pages.Close() // it has nothing to write
		c.pages = nil
	}
	c.values, c.buffer, c.reader = nil, nil, nil
}

// advance moves to the next value.
func (l *leaf) advance() error {
	if l.done {
		return errPageShort
	}
	l.values = l.values[1:]
	return l.step()
}

// step looks at the value that the cursor is at.
func (l *leaf) step() error {
	*l.taken += elementBytes
	return l.look()
}

// look sees the levels of the next value, and reads more if there is none.
func (l *leaf) look() error {
	for len(l.values) == 0 {
		if err := l.fill(); err == io.EOF {
			l.done, l.rep, l.def = true, 0, 0
			return nil
		} else if err != nil {
			return err
		}
	}
	v := &l.values[0]
	if l.rep, l.def = v.RepetitionLevel(), v.DefinitionLevel(); l.def > l.maxDef {
		return errLevel
	}
	return nil
}

// fill reads some values, and returns io.EOF behind the last of the chunk.
func (l *leaf) fill() error {
	if l.reader != nil {
		n, err := l.reader.ReadValues(l.buffer)
		if l.values = l.buffer[:n]; err == nil || err == io.EOF && n > 0 {
			return nil
		} else if err != io.EOF {
			return err
		}
		parquet.Release(l.page)
		l.page, l.reader = nil, nil
	}
	if l.left == 0 {
		return io.EOF
	}
	page, err := l.pages.ReadPage()
	if err == io.EOF {
		return errPageShort
	} else if err != nil {
		return err
	}
	l.page, l.reader = page, page.Values()
	if l.left -= page.NumValues(); l.left < 0 {
		return errors.New("the pages have more values than the column")
	}
	return nil
}

// mostOfARow bounds the memory that one row takes: a few bytes of a file can stand for any number of elements.
const mostOfARow = 1 << 30

func (l *leaf) read(b array.Builder) error {
	if l.done {
		return errPageShort
	}
	if err := l.append(b, &l.values[0]); err != nil {
		return err
	}
	return l.advance()
}

// readSome appends values that are at hand, at least one and at most that many, of a column without lists.
func (l *leaf) readSome(b array.Builder, most int) (n int, err error) {
	if l.done {
		return 0, errPageShort
	}
	for n < min(most, len(l.values)) && *l.taken < bytesAtOnce {
		v := &l.values[n]
		if l.def = v.DefinitionLevel(); l.def > l.maxDef {
			return n, errLevel
		}
		if err := l.append(b, v); err != nil {
			return n, err
		}
		*l.taken += elementBytes
		n++
	}
	l.values = l.values[n:]
	if err := l.look(); err != nil {
		return n - 1, err
	}
	return n, nil
}

// append appends v, of the level l.def.
func (l *leaf) append(b array.Builder, v *parquet.Value) error {
	if l.def < l.maxDef || v.IsNull() {
		if *l.taken += l.width; l.def == l.maxDef {
			return errors.New("a null where there cannot be one")
		}
		b.AppendNull()
		return nil
	}
	if l.kind == parquet.ByteArray || l.kind == parquet.FixedLenByteArray {
		*l.taken += len(v.ByteArray())
	}
	if *l.taken > mostOfARow {
		return fmt.Errorf("a row of more than %d bytes: %w", mostOfARow, kvault.ErrTooLarge)
	}
	return l.add(b, *v)
}
