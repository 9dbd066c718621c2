package cli

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/unexported"
)

func TestColumnsOnATerminal(t *testing.T) {
	s := newSession(t)
	s.must("safe\x1b[2J\u009b\u00e9\x7f\u00a0\n", "col", "append", "text", "--new", "text=str")
	if o := s.must("", "col", "show", "text"); o.out != "safe\x1b[2J\u009b\u00e9\x7f\u00a0\n" {
		t.Errorf("into a pipe: %q", o.out)
	}
	s.outTerm = true
	if o := s.must("", "col", "show", "text"); o.out != "text\nsafe?[2J\u00bf\u00e9?\u00a0\n" {
		t.Errorf("onto a terminal: %q", o.out)
	}
	if o := s.run("", "col", "export", "text", "--format", "arrow"); o.code != exitFailure || o.out != "" || !strings.Contains(o.err, `"-o -"`) {
		t.Errorf("Arrow onto a terminal: %+v", o)
	}
	if o := s.must("", "col", "export", "text", "--format", "arrow", "-o", "-"); !strings.HasPrefix(o.out, "ARROW1") {
		t.Errorf("Arrow onto a terminal that was asked for: %q", o.out)
	}
}

func TestDropAsks(t *testing.T) {
	s := newSession(t)
	s.must("1\n2\n", "col", "append", "a", "--new", "a=i64")
	s.must("", "col", "new", "b", "f64")
	s.inTerm, s.errTerm = true, true
	o := s.run("n\n", "col", "drop", "a", "b")
	if o.code != exitFailure || !strings.Contains(o.err, `Delete "a" with 2 elements and "b" with 0 elements? [y/N]`) || !strings.Contains(o.err, "nothing was deleted") {
		t.Errorf("answered no: %+v", o)
	}
	s.must("y\n", "col", "drop", "a", "b")
	if o := s.must("", "col", "ls"); o.out != "" {
		t.Errorf("left: %q", o.out)
	}
}

// A writer that splits its text anywhere is cleaned as one that does not.
func TestSanitizerInPieces(t *testing.T) {
	text := "a\u009b\u00c2\u0085\x00b\n\tc\xc2"
	want := "a\u00bf\u00c2\u00bf?b\n\tc\xc2"
	for cut := range len(text) {
		var got strings.Builder
		h := &sanitizer{w: &got}
		for _, part := range []string{text[:cut], text[cut:]} {
			if n, err := h.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		if got.String() != want {
			t.Errorf("cut at %d: %q, want %q", cut, got.String(), want)
		}
	}
}

func TestStatsOfLargeNumbers(t *testing.T) {
	s := newSession(t)
	s.must(fmt.Sprintf("%d\n%d\n%d\n", int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MinInt64)), "col", "append", "n", "--new", "n=i64")
	o := s.must("", "col", "stats", "n")
	if !strings.Contains(o.out, "sum       9,223,372,036,854,775,806\n") {
		t.Errorf("an exact sum:\n%s", o.out)
	}
	s.must(fmt.Sprintf("%d\n%d\n", int64(math.MaxInt64), int64(math.MaxInt64)), "col", "append", "n")
	o = s.must("", "col", "stats", "n")
	if !strings.Contains(o.out, "sum       27,670,116,110,564,327,420\n") || !strings.Contains(o.out, "4  ██") {
		t.Errorf("a sum that does not fit:\n%s", o.out)
	}
	lines := strings.Split(o.out, "\n")
	if !slices.Contains(lines, "mean      5.53402e+18") {
		t.Errorf("the mean:\n%s", o.out)
	}
}

// Statistics fit a terminal: bars are shorter there, and lines that are too long become paragraphs.
func TestStatisticsOnNarrowTerminals(t *testing.T) {
	s := newSession(t)
	s.must("2013-01-01T10:00:00.000001Z\n2014-01-01T04:00:00Z\n2014-01-01T04:00:00Z\n", "col", "append", "t/when", "--new", "t/when=timestamp:us:utc")
	wide := s.must("", "col", "describe", "t/").out
	if strings.Count(wide, "\n") != 2 {
		t.Errorf("into a file:\n%s", wide)
	}
	s.outTerm, s.columns = true, 80
	for _, command := range []string{"describe", "stats"} {
		out := s.must("", "col", command, "t/").out
		for line := range strings.Lines(out) {
			if utf8.RuneCountInString(line) > s.columns+1 {
				t.Errorf("col %s: a line is longer than the terminal is wide:\n%s", command, out)
			}
		}
	}
	if out := s.must("", "col", "describe", "t/").out; !strings.Contains(out, "elements   3\n") || !strings.Contains(out, "min        2013-01-01T10:00:00.000001Z\n") {
		t.Errorf("on a terminal:\n%s", out)
	}
	s.columns = 300
	if out := s.must("", "col", "describe", "t/").out; out != wide {
		t.Errorf("on a wide terminal:\n%s", out)
	}
}

// check names a column whose validity is longer than its data, which the engine cannot know.
func TestCheckOfLongValidity(t *testing.T) {
	s := newSession(t)
	s.must("1\n", "col", "append", "short", "--new", "short=i64")
	s.must("1\n2\n3\n", "col", "append", "n", "--new", "n=i64:null")
	v, err := kvault.Open(t.Context(), s.vault, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = v.Update(t.Context(), func(tx *kvault.Tx) error { // as another program would leave them
		a, err := unexported.Arrays(tx)
		if err != nil {
			return err
		}
		for _, names := range [][2]string{{"n", "long"}, {"short", "n"}} {
			arr, err := a.Array(t.Context(), names[0])
			if err != nil {
				return err
			}
			if err := a.RenameArray(t.Context(), arr.ID, names[1]); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, v.Close()); err != nil {
		t.Fatal(err)
	}
	if o := s.run("", "check"); o.code != exitCorrupt || !strings.Contains(o.out, "(column n)\t") || !strings.Contains(o.err, "1 problem") {
		t.Errorf("%+v", o)
	}
}
