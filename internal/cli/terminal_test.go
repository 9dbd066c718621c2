package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault"
)

// session runs commands on one vault, with streams that claim to be terminals or not.
type session struct {
	t                        *testing.T
	vault                    string
	env                      map[string]string
	inTerm, outTerm, errTerm bool
	columns                  int
}

type outcome struct {
	code     int
	out, err string
}

func newSession(t *testing.T) *session {
	return &session{t: t, vault: filepath.Join(t.TempDir(), "v.kv"), env: map[string]string{}}
}

func (s *session) run(stdin string, args ...string) outcome {
	s.t.Helper()
	return s.runContext(s.t.Context(), stdin, args...)
}

func (s *session) runContext(ctx context.Context, stdin string, args ...string) outcome {
	var out, errs bytes.Buffer
	in := strings.NewReader(stdin)
	code := Run(ctx, append([]string{"-f", s.vault}, args...), IO{
		In: in, Out: &out, Err: &errs,
		Getenv: func(name string) string { return s.env[name] },
		IsTerminal: func(stream any) bool {
			switch stream {
			case any(in):
				return s.inTerm
			case any(&out):
				return s.outTerm
			}
			return s.errTerm
		},
		Columns: func(any) int { return s.columns },
	})
	return outcome{code, out.String(), errs.String()}
}

// must runs a command that is to succeed.
func (s *session) must(stdin string, args ...string) outcome {
	s.t.Helper()
	o := s.run(stdin, args...)
	if o.code != 0 {
		s.t.Fatalf("kvault %q: exit code %d: %s", args, o.code, o.err)
	}
	return o
}

func TestBinaryAndTerminal(t *testing.T) {
	s := newSession(t)
	binary := "\x89PNG\r\n\x1a\n"
	s.must(binary, "put", "image")
	s.must("plain text\n", "put", "text")
	if o := s.must("", "get", "image"); o.out != binary {
		t.Errorf("into a pipe: %q", o.out)
	}
	s.outTerm = true
	if o := s.run("", "get", "image"); o.code != exitFailure || o.out != "" || !strings.Contains(o.err, "binary") {
		t.Errorf("onto a terminal: %+v", o)
	}
	if o := s.run("", "cat", "text", "image"); o.code != exitFailure || strings.Contains(o.out, "PNG") || !strings.Contains(o.err, `cat "image": the value is binary`) {
		t.Errorf("cat onto a terminal: %+v", o)
	}
	if o := s.must("", "cat", "image", "--force-binary"); o.out != binary {
		t.Errorf("cat --force-binary: %q", o.out)
	}
	if o := s.must("", "get", "text"); o.out != "plain text\n" {
		t.Errorf("text onto a terminal: %q", o.out)
	}
	if o := s.must("", "get", "image", "--range", "1-3"); o.out != "PNG" {
		t.Errorf("the textual part: %q", o.out)
	}
	for _, ask := range []string{"-", "--force-binary"} {
		if o := s.must("", "get", "image", ask); o.out != binary {
			t.Errorf("with %s: %q", ask, o.out)
		}
	}
	file := filepath.Join(t.TempDir(), "image.png")
	s.must("", "get", "image", file)
	if got, err := os.ReadFile(file); err != nil || string(got) != binary {
		t.Errorf("into a file: %q, %v", got, err)
	}
}

func TestLooksBinary(t *testing.T) {
	for in, want := range map[string]bool{
		"":                           false,
		"text\twith\r\nlines\f":      false,
		"日本":                         false,
		"cut in a rune: \xe6\x97":    false,
		"not UTF-8: \xff":            true,
		"\xe6 in the middle":         true,
		"NUL\x00":                    true,
		"escape \x1b[2J":             true,
		"a control character \u009b": true,
	} {
		if got := looksBinary([]byte(in)); got != want {
			t.Errorf("looksBinary(%q) = %v", in, got)
		}
	}
}

func TestKeysOnTerminal(t *testing.T) {
	s := newSession(t)
	for _, key := range []string{"folder/key", "ünï", "new\nline", "\x1b[31m", "bad\xff", `"quoted"`, "with space"} {
		s.must("", "put", key)
	}
	s.outTerm = true
	want := "\"\\x1b[31m\"\n\"\\\"quoted\\\"\"\n\"bad\\xff\"\n\x1b[1;34mfolder/\x1b[0m\n\"new\\nline\"\nwith space\nünï\n"
	if o := s.must("", "ls"); o.out != want {
		t.Errorf("ls: %q\nwant %q", o.out, want)
	}
	if o := s.must("", "ls", "-0"); !strings.Contains(o.out, "\x00new\nline\x00") {
		t.Errorf("ls -0: %q", o.out)
	}
	for name, value := range map[string]string{"NO_COLOR": "1", "TERM": "dumb"} {
		s.env = map[string]string{name: value}
		if o := s.must("", "ls"); !strings.Contains(o.out, "\nfolder/\n") {
			t.Errorf("ls with %s=%s: %q", name, value, o.out)
		}
	}
	s.outTerm = false
	if o := s.must("", "ls"); !strings.Contains(o.out, "\nbad\xff\n") {
		t.Errorf("ls into a pipe: %q", o.out)
	}
}

