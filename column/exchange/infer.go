package exchange

import (
	"context"
	"io"
)

// InferOptions are for Infer. Nil and the zero value are good.
type InferOptions struct {
	// ImportOptions are those that Import will be given: they say how the table is read. A type
	// that they have for a column goes before what Infer finds.
	ImportOptions
	// Rows is how many to look at. 0 is 10,000, or as many as make 4 MiB of text; a negative number
	// is all.
	Rows int64
}

// Inferred is a column of a table as Infer sees it.
type Inferred struct {
	// Name is what the table calls the column: without the Prefix of the options.
	Name string
	// Type is the type by which Import can make it.
	Type string
	// Null is a text, such as NA, that keeps the column from another type than text. If that is how
	// the table says null, give it as ImportOptions.Null.
	Null string
}

// What Infer looks at, unless it is told otherwise.
const (
	inferredRows  = 10_000
	inferredBytes = 4 << 20
)

// Infer finds out of which types the columns of a table are, in the order of the table, for
// ImportOptions.Types. It changes nothing, and reads r from where it stands: for Import, go back
// there.
//
// In CSV and lines a column is what all of its values can be without losing anything: bool, i64,
// f64, date, timestamp (of microseconds, or of nanoseconds if there are so many digits, with utc if
// there is a zone), or else text. Numbers with leading zeros, as 007, and integers beyond 64 bits
// are text. In NDJSON a column is bool, i64, f64 or text, and msgpack if there are objects, lists
// or values of several kinds; columns are those of all rows that were looked at. It can be null if
// a value is. Arrow and Parquet say their types; columns can be null if a value is, anywhere in the
// file.
//
// Values that were not looked at may not fit, which Import then says.
func Infer(ctx context.Context, r io.Reader, f Format, o *InferOptions) ([]Inferred, error) {
	if o == nil {
		o = &InferOptions{}
	}
	in, err := newDecoder(ctx, f, r, &o.ImportOptions)
	if err != nil {
		return nil, err
	}
	defer in.close()
	guesses, err := sample(ctx, in, o)
	if err != nil {
		return nil, err
	}
	found := make([]Inferred, 0, len(guesses))
	for _, g := range guesses {
		if given, ok := o.Types[g.head.name]; ok {
			found = append(found, Inferred{Name: g.head.name, Type: given})
			continue
		}
		found = append(found, Inferred{Name: g.head.name, Type: g.typ(), Null: g.saysNull()})
	}
	return found, nil
}

// sample has a guess for each column look at rows.
func sample(ctx context.Context, in decoder, o *InferOptions) ([]*guess, error) {
	heads := in.headings()
	if err := o.checkHeadings(heads); err != nil {
		return nil, err
	}
	p := &probe{}
	for _, h := range heads {
		p.add(h, o.reads(h))
	}
	if objects, ok := in.(*jsonDecoder); ok && objects.whole {
		objects.late = func(name string) sink {
			p.add(heading{name: name}, true)
			late := p.guesses[len(p.guesses)-1]
			_ = late.addNull() // for the rows before
			return late
		}
	}
	wanted := o.Rows
	switch in.(type) {
	case *arrowDecoder, *parquetDecoder:
		if wanted == 0 {
			wanted = -1 // the file says the types, and of nulls only that there may be some
		}
	}
	if told, ok := in.(interface {
		nulls(column int) (some, known bool)
	}); ok && wanted < 0 {
		for i, g := range p.sinks {
			if g, ok := g.(*guess); ok {
				if some, known := told.nulls(i); known {
					g.nulls, p.sinks[i] = some, nil
				}
			}
		}
	}
	for rows := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return nil, failed("infer", "", err)
		}
		n, err := in.next(p.sinks)
		rows += int64(n)
		if err != nil && err != io.EOF {
			return nil, inRow("infer", rows+1, err)
		}
		if err == io.EOF || p.enough(rows, wanted) {
			return p.guesses, nil
		}
	}
}

// probe is the guesses that rows go to in place of columns.
type probe struct {
	sinks   []sink
	guesses []*guess
}

func (p *probe) add(h heading, wanted bool) {
	if !wanted {
		p.sinks = append(p.sinks, nil)
		return
	}
	g := &guess{head: h}
	p.sinks, p.guesses = append(p.sinks, g), append(p.guesses, g)
}

func (p *probe) enough(rows, wanted int64) bool {
	if wanted != 0 {
		return wanted > 0 && rows >= wanted
	}
	bytes := 0
	for _, g := range p.guesses {
		bytes += g.bytes
	}
	return rows >= inferredRows || bytes >= inferredBytes
}
