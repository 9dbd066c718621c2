package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/unexported"
)

// ImportOptions are for Import. Nil and the zero value are good.
type ImportOptions struct {
	// Prefix goes before the names that the table, Columns and Types have for columns: with
	// "flights/" the rows of "year" go to the column "flights/year".
	Prefix string
	// Columns are the names of those that Lines are for, in order. For the other formats, which
	// name their columns, they are those to read if there are any: others are left out.
	Columns []string
	// Types are those of columns that do not exist yet, by name. Arrow and Parquet say them
	// themselves, as does CSV whose first line has name:type; Infer finds out the others. Without a
	// type, a column that does not exist is ErrNotFound. One that exists and holds another type is
	// ErrInvalid.
	Types map[string]string
	// Delimiter separates the fields of CSV, TSV and Lines, in the place of a comma or a tab. It is
	// a character of ASCII that is neither a quote nor a line end.
	Delimiter byte
	// Index is the name of the first column of CSV or TSV, if its first line has none for it, as
	// pandas and R write the index of a table.
	Index string
	// Null is the text that stands for null in CSV, TSV and Lines, where it is not in quotes. It is
	// the empty text unless given.
	Null string
	// Progress, if not nil, is told the rows read, now and then.
	Progress func(rows int64)
}

// Import appends the rows of a table to columns of equal length, and makes those that do not exist.
// It is one transaction: on an error, nothing was written. Other writers wait while r is read, so
// copy a slow source to a file first. Arrow and Parquet need an r that is an io.ReaderAt and an
// io.Seeker too, as a file is.
//
// On an engine without transactions of keys (see kvault.New) writers do not wait: if another one
// changed columns meanwhile, the rows are read again, from r if it is an io.Seeker and otherwise from
// a copy in a temporary file.
//
// Formats that are text are UTF-8. They may begin with a byte order mark, and be compressed with
// gzip. What is not of the format f, such as text in UTF-16 or a workbook, is an error that says
// what it is. JSON is read strictly: a key that an object has twice, text that is not UTF-8 and
// numbers that the column does not hold are errors with their line.
//
// Integers and floating-point numbers of other widths are taken if their value stays the same. A
// null is an error if the column is not nullable, as is anything else that does not fit; the error
// names row, from 1, and column.
func Import(ctx context.Context, v *kvault.Vault, r io.Reader, f Format, o *ImportOptions) (rows int64, err error) {
	if o == nil {
		o = &ImportOptions{}
	}
	r, again, done, err := repeatable(v, r)
	if err != nil {
		return 0, failed("import", "", err)
	}
	defer done()
	in, err := newDecoder(ctx, f, r, o)
	if err != nil {
		return 0, err
	}
	defer func() { in.close() }()
	first := true
	var own error
	err = column.Update(ctx, v, func(tx *kvault.Tx) error {
		if !first {
			if own = again(); own != nil {
				return own
			}
			next, err := newDecoder(ctx, f, r, o)
			if own = err; err != nil {
				return err
			}
			in.close()
			in = next
		}
		first = false
		rows, own = load(ctx, tx, in, o)
		return own
	})
	if own != nil {
		err = own
	}
	if err != nil {
		return 0, err
	}
	return rows, nil
}

// repeatable returns a reader of what r has that again sets back to where it began, if the store of
// v may have the rows read more than once. done gives up what was made for that.
func repeatable(v *kvault.Vault, r io.Reader) (_ io.Reader, again func() error, done func(), err error) {
	done = func() {}
	if !unexported.RunsAgain(v) {
		return r, nil, done, nil
	}
	if s, ok := r.(io.Seeker); ok {
		if at, err := s.Seek(0, io.SeekCurrent); err == nil {
			return r, func() error { _, err := s.Seek(at, io.SeekStart); return err }, done, nil
		}
	}
	kept, err := os.CreateTemp("", "kvault-import-")
	if err != nil {
		return nil, nil, done, err
	}
	done = func() {
		_ = kept.Close()
		_ = os.Remove(kept.Name())
	}
	again = func() error { _, err := kept.Seek(0, io.SeekStart); return err }
	if _, err = io.Copy(kept, r); err == nil {
		err = again()
	}
	if err != nil {
		done()
		return nil, nil, nil, err
	}
	return kept, again, done, nil
}

// heading is a column of the table that is read.
type heading struct {
	name  string
	typ   string // or empty
	label bool   // the name may have been meant as name:type, of a type that is not known
	// foreign is what the file calls the type of the column, if no type of columns stands for it.
	foreign string
	// kept is the type that keeps such values, in another form.
	kept string
}

// decoder reads rows of one of the formats.
type decoder interface {
	headings() []heading
	// next appends some rows to the sinks, of which there is one for each heading, or nil if it is
	// left out. It returns io.EOF when there are none left. After an error, rows is how many went
	// well.
	next(sinks []sink) (rows int, err error)
	close()
}

func newDecoder(ctx context.Context, f Format, r io.Reader, o *ImportOptions) (decoder, error) {
	if o.Index != "" && f != CSV && f != TSV {
		return nil, invalid("", "a name for the index is for csv and tsv, not for %s", f)
	}
	r, err := recognize(r, f)
	if err != nil {
		return nil, err
	}
	switch f {
	case CSV, TSV:
		return newCSVDecoder(r, f, o)
	case NDJSON:
		return newJSONDecoder(r, o)
	case Lines:
		return newLineDecoder(r, o)
	case Arrow:
		return newArrowDecoder(r)
	case Arrows:
		return newStreamDecoder(r)
	case Parquet:
		return newParquetDecoder(r)
	}
	return nil, invalid("", "unknown format %q: use one of %q", f, Formats)
}

