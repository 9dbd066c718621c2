package cli

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// progressApp is an app whose standard error is a terminal, and what it shows.
func progressApp(errTerm bool) (*app, *bytes.Buffer) {
	var screen bytes.Buffer
	return newApp(IO{
		In: strings.NewReader(""), Out: io.Discard, Err: &screen,
		Getenv:     func(string) string { return "" },
		IsTerminal: func(stream any) bool { return errTerm && stream == any(&screen) },
	}), &screen
}

func TestProgress(t *testing.T) {
	for _, total := range []int64{1000, 0, -1} {
		synctest.Test(t, func(t *testing.T) {
			a, screen := progressApp(true)
			b := a.startProgress("copying", inBytes, total)
			b.add(10)
			if screen.Len() > 0 {
				t.Errorf("a short command shows %q", screen)
			}
			time.Sleep(progressDelay)
			b.add(490)
			if !strings.Contains(screen.String(), "copying") {
				t.Errorf("no bar: %q", screen)
			}
			screen.Reset()
			a.complain(errors.New("oops"), exitFailure)
			if got := screen.String(); got != "\x1b[2K\rkvault: oops\n" {
				t.Errorf("a message over the bar: %q", got)
			}
			for range 10 {
				time.Sleep(time.Second)
				b.add(100) // beyond the total
			}
			if !strings.Contains(screen.String(), "copying") {
				t.Errorf("the bar did not come back: %q", screen)
			}
			screen.Reset()
			b.finish()
			b.finish()
			if got := screen.String(); !strings.HasPrefix(got, "\x1b[2K\r") {
				t.Errorf("the bar was not taken away: %q", got)
			}
			screen.Reset()
			a.note("done")
			if got := screen.String(); got != "done\n" {
				t.Errorf("after the bar: %q", got)
			}
		})
	}
}

func TestProgressInKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, screen := progressApp(true)
		b := a.startProgress("check", inKeys, 0)
		time.Sleep(progressDelay)
		b.set(250, 1000)
		if got := screen.String(); !strings.Contains(got, "25%") || !strings.Contains(got, "250/1000") {
			t.Errorf("bar: %q", got)
		}
		b.finish()
	})
}

// Lines are for logs: they come at intervals, and have no control characters.
func TestPlainProgress(t *testing.T) {
	for _, tt := range []struct {
		unit  progressUnit
		total int64
		want  string
	}{
		{inBytes, 100 << 20, "^import: 6.0 MiB of 100 MiB \\(6%\\), 1.0 MiB/s, 6s\nimport: 12 MiB of 100 MiB \\(12%\\), 1.0 MiB/s, 12s\n$"},
		{inBytes, 0, "^import: 6.0 MiB, 1.0 MiB/s, 6s\nimport: 12 MiB, 1.0 MiB/s, 12s\n$"},
		{inKeys, -1, "^import: 6,291,456, 1,048,576/s, 6s\nimport: 12,582,912, 1,048,576/s, 12s\n$"},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, screen := progressApp(false)
			a.flags.progress.value = progressPlain
			b := a.startProgress("import", tt.unit, tt.total)
			for range 7 {
				time.Sleep(2 * time.Second)
				b.add(2 << 20)
			}
			b.finish()
			if got := screen.String(); !regexp.MustCompile(tt.want).MatchString(got) {
				t.Errorf("%q, not %q", got, tt.want)
			}
		})
	}
}

func TestProgressForm(t *testing.T) {
	for _, tt := range []struct {
		flag            string
		terminal, quiet bool
		want            string
	}{
		{"", true, false, progressBar}, {"", false, false, progressNone}, {"plain", true, false, progressPlain}, {"plain", false, false, progressPlain},
		{"bar", false, false, progressBar}, {"none", true, false, progressNone}, {"plain", true, true, progressNone},
	} {
		a, _ := progressApp(tt.terminal)
		a.flags.progress.value, a.flags.quiet = tt.flag, tt.quiet
		if got := a.progressForm(); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}

func TestNoProgress(t *testing.T) {
	for name, prepare := range map[string]func() *app{
		"no terminal": func() *app { a, _ := progressApp(false); return a },
		"quiet":       func() *app { a, _ := progressApp(true); a.flags.quiet = true; return a },
		"none":        func() *app { a, _ := progressApp(true); a.flags.progress.value = progressNone; return a },
		"json":        func() *app { a, _ := progressApp(true); a.flags.json = true; return a },
	} {
		b := prepare().startProgress("copying", inBytes, 10)
		if b != nil {
			t.Errorf("%s: a bar", name)
		}
		// All of these do nothing, or pass through.
		b.add(1)
		b.set(1, 2)
		if r := strings.NewReader("x"); b.reader(r) != io.Reader(r) {
			t.Errorf("%s: the reader is wrapped", name)
		}
		if b.writer(io.Discard) != io.Discard {
			t.Errorf("%s: the writer is wrapped", name)
		}
		b.finish()
	}
}

func TestProgressStaysOnItsLine(t *testing.T) {
	escapes := regexp.MustCompile(`\x1b\[[0-9]*[A-Za-z]`)
	for _, width := range []int{10, 30, 45, 60, 79, 80, 200} {
		for _, total := range []int64{5 << 30, -1} {
			synctest.Test(t, func(t *testing.T) {
				a, screen := progressApp(true)
				columns := width
				a.sys.Columns = func(any) int { return columns }
				b := a.startProgress("import", inBytes, total)
				defer b.finish()
				for i := range 2000 {
					time.Sleep(time.Second)
					b.add(2_345_678)
					if i == 1500 {
						columns = max(width/2, 8) // someone makes the window smaller
						screen.Reset()
					}
				}
				longest := 0
				for line := range strings.SplitSeq(escapes.ReplaceAllString(screen.String(), ""), "\r") {
					longest = max(longest, utf8.RuneCountInString(line))
				}
				if longest == 0 || longest >= columns {
					t.Errorf("total %d, width %d: a line of %d in %d columns: %.300q", total, width, longest, columns, screen)
				}
				if width >= 30 && total > 0 && !strings.Contains(screen.String(), "import") {
					t.Errorf("in %d columns: %q", width, screen)
				}
			})
		}
	}
}
