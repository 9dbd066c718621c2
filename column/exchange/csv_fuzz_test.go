package exchange

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/kohakuvault/kvault/column"
)

// texts is a column of texts and nulls that is written, and one that is read. What it does not have
// is not called.
type texts struct {
	source
	sink
	head string
	all  []column.Null[string]
}

func (x *texts) name() string                        { return x.head }
func (x *texts) typ() string                         { return "str:utf8:null" }
func (x *texts) quoted() bool                        { return true }
func (x *texts) nullable() bool                      { return true }
func (x *texts) null(i int) bool                     { return !x.all[i].Valid }
func (x *texts) appendText(dst []byte, i int) []byte { return append(dst, x.all[i].V...) }
func (x *texts) addText(text string, null bool) error {
	if null {
		text = ""
	}
	x.all = append(x.all, column.Null[string]{V: strings.Clone(text), Valid: !null})
	return nil
}

// A table of any texts and nulls under any names comes back as it was, whatever separates its
// fields and stands for null.
func FuzzCSVTable(f *testing.F) {
	f.Add("a\x01b\x01\x02\x01 \"\r\n", "x:i64", 2, byte(','), "")
	f.Add("\x02\x01\x02\x01", "", 1, byte('\t'), "NA")
	f.Add("NA\x01\"", "\ufeff", 3, byte('N'), "A")
	f.Fuzz(func(t *testing.T, fields, name string, width int, delim byte, null string) {
		if width < 1 || width > 5 {
			return
		}
		columns := make([]*texts, width)
		var sources []source
		for i := range columns {
			columns[i] = &texts{head: name + strings.Repeat("'", i)}
			sources = append(sources, columns[i])
		}
		rows := 0
		for i, field := range strings.Split(fields, "\x01") {
			x := column.Null[string]{V: field, Valid: field != "\x02"}
			if !x.Valid {
				x.V = ""
			}
			columns[i%width].all = append(columns[i%width].all, x)
			rows = i/width + 1
		}
		for _, c := range columns {
			c.all = slices.Grow(c.all, rows)[:rows]
		}
		var file bytes.Buffer
		e, err := newCSVEncoder(&file, sources, CSV, &ExportOptions{Delimiter: delim, Null: null})
		if err != nil {
			return // such a delimiter or text is refused
		}
		if err := e.write(rows); err != nil {
			t.Fatal(err)
		}
		if err := e.close(); err != nil {
			t.Fatal(err)
		}
		text := file.String()
		d, err := newCSVDecoder(iotest.HalfReader(&file), CSV, &ImportOptions{Delimiter: delim, Null: null})
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		back := make([]*texts, width)
		sinks := make([]sink, width)
		for i := range back {
			back[i] = &texts{}
			sinks[i] = back[i]
			if h := d.headings(); len(h) != width || h[i].name != columns[i].head {
				t.Errorf("%q: headings %v", text, h)
			}
		}
		for err == nil {
			_, err = d.next(sinks)
		}
		if err != io.EOF {
			t.Fatalf("%q: %v", text, err)
		}
		for i := range back {
			if !slices.Equal(back[i].all, columns[i].all) {
				t.Errorf("%q: %+v, want %+v", text, back[i].all, columns[i].all)
			}
		}
	})
}
