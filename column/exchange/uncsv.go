package exchange

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// batch calls row for rows until it is time to see whether what they hold has to be written. row
// returns io.EOF behind the last.
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

// unread makes bad input tell from a source that cannot be read.
func unread(err error) error {
	if err == nil || err == io.EOF || errors.Is(err, kvault.ErrInvalid) || errors.Is(err, kvault.ErrTooLarge) {
		return err
	}
	return &kvault.IOError{Op: "read table", Err: err}
}

type csvDecoder struct {
	r     *csvReader
	heads []heading
	null  string
}

func newCSVDecoder(r io.Reader, f Format, o *ImportOptions) (decoder, error) {
	delim, err := delimiter(f, o.Delimiter, o.Null)
	if err != nil {
		return nil, err
	}
	if o.Delimiter == 0 {
		b := bufio.NewReaderSize(r, bufferBytes) // the one that recognize made, as a rule
		start, _ := b.Peek(bufferBytes)          // an error comes again when it is read
		if err := checkDelimiter(start, delim); err != nil {
			return nil, err
		}
		r = b
	}
	d := &csvDecoder{r: newCSVReader(r, delim), null: o.Null}
	if err := unread(d.r.next()); err == io.EOF {
		return nil, invalid("", "the table is empty: its first line has the names of the columns")
	} else if err != nil {
		return nil, failed("import", "", err)
	}
	for _, f := range d.r.fields {
		d.heads = append(d.heads, labeled(string([]byte(d.r.text(f))), o))
	}
	d.r.keepEmpty = len(d.heads) == 1
	if o.Index != "" {
		if d.heads[0].name != "" {
			return nil, invalid(d.heads[0].name, "the first column of the table has this name, and can have no other: take the name for the index away")
		}
		d.heads[0].name = o.Index
	}
	return d, nil
}

// delimiter is what separates the fields of a format. It must not be in the text that stands for
// null.
func delimiter(f Format, given byte, null string) (byte, error) {
	switch {
	case given == 0 && f == TSV:
		given = '\t'
	case given == 0:
		given = ','
	case given == '"', given == '\n', given == '\r', given >= 0x80:
		return 0, invalid("", "%q cannot separate fields: want a character of ASCII that is neither a quote nor a line end", given)
	}
	if strings.ContainsAny(null, "\"\r\n"+string(rune(given))) {
		return 0, invalid("", "%q cannot stand for null: it has a quote, a line end, or what separates the fields", null)
	}
	return given, nil
}

// checkDelimiter refuses a table that has one column, by the delimiter that was not chosen, if
// another one parts all of its rows into as many fields as the first line. start is how the table
// begins.
func checkDelimiter(start []byte, delim byte) error {
	if n, _ := fieldsOf(start, delim); n > 1 {
		return nil
	}
	for _, c := range []struct {
		other      byte
		name, flag string
	}{{'\t', "a tab", "tab"}, {';', "a semicolon", "';'"}, {'|', "a bar", "'|'"}, {',', "a comma", "','"}} {
		if c.other == delim {
			continue
		}
		if n, all := fieldsOf(start, c.other); n > 1 && all {
			own, flag := "a comma", "','"
			if delim == '\t' {
				own, flag = "a tab", "tab"
			}
			return invalid("", "%s does not part the first line, and %s parts all lines into %d fields: pass --delimiter %s, or --delimiter %s if the table has one column",
				own, c.name, n, c.flag, flag)
		}
	}
	return nil
}

// fieldsOf returns how many fields the first line has with a delimiter, or 0 if it cannot be split,
// and whether all have as many, apart from a line that is cut off.
func fieldsOf(start []byte, delim byte) (n int, all bool) {
	r := newCSVReader(bytes.NewReader(start), delim)
	for {
		err := r.next()
		cut := r.at == r.end && r.err != nil && len(start) == bufferBytes
		switch {
		case err == io.EOF, cut:
			return n, true
		case err != nil:
			return n, false
		case n == 0:
			n = len(r.fields)
		case n != len(r.fields):
			return n, false
		}
	}
}

// labeled takes a label apart that is name:type. Both may have colons; only what is a type counts
// as one, and only if the caller does not know the whole label as a name.
func labeled(label string, o *ImportOptions) heading {
	if _, known := o.Types[label]; known || slices.Contains(o.Columns, label) {
		return heading{name: label}
	}
	for i := range len(label) {
		if label[i] == ':' && column.KnownType(label[i+1:]) {
			return heading{name: label[:i], typ: label[i+1:]}
		}
	}
	return heading{name: label, label: true}
}

func (d *csvDecoder) headings() []heading { return d.heads }
func (d *csvDecoder) close()              {}

func (d *csvDecoder) next(sinks []sink) (int, error) {
	return batch(func() (bytes int, err error) {
		if err := d.r.next(); err != nil {
			return 0, unread(err)
		}
		if has := len(d.r.fields); has != len(d.heads) {
			return 0, fmt.Errorf("line %d: %s, but the first line has %d: %w", d.r.first, fieldCount(has), len(d.heads), kvault.ErrInvalid)
		}
		for i, f := range d.r.fields {
			s := sinks[i]
			if s == nil {
				continue
			}
			text := d.r.text(f)
			if err := s.addText(text, !f.quoted && text == d.null); err != nil {
				return 0, onLine(d.r.first, err)
			}
			bytes += len(text)
		}
		return bytes, nil
	})
}

func fieldCount(n int) string {
	if n == 1 {
		return "1 field"
	}
	return fmt.Sprintf("%d fields", n)
}
