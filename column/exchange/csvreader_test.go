package exchange

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/kohakuvault/kvault"
)

// record is a record as the tests compare it: fields that are quoted have a tilde before them.
func records(r io.Reader, delim byte, keepEmpty bool) (all [][]string, lines []int64, err error) {
	c := newCSVReader(r, delim)
	c.keepEmpty = keepEmpty
	for {
		if err := c.next(); err != nil {
			if err == io.EOF {
				err = nil
			}
			return all, lines, err
		}
		var record []string
		for _, f := range c.fields {
			text := strings.Clone(c.text(f))
			if f.quoted {
				text = "~" + text
			}
			record = append(record, text)
		}
		all, lines = append(all, record), append(lines, c.first)
	}
}

func TestCSVRecords(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     string // fields separated by |, records by ;
		lines    []int64
	}{
		{"plain", "a,b\n1,2\n", "a|b;1|2", []int64{1, 2}},
		{"no last line end", "a,b\n1,", "a|b;1|", []int64{1, 2}},
		{"CR LF", "a,b\r\n1,2\r\n", "a|b;1|2", []int64{1, 2}},
		{"CR", "a,b\r1,2\r", "a|b;1|2", []int64{1, 2}},
		{"CR at the end", "a\nb\r", "a;b", nil},
		{"quotes", `"a","b ""c"", d",""` + "\n", `~a|~b "c", d|~`, nil},
		{"only quotes", `"""",""""""`, `~"|~""`, nil},
		{"line ends in quotes", "\"a\r\nb\nc\r\",1\nx,y\n", "~a\r\nb\nc\r|1;x|y", []int64{1, 4}},
		{"spaces around quotes", "1,  \"x, y\" ,2\n", "1|~x, y|2", nil},
		{"spaces are text", " a , b\n", " a | b", nil},
		{"a quote within a field", "5\" disk, a\"b\n", "5\" disk| a\"b", nil},
		{"empty fields", ",\n,,\n", "|;||", nil},
		{"a space", "a\n \nb", "a; ;b", nil},
	} {
		for _, one := range []bool{false, true} {
			var in io.Reader = strings.NewReader(tt.in)
			if one {
				in = iotest.OneByteReader(in)
			}
			all, lines, err := records(in, ',', false)
			var got []string
			for _, record := range all {
				got = append(got, strings.Join(record, "|"))
			}
			if err != nil || strings.Join(got, ";") != tt.want || tt.lines != nil && !slices.Equal(lines, tt.lines) {
				t.Errorf("%s: %q, lines %d, %v", tt.name, got, lines, err)
			}
		}
	}
}

// An empty line is a record where a record is one field.
func TestCSVEmptyLines(t *testing.T) {
	for in, want := range map[string]int{"x\n\ny\n": 3, "\n": 1, "\n\n": 2, "": 0, "x": 1, "x\n\"\"\n": 2, "\r\n\r\nx": 3} {
		all, _, err := records(strings.NewReader(in), ',', true)
		if err != nil || len(all) != want {
			t.Errorf("%q: %q, %v", in, all, err)
		}
		if all, _, err = records(strings.NewReader(in), ',', false); err != nil || strings.Contains(in, "x") && len(all[0]) != 1 {
			t.Errorf("%q without empty lines: %q, %v", in, all, err)
		}
	}
}

func TestCSVRefused(t *testing.T) {
	for in, says := range map[string]string{
		"a\nb\n\"c\nd":     "line 3: a quote is opened",
		"a\n\"b\"c\n":      `line 2: "c\n" follows a closing quote`,
		"a,b\nc\rd,e\n":    "line 2: a carriage return alone",
		"a,b\r\nc\rd,e\r":  "line 2: a carriage return alone",
		"a\n\"b\" \"c\"\n": "line 2",
	} {
		_, _, err := records(strings.NewReader(in), ',', false)
		if !errors.Is(err, kvault.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: error %v", in, err)
		}
	}
	boom := errors.New("boom")
	all, _, err := records(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(boom)), ',', false)
	if err != boom || len(all) != 1 {
		t.Errorf("%q, error %v", all, err)
	}
	if _, _, err := records(idle{}, ',', false); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader that gives nothing: %v", err)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// A field may be of any length, and comes in any parts.
func TestCSVLongFields(t *testing.T) {
	long := strings.Repeat("x\"\n,", 1<<20)
	in := "a,\"" + strings.ReplaceAll(long, `"`, `""`) + "\"\nb,c\n"
	all, lines, err := records(iotest.HalfReader(strings.NewReader(in)), ',', false)
	if err != nil || len(all) != 2 || all[0][1] != "~"+long || lines[1] != 1<<20+2 {
		t.Errorf("%d records, lines %d, %v", len(all), lines, err)
	}
}

// Where encoding/csv takes a table, this reader takes the same, but for the CR LF that it changes
// and the empty lines that it skips; and in whatever parts it comes.
func FuzzCSVReader(f *testing.F) {
	for _, in := range []string{"a,b\n1,2\n", "\"a\r\nb\",\"\"\"\"\n", "a\r\rb", " \"x\" ,y\n", "\n\n,\n", "\"", "a\"b,c\n", "é;ü\n"} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		text := string(in)
		got, lines, err := records(strings.NewReader(text), ',', false)
		byOne, _, errOne := records(iotest.OneByteReader(strings.NewReader(text)), ',', false)
		if (err == nil) != (errOne == nil) || !slices.EqualFunc(got, byOne, slices.Equal) {
			t.Fatalf("%q: %q, %v; byte by byte %q, %v", text, got, err, byOne, errOne)
		}
		if !slices.IsSorted(lines) {
			t.Errorf("%q: lines %d", text, lines)
		}
		r := csv.NewReader(strings.NewReader(text))
		r.FieldsPerRecord = -1
		want, other := r.ReadAll()
		if other != nil || strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\r") {
			return
		}
		if err != nil {
			t.Fatalf("%q: error %v", text, err)
		}
		for _, record := range got {
			for i := range record {
				record[i] = strings.ReplaceAll(strings.TrimPrefix(record[i], "~"), "\r\n", "\n")
			}
		}
		if !strings.Contains(text, "~") && !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%q: %q, encoding/csv %q", text, got, want)
		}
	})
}

// What appendQuoted writes comes back.
func FuzzCSVQuoted(f *testing.F) {
	f.Add("a", "", byte(','))
	f.Add("\r\n", " \" ", byte('\t'))
	f.Fuzz(func(t *testing.T, a, b string, delim byte) {
		if _, err := delimiter(CSV, delim, ""); err != nil || delim == 0 {
			return
		}
		line := append(appendQuoted(nil, []byte(a)), delim)
		line = append(appendQuoted(line, []byte(b)), '\n')
		got, _, err := records(iotest.HalfReader(strings.NewReader(string(line))), delim, false)
		if err != nil || len(got) != 1 || !slices.Equal(got[0], []string{"~" + a, "~" + b}) {
			t.Errorf("%q %q: %q, %v", a, b, got, err)
		}
	})
}
