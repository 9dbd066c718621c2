package exchange

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// batch calls row for rows until it is time to see whether what they hold has to be written. row returns io.EOF behind the last.
func batch(row func() (bytes int, err error)) (rows int, err error) {
	for bytes := 0; rows < rowsAtOnce && bytes < bytesAtOnce; rows++ {
		n, err := row()
		if err != nil {
			return rows, err
		}
		bytes += n
	}
	return rows, nil
}

type csvDecoder struct {
	r     *csv.Reader
	heads []heading
}

func newCSVDecoder(r io.Reader) (decoder, error) {
	d := &csvDecoder{r: csv.NewReader(skipMark(r))}
	d.r.ReuseRecord = true
	first, err := d.r.Read()
	if err == io.EOF {
		return nil, invalid("", "the table is empty: its first line has the names of the columns")
	}
	if err != nil {
		return nil, failed("import", "", explainCSV(err))
	}
	for _, label := range first {
		d.heads = append(d.heads, labeled(label))
	}
	return d, nil
}

// labeled takes a label apart that is name:type. Both may have colons; only what is a type counts as one.
func labeled(label string) heading {
	for i := range len(label) {
		if label[i] == ':' && column.KnownType(label[i+1:]) {
			return heading{name: label[:i], typ: label[i+1:]}
		}
	}
	return heading{name: label, label: true}
}

// skipMark skips the byte order mark that spreadsheets put before UTF-8.
func skipMark(r io.Reader) io.Reader {
	b := bufio.NewReaderSize(r, bufferBytes)
	if mark, _ := b.Peek(3); string(mark) == "\ufeff" {
		_, _ = b.Discard(3)
	}
	return b
}

// explainCSV makes bad input tell from a source that cannot be read.
func explainCSV(err error) error {
	if bad := (*csv.ParseError)(nil); errors.As(err, &bad) {
		return fmt.Errorf("%w: %w", kvault.ErrInvalid, err)
	}
	return &kvault.IOError{Op: "read table", Err: err}
}

func (d *csvDecoder) headings() []heading { return d.heads }
func (d *csvDecoder) close()              {}

func (d *csvDecoder) next(sinks []sink) (int, error) {
	return batch(func() (bytes int, err error) {
		record, err := d.r.Read()
		if err == io.EOF {
			return 0, io.EOF
		}
		if err != nil {
			return 0, explainCSV(err)
		}
		for i, s := range sinks {
			if s == nil {
				continue
			}
			if record[i] == "" && s.nullable() {
				err = s.addNull()
			} else {
				err = s.addText(strings.Clone(record[i]))
			}
			if err != nil {
				return 0, err
			}
			bytes += len(record[i])
		}
		return bytes, nil
	})
}

type jsonDecoder struct {
	r     *json.Decoder
	heads []heading
	// whole says that an object has no other keys than the headings, which are those of the first.
	whole bool
	// first is the row that told the names.
	first map[string]any
}

func newJSONDecoder(r io.Reader, columns []string) (decoder, error) {
	d := &jsonDecoder{r: json.NewDecoder(bufio.NewReaderSize(r, bufferBytes))}
	d.r.UseNumber()
	names := columns
	if d.whole = len(names) == 0; d.whole {
		var err error
		if d.first, err = d.read(); err == io.EOF {
			return nil, invalid("", "the table is empty, so its columns are not known: name them")
		}
		if err != nil {
			return nil, failed("import", "", fmt.Errorf("row 1: %w", err))
		}
		names = slices.Sorted(maps.Keys(d.first))
	}
	for _, name := range names {
		d.heads = append(d.heads, heading{name: name})
	}
	return d, nil
}

func (d *jsonDecoder) read() (map[string]any, error) {
	if row := d.first; row != nil {
		d.first = nil
		return row, nil
	}
	var row map[string]any
	err := d.r.Decode(&row)
	switch syntax, typ := (*json.SyntaxError)(nil), (*json.UnmarshalTypeError)(nil); {
	case err == io.EOF:
		return nil, io.EOF
	case errors.As(err, &syntax), errors.As(err, &typ), err == io.ErrUnexpectedEOF:
		return nil, fmt.Errorf("%w: no object in JSON: %w", kvault.ErrInvalid, err)
	case err != nil:
		return nil, &kvault.IOError{Op: "read table", Err: err}
	case row == nil:
		return nil, fmt.Errorf("null is no object: %w", kvault.ErrInvalid)
	}
	return row, nil
}

func (d *jsonDecoder) headings() []heading { return d.heads }
func (d *jsonDecoder) close()              {}

func (d *jsonDecoder) next(sinks []sink) (int, error) {
	return batch(func() (bytes int, err error) {
		before := d.r.InputOffset()
		row, err := d.read()
		if err != nil {
			return 0, err
		}
		for i, s := range sinks {
			v, there := row[d.heads[i].name]
			if !there {
				return 0, failed("import", d.heads[i].name, fmt.Errorf("it is missing from the object: %w", kvault.ErrInvalid))
			}
			if err := s.addJSON(v); err != nil {
				return 0, err
			}
		}
		if d.whole && len(row) > len(d.heads) {
			return 0, failed("import", d.other(row), fmt.Errorf("it is missing from the first object: put it there, or name the columns to read: %w", kvault.ErrInvalid))
		}
		return int(d.r.InputOffset() - before), nil
	})
}

// other is a key of row that is none of the headings.
func (d *jsonDecoder) other(row map[string]any) string {
	for _, name := range slices.Sorted(maps.Keys(row)) {
		if !slices.ContainsFunc(d.heads, func(h heading) bool { return h.name == name }) {
			return name
		}
	}
	return ""
}

// lineDecoder reads elements that are separated by tabs, or one a line for a single column, which may hold tabs then.
type lineDecoder struct {
	r     *bufio.Reader
	heads []heading
}

func newLineDecoder(r io.Reader, columns []string) (decoder, error) {
	if len(columns) == 0 {
		return nil, invalid("", "lines do not say which columns they are for: name them")
	}
	d := &lineDecoder{r: bufio.NewReaderSize(r, bufferBytes)}
	for _, name := range columns {
		d.heads = append(d.heads, heading{name: name})
	}
	return d, nil
}

func (d *lineDecoder) headings() []heading { return d.heads }
func (d *lineDecoder) close()              {}

func (d *lineDecoder) next(sinks []sink) (int, error) {
	return batch(func() (int, error) {
		line, err := d.r.ReadString('\n')
		if err == io.EOF && line == "" {
			return 0, io.EOF
		}
		if err != nil && err != io.EOF {
			return 0, &kvault.IOError{Op: "read table", Err: err}
		}
		line = strings.TrimSuffix(line, "\n")
		fields := []string{line}
		if len(sinks) > 1 {
			fields = strings.Split(line, "\t")
		}
		if len(fields) != len(sinks) {
			return 0, fmt.Errorf("%d fields, separated by tabs, for %d columns: %w", len(fields), len(sinks), kvault.ErrInvalid)
		}
		for i, s := range sinks {
			add := func() error { return s.addText(fields[i]) }
			if fields[i] == "" && s.nullable() {
				add = s.addNull
			}
			if err := add(); err != nil {
				return 0, err
			}
		}
		return len(line), nil
	})
}