// What a vault or a directory from elsewhere holds must not control the terminal: not only keys are
// shown.
func TestNothingControlsTheTerminal(t *testing.T) {
	s := newSession(t)
	dir := t.TempDir()
	if err := os.Symlink("x", filepath.Join(dir, "\x1b[31mlink")); err != nil {
		t.Fatal(err)
	}
	s.must("x", "put", "k", "--type", "text/plain")
	olderType(t, s.vault, "text/\x1b[2Jplain")
	if o := s.must("", "stat", "k"); !strings.Contains(o.out, `"text/\x1b[2Jplain"`) {
		t.Errorf("stat into a pipe: %q", o.out)
	}
	s.outTerm, s.errTerm = true, true
	if o := s.must("", "stat", "k"); !strings.Contains(o.out, `"text/\x1b[2Jplain"`) {
		t.Errorf("stat: %q", o.out)
	}
	o := s.run("", "import", dir)
	if strings.Contains(o.err, "\x1b[31m") || !strings.Contains(o.err, "?[31mlink is a symbolic link") {
		t.Errorf("import: %q", o.err)
	}
}

// olderType gives all values a content type that an earlier version could store.
func olderType(t *testing.T, path, contentType string) {
	t.Helper()
	c, err := sqlite3.Open("file:" + filepath.ToSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(`UPDATE kvault SET type = ` + sqlite3.Quote(contentType) + `; DELETE FROM kvault_kvforeign`); err != nil {
		t.Fatal(err)
	}
}

func TestRemovePrefixAsks(t *testing.T) {
	s := newSession(t)
	s.inTerm, s.errTerm = true, true
	for _, key := range []string{"p/1", "p/2", "q"} {
		s.must("", "put", key)
	}
	for _, no := range []string{"n\n", "\n", "", "maybe\n"} {
		o := s.run(no, "rm", "--prefix", "p/")
		if o.code != exitFailure || !strings.Contains(o.err, `Delete 2 keys beginning with "p/"? [y/N] `) {
			t.Errorf("answer %q: %+v", no, o)
		}
	}
	s.must("", "exists", "p/1")
	s.must("y\n", "rm", "--prefix", "p/")
	if o := s.must("", "ls"); o.out != "q\n" {
		t.Errorf("left: %q", o.out)
	}
	if o := s.run("n\n", "rm", "--glob", "*"); !strings.Contains(o.err, "  q\nDelete 1 key matching \"*\"?") {
		t.Errorf("what a pattern matches is not shown: %+v", o)
	}
	if o := s.must("YES\n", "rm", "--all"); !strings.Contains(o.err, "1 key (all there are)") {
		t.Errorf("all: %+v", o)
	}
}

func TestPutFromTerminalSaysSo(t *testing.T) {
	s := newSession(t)
	s.inTerm = true
	if o := s.must("typed", "put", "k"); !strings.Contains(o.err, "Ctrl-D") {
		t.Errorf("no hint: %+v", o)
	}
	if o := s.must("typed", "put", "k", "--quiet"); o.err != "" {
		t.Errorf("quiet: %+v", o)
	}
}

// What is deleted is what was shown: a key that comes in between is not.
func TestRemoveOnlyWhatWasShown(t *testing.T) {
	ctx := t.Context()
	v, err := kvault.Open(ctx, ":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for _, change := range []func() error{
		func() error { return v.Put(ctx, "p/new", nil) },
		func() error { return v.Put(ctx, "p/old", []byte("changed")) },
		func() error { _, err := v.Delete(ctx, "p/old"); return err },
	} {
		if err := v.Put(ctx, "p/old", []byte("old")); err != nil {
			t.Fatal(err)
		}
		g, err := parseGlob("glob", "p/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []selection{{}, {prefix: "p/"}, {glob: g}} {
			shown, err := s.digest(ctx, v, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := change(); err != nil {
				t.Fatal(err)
			}
			before, _ := v.Len(ctx)
			if n, err := deleteSelected(ctx, v, s, &shown); err == nil && n > 0 {
				t.Errorf("deleted %d keys that were not shown", n)
			}
			if after, _ := v.Len(ctx); after != before {
				t.Errorf("%d keys of %d are left", after, before)
			}
			if _, err := v.Clear(ctx); err != nil {
				t.Fatal(err)
			}
			if err := v.Put(ctx, "p/old", []byte("old")); err != nil {
				t.Fatal(err)
			}
		}
	}
}