func load(ctx context.Context, tx *kvault.Tx, in decoder, o *ImportOptions) (rows int64, err error) {
	sinks, all, err := openSinks(ctx, tx, in.headings(), o)
	if err != nil {
		return 0, err
	}
	defer func() { _ = all.wait() }() // a write that still runs after an error needs the transaction
	for {
		if err := ctx.Err(); err != nil {
			return 0, failed("import", "", err)
		}
		n, err := in.next(sinks)
		rows += int64(n)
		if err != nil && err != io.EOF {
			return 0, inRow("import", rows+1, err)
		}
		done := err == io.EOF
		if err := all.write(done); err != nil {
			return 0, failed("import", "", fmt.Errorf("before row %d: %w", rows+1, err))
		}
		if o.Progress != nil {
			o.Progress(rows)
		}
		if done {
			return rows, nil
		}
	}
}

// openSinks opens the column of each heading, or makes it.
func openSinks(ctx context.Context, tx *kvault.Tx, headings []heading, o *ImportOptions) ([]sink, *gathered, error) {
	if err := o.checkHeadings(headings); err != nil {
		return nil, nil, err
	}
	var names []string
	sinks, all := make([]sink, len(headings)), &gathered{ctx: ctx}
	for i, h := range headings {
		if !o.reads(h) {
			continue
		}
		d, err := ensure(ctx, tx, h, o, firstChunk(len(headings)))
		if err != nil {
			return nil, nil, err
		}
		if sinks[i], err = newSink(d, all); err != nil {
			return nil, nil, err
		}
		names = append(names, h.name)
		all.sinks = append(all.sinks, sinks[i])
	}
	if err := wholeTable(ctx, tx, o.Prefix, names); err != nil {
		return nil, nil, err
	}
	_, _, err := open(ctx, tx, o.Prefix, names) // are they of one length?
	return sinks, all, err
}

// reads says whether a column of the table is to be read.
func (o *ImportOptions) reads(h heading) bool {
	return len(o.Columns) == 0 || slices.Contains(o.Columns, h.name)
}

// namesOf is a list of the first names for an error.
func namesOf(headings []heading) string {
	const most = 8
	var names []string
	for _, h := range headings[:min(len(headings), most)] {
		names = append(names, fmt.Sprintf("%q", h.name))
	}
	more := ""
	if len(headings) > most {
		more = fmt.Sprintf(" and %d more", len(headings)-most)
	}
	return strings.Join(names, ", ") + more
}

// checkHeadings refuses a table that does not have a column to read, or has one twice or without a
// name.
func (o *ImportOptions) checkHeadings(headings []heading) error {
	for _, name := range o.Columns {
		if !slices.ContainsFunc(headings, func(h heading) bool { return h.name == name }) {
			return invalid(name, "the table has no such column: it has %s", namesOf(headings))
		}
	}
	seen := map[string]bool{}
	for i, h := range headings {
		switch {
		case !o.reads(h):
		case h.name == "":
			return invalid("", "column %d of the table has no name%s, or name the columns to read", i+1, wayOutOfIndex(i))
		case !utf8.ValidString(h.name):
			return invalid(h.name, "the name of column %d of the table is not text in UTF-8: convert the file, as with %s", i+1, iconv("LATIN1"))
		case seen[h.name]:
			return invalid(h.name, "the table has a column of this name twice: rename one, or name the columns to read, of which it is none")
		}
		seen[h.name] = true
	}
	return nil
}

// wayOutOfIndex is what to do about a column without a name.
func wayOutOfIndex(column int) string {
	if column == 0 {
		return ", as the index that pandas and R write: pass --index row to call it row"
	}
	return ": give it one"
}

// firstChunk bounds what all columns of a wide table take in the file before they hold anything.
func firstChunk(columns int) *column.Options {
	const all, most, least = 8 << 20, 128 << 10, 4 << 10
	return &column.Options{MinChunk: min(max(int64(all/columns), least), most)}
}

func ensure(ctx context.Context, tx *kvault.Tx, h heading, o *ImportOptions, made *column.Options) (column.Dynamic, error) {
	name := o.Prefix + h.name
	d, err := column.OpenAny(ctx, tx, name)
	given, typed := o.Types[h.name]
	if err == nil && typed && !column.SameType(d.Type(), given) {
		return nil, invalid(d.Name(), "the column exists and holds %s, not %s", d.Type(), given)
	}
	if !errors.Is(err, kvault.ErrNotFound) {
		return d, err
	}
	if strings.HasPrefix(name, "/") {
		return nil, invalid(name, "a column that is made here begins with no slash: it would be of a table without a name")
	}
	typ := h.typ
	if typed {
		typ = given
	}
	if plain, unknown, labeled := strings.Cut(h.name, ":"); typ == "" && h.label && labeled {
		return column.CreateAny(ctx, tx, o.Prefix+plain, unknown, made) // which says what types there are
	}
	if typ == "" && h.foreign != "" {
		return nil, failed("import", h.name, fmt.Errorf("there is no such column, and no type to make it of: the file has values of type %s, so %s: %w", h.foreign, wayOut(h.foreign), kvault.ErrInvalid))
	}
	if typ == "" {
		return nil, failed("import", name,
			notThere("there is no such column, and no type to make it of: create it, give its type, or have the types inferred"))
	}
	return column.CreateAny(ctx, tx, name, typ, made)
}
