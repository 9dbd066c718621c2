package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// answering is standard input whose answer comes after something has happened.
type answering struct {
	first  func()
	answer *strings.Reader
}

func (r *answering) Read(p []byte) (int, error) {
	if r.first != nil {
		r.first()
		r.first = nil
	}
	return r.answer.Read(p)
}

// asked runs a command on terminals, and has first run before it answers the question with yes.
func (s *session) asked(ctx context.Context, first func(), args ...string) outcome {
	var out, errs strings.Builder
	code := Run(ctx, append([]string{"-f", s.vault}, args...), IO{
		In: &answering{first, strings.NewReader("y\n")}, Out: &out, Err: &errs,
		Getenv: func(string) string { return "" }, IsTerminal: func(any) bool { return true },
	})
	return outcome{code, out.String(), errs.String()}
}

// syncTree makes a directory of the files a and b.
func syncTree(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "tree")
	for _, name := range []string{"a", "b"} {
		writeFileBelow(t, dir, name)
	}
	return dir
}

func writeFileBelow(t *testing.T, dir, name string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(name), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestSyncAsks(t *testing.T) {
	s, dir := newSession(t), syncTree(t)
	s.inTerm, s.errTerm = true, true
	s.must("", "sync", dir, "p", "--delete")
	s.must("v", "put", "p/gone\x1b")
	for _, no := range []string{"n\n", "\n", "", "maybe\n"} {
		o := s.run(no, "sync", dir, "p", "--delete")
		question := "  \"p/gone\\x1b\"\nDelete 1 key that the source does not have? [y/N] "
		if o.code != exitFailure || !strings.Contains(o.err, question) ||
			!strings.HasSuffix(o.err, "kvault: nothing was deleted\n") {
			t.Errorf("answer %q: %+v", no, o)
		}
	}
	s.must("", "exists", "p/gone\x1b")
	o := s.must("y\n", "sync", dir, "p", "--delete")
	if !strings.Contains(o.err, "2 unchanged, 1 deleted, in") {
		t.Errorf("%+v", o)
	}
	if o := s.must("", "ls", "-r"); o.out != "p/a\np/b\n" {
		t.Errorf("left: %q", o.out)
	}
	writeFileBelow(t, dir, "gone")
	if o := s.run("n\n", "sync", dir, "p", "--back", "--delete"); o.code != exitFailure ||
		!strings.Contains(o.err, "  p/gone\nDelete 1 file that the source does not have? [y/N] ") {
		t.Errorf("back: %+v", o)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if o := s.asked(ctx, cancel, "sync", dir, "p", "--back", "--delete"); o.code != exitInterrupted {
		t.Errorf("interrupted: %+v", o)
	}
	if _, err := os.Stat(filepath.Join(dir, "gone")); err != nil {
		t.Error(err)
	}
	s.must("y\n", "sync", dir, "p", "--back", "--delete")
	if _, err := os.Stat(filepath.Join(dir, "gone")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestSyncDeletesOnlyWhatWasShown: what changes or appears while the question is open stays.
func TestSyncDeletesOnlyWhatWasShown(t *testing.T) {
	s, dir := newSession(t), syncTree(t)
	s.must("", "sync", dir, "p")
	for _, key := range []string{"p/changed", "p/file", "p/gone", "p/shown"} {
		s.must("v", "put", key)
	}
	o := s.asked(t.Context(), func() {
		s.must("other", "put", "p/changed")
		s.must("v", "put", "p/appeared")
		s.must("", "rm", "p/gone")
		writeFileBelow(t, dir, "file")
	}, "sync", dir, "p", "--delete")
	if o.code != 0 || !strings.Contains(o.err, "Not deleted: 3 keys that changed after") ||
		!strings.Contains(o.err, "1 deleted, in") {
		t.Errorf("%+v", o)
	}
	if o := s.must("", "ls", "-r"); o.out != "p/a\np/appeared\np/b\np/changed\np/file\n" {
		t.Errorf("left: %q", o.out)
	}

	for _, name := range []string{"changed2", "key", "lost", "shown/in/it"} {
		writeFileBelow(t, dir, name)
	}
	o = s.asked(t.Context(), func() {
		if err := os.WriteFile(filepath.Join(dir, "changed2"), []byte("other"), 0o666); err != nil {
			t.Error(err)
		}
		s.must("v", "put", "p/key")
		writeFileBelow(t, dir, "late")
		if err := os.Remove(filepath.Join(dir, "lost")); err != nil {
			t.Error(err)
		}
	}, "sync", dir, "p", "--back", "--delete")
	if o.code != 0 || !strings.Contains(o.err, "Not deleted: 3 files that") {
		t.Errorf("%+v", o)
	}
	for name, want := range map[string]bool{
		"changed2": true, "key": true, "late": true, "lost": false, "shown": false, "a": true,
	} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// firstWrite is standard output that calls first before the first thing is written.
type firstWrite struct {
	strings.Builder
	first func()
}

func (w *firstWrite) Write(p []byte) (int, error) {
	if w.first != nil {
		w.first()
		w.first = nil
	}
	return w.Builder.Write(p)
}

// TestSyncKeepsWhatAppears: keys that others put while files are stored stay.
func TestSyncKeepsWhatAppears(t *testing.T) {
	s, dir := newSession(t), syncTree(t)
	for i := range 100 {
		writeFileBelow(t, dir, fmt.Sprintf("c%02d", i))
	}
	writeFileBelow(t, dir, "z")
	many := t.TempDir()
	for i := range 1500 { // the listing reads them in several pages
		writeFileBelow(t, many, fmt.Sprintf("m%04d", i))
	}
	s.must("", "import", many, "p")
	out := &firstWrite{first: func() { s.must("v", "put", "p/n") }}
	sys := System()
	sys.Out, sys.Err = out, &strings.Builder{}
	a := newApp(sys)
	a.batch = batchLimits{items: 1, bytes: 1}
	a.out = bufio.NewWriterSize(out, 1) // a line is longer and so goes through at once
	args := []string{"-f", s.vault, "sync", dir, "p", "--delete", "--yes", "-v"}
	if code := a.run(t.Context(), args); code != 0 {
		t.Fatalf("exit code %d: %s", code, sys.Err)
	}
	told := out.String()
	if strings.Count(told, "deleted p/m") != 1500 || strings.Contains(told, "deleted p/n") {
		t.Errorf("%.2000s", out)
	}
	s.must("", "exists", "p/n")
}

// TestSyncOfAnotherDirectory: nothing is deleted if the directory is removed or replaced, as by a
// disk that is no longer mounted.
func TestSyncOfAnotherDirectory(t *testing.T) {
	for _, again := range []bool{false, true} {
		s, dir := newSession(t), syncTree(t)
		s.must("", "sync", dir, "p")
		s.must("v", "put", "p/gone")
		o := s.asked(t.Context(), func() {
			if err := os.Rename(dir, dir+"-unmounted"); err != nil {
				t.Error(err)
			}
			if again {
				writeFileBelow(t, dir, "other")
			}
		}, "sync", dir, "p", "--delete")
		want := "is no longer the directory that was read: nothing was deleted"
		if o.code != exitFailure || !strings.Contains(o.err, want) {
			t.Errorf("%+v", o)
		}
		s.must("", "exists", "p/gone")
	}
}
