package exchange

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
)

// again is a text that does not end.
type again string

func (a again) Read(p []byte) (n int, err error) {
	for n < len(p) {
		n += copy(p[n:], a)
	}
	return n, nil
}

// A row without an end is refused before it takes all memory, as a small file that gzip compressed
// can have one.
func TestRowWithoutEnd(t *testing.T) {
	was := longestRow
	longestRow = 1 << 20
	defer func() { longestRow = was }()
	for _, tt := range []struct {
		f        Format
		in, more string
	}{
		{CSV, "a\n1\n\"", "x"},
		{CSV, "a\n1\n", "x"},
		{CSV, "", "x"},
		{TSV, "a\n", "\t"},
		{Lines, "1\n", "9"},
		{NDJSON, "{\"a\":1}\n{\"a\":\"", "x"},
		{NDJSON, "{\"a\":[", "[],"},
	} {
		err := inferAll(t.Context(), tt.f, io.MultiReader(strings.NewReader(tt.in), again(tt.more)))
		if !errors.Is(err, kvault.ErrTooLarge) {
			t.Errorf("%s %q: error %v", tt.f, tt.in, err)
		}
	}
	long := strings.Repeat("x", 1<<19)
	for _, f := range []Format{CSV, Lines} {
		if err := inferAll(t.Context(), f, strings.NewReader("a\n"+strings.Repeat(long+"\n", 10))); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
	if err := inferAll(t.Context(), NDJSON, strings.NewReader(strings.Repeat(`{"a":"`+long+"\"}\n", 10))); err != nil {
		t.Error(err)
	}
}

func TestTableTooWide(t *testing.T) {
	was := mostColumns
	mostColumns = 3
	defer func() { mostColumns = was }()
	for _, tt := range []struct {
		f        Format
		in, wide string
	}{
		{CSV, "a,b,c\n1,2,3\n", "a,b,c,d\n1,2,3,4\n"},
		{NDJSON, `{"a":1,"b":2,"c":3}`, `{"a":1,"b":2,"c":3,"d":4}`},
		{NDJSON, `{"a":1,"b":2} {"c":3}`, `{"a":1,"b":2} {"c":3,"d":4}`},
	} {
		if err := inferAll(t.Context(), tt.f, strings.NewReader(tt.in)); err != nil {
			t.Errorf("%s %q: %v", tt.f, tt.in, err)
		}
		if err := inferAll(t.Context(), tt.f, strings.NewReader(tt.wide)); !errors.Is(err, kvault.ErrTooLarge) {
			t.Errorf("%s %q: error %v", tt.f, tt.wide, err)
		}
	}
}

func inferAll(ctx context.Context, f Format, r io.Reader) error {
	o := &InferOptions{Rows: -1}
	if f == Lines {
		o.Columns = []string{"a"}
	}
	_, err := Infer(ctx, r, f, o)
	return err
}
