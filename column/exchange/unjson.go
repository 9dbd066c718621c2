package exchange

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/jsonform"
)

type jsonDecoder struct {
	in    *rowReader
	r     *jsonform.Reader
	heads []heading
	place map[string]int // of each heading
	// whole says that an object has no other keys than the headings, which are those of the first
	// and of nullable types that were given.
	whole bool
	// row has a value for each heading that the object had, as there says.
	row   []any
	there []bool
	// late, if not nil, makes a sink for a key that comes up behind the first object. The sinks
	// that came up in one call of next are extra; the caller passes them from then on.
	late  func(name string) sink
	extra []sink
	// told says that row is the object that told the names.
	told bool
}

func newJSONDecoder(r io.Reader, o *ImportOptions) (*jsonDecoder, error) {
	in := &rowReader{r: r}
	d := &jsonDecoder{in: in, r: jsonform.NewReader(in), place: map[string]int{}, whole: len(o.Columns) == 0}
	for _, name := range o.Columns {
		d.head(name)
	}
	if !d.whole {
		return d, nil
	}
	err := unjson(d.r.Members(func(name string, v any) error {
		if len(d.heads) == mostColumns {
			return tooWide()
		}
		d.head(name)
		d.row[len(d.row)-1], d.there[len(d.row)-1] = v, true
		return nil
	}))
	if err == io.EOF {
		return nil, invalid("", "the table is empty, so its columns are not known: name them")
	}
	if err != nil {
		return nil, failed("import", "", fmt.Errorf("row 1: %w", err))
	}
	d.told = true
	for _, name := range slices.Sorted(maps.Keys(o.Types)) {
		if _, told := d.place[name]; !told && strings.HasSuffix(o.Types[name], ":null") {
			d.head(name)
		}
	}
	return d, nil
}

func (d *jsonDecoder) head(name string) {
	d.place[name] = len(d.heads)
	d.heads = append(d.heads, heading{name: name})
	d.row, d.there = append(d.row, nil), append(d.there, false)
}

// unjson is unread for errors of JSON.
func unjson(err error) error {
	if bad := (*jsonform.Error)(nil); errors.As(err, &bad) {
		return fmt.Errorf("%w: %w", err, kvault.ErrInvalid)
	}
	if err == nil || err == io.EOF || errors.Is(err, kvault.ErrInvalid) || errors.Is(err, kvault.ErrTooLarge) {
		return err
	}
	return &kvault.IOError{Op: "read table", Err: err}
}

func (d *jsonDecoder) read() error {
	if d.told {
		d.told = false
		return nil
	}
	clear(d.there)
	d.in.start = d.r.Offset()
	return unjson(d.r.Members(func(name string, v any) error {
		if i, ok := d.place[name]; ok {
			d.row[i], d.there[i] = v, true
		} else if d.late != nil && len(d.heads) == mostColumns {
			return tooWide()
		} else if d.late != nil {
			d.extra = append(d.extra, d.late(name))
			d.head(name)
			d.row[len(d.row)-1], d.there[len(d.row)-1] = v, true
		} else if d.whole {
			return &misfit{column: name, line: d.r.Line(),
				err: fmt.Errorf("it is missing from the first object: put it there, give its type, or name the columns to read: %w", kvault.ErrInvalid)}
		}
		return nil
	}))
}

func (d *jsonDecoder) headings() []heading { return d.heads }
func (d *jsonDecoder) close()              {}

func (d *jsonDecoder) next(sinks []sink) (int, error) {
	d.extra = nil
	known := len(sinks)
	return batch(func() (bytes int, err error) {
		before := d.r.Offset()
		if err := d.read(); err != nil {
			return 0, err
		}
		if len(d.extra) > 0 {
			sinks = append(slices.Clip(sinks[:known]), d.extra...)
		}
		for i, s := range sinks {
			if s == nil {
				continue
			}
			if !d.there[i] && s.nullable() {
				if err := s.addNull(); err != nil {
					return 0, onLine(d.r.Line(), err)
				}
				continue
			}
			if !d.there[i] {
				return 0, onLine(d.r.Line(), &misfit{column: d.heads[i].name, err: fmt.Errorf("it is missing from the object: %w", kvault.ErrInvalid)})
			}
			if err := s.addJSON(d.row[i]); err != nil {
				return 0, onLine(d.r.Line(), err)
			}
		}
		return int(d.r.Offset() - before), nil
	})
}

// parseJSON takes one value of JSON.
func parseJSON(text string) (any, error) {
	r := jsonform.NewReader(strings.NewReader(text))
	v, err := r.Read()
	if err == nil {
		err = r.End()
	}
	switch bad := (*jsonform.Error)(nil); {
	case err == io.EOF:
		return nil, malformed(text, "JSON")
	case errors.As(err, &bad):
		return nil, fmt.Errorf("%q is not JSON: %w: %w", excerpt(text), err, kvault.ErrInvalid)
	}
	return v, err
}
