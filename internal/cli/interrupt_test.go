package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/mem"
)

func TestInterruptWhileWaitingForInput(t *testing.T) {
	s := newSession(t)
	s.must("old", "put", "k")
	ctx, cancel := context.WithCancel(t.Context())
	in, w := io.Pipe()
	go func() {
		// The whole of what is written was taken: from now on the command waits for more.
		if _, err := w.Write([]byte("half a value")); err != nil {
			t.Error(err)
		}
		cancel()
	}()
	var errs strings.Builder
	code := Run(ctx, []string{"-f", s.vault, "put", "k"}, IO{
		In: in, Out: io.Discard, Err: &errs,
		Getenv: func(string) string { return "" }, IsTerminal: func(any) bool { return false },
	})
	if code != exitInterrupted || errs.String() != "kvault: interrupted\n" {
		t.Errorf("exit code %d, %q", code, errs.String())
	}
	if o := s.must("", "get", "k"); o.out != "old" {
		t.Errorf("the value is %q", o.out)
	}
}

func TestInterruptedBefore(t *testing.T) {
	s := newSession(t)
	s.must("v", "put", "k")
	dir := filepath.Join(t.TempDir(), "tree")
	if err := makeTree(dir); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{
		{"put", "k"}, {"get", "k"}, {"cat", "k"}, {"ls"}, {"find"}, {"du"}, {"tree"}, {"meta", "k"}, {"stat", "k"}, {"exists", "k"}, {"rm", "k"}, {"mv", "k", "l"}, {"cp", "k", "l"},
		{"import", dir}, {"diff", dir, "."}, {"verify", dir, "."}, {"export", "", filepath.Join(t.TempDir(), "out")},
		{"sync", dir, "p"}, {"sync", dir, ".", "--back"}, {"sync", dir, "p", "--delete", "--yes"},
		{"optimize"}, {"check"}, {"backup", filepath.Join(t.TempDir(), "copy")}, {"info"}, {"tables"},
	} {
		if o := s.runContext(ctx, "new", args...); o.code != exitInterrupted || o.err != "kvault: interrupted\n" {
			t.Errorf("%q: %+v", args, o)
		}
	}
	if o := s.must("", "get", "k"); o.out != "v" {
		t.Errorf("the value is %q", o.out)
	}
}

// failAfter is a store whose writes and reads fail, or are interrupted, after some.
type failAfter struct {
	engine.Transactor
	left atomic.Int64
	fail func() error
}

func (f *failAfter) Apply(ctx context.Context, ops []engine.Op) ([]engine.Result, error) {
	if f.left.Add(-1) < 0 {
		return nil, f.fail()
	}
	return f.Transactor.Apply(ctx, ops)
}

func (f *failAfter) Open(ctx context.Context, key string) (engine.Blob, error) {
	if f.left.Add(-1) < 0 {
		return nil, f.fail()
	}
	return f.Transactor.Open(ctx, key)
}

// A tree that is carried over in part is no loss: how far it came is told, and how to go on.
func TestUnfinished(t *testing.T) {
	dir := t.TempDir()
	for i := range 20 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte("12345"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		err  error // nil is an interrupt
		code int
		want string
	}{
		"interrupted": {nil, exitInterrupted, `^kvault: interrupted\nBefore that, \d+ files were VERB \(\d+ B\): run the same command again to go on\.\n$`},
		"full":        {syscall.ENOSPC, exitFailure, `(?s)no space left.*\nBefore that, \d+ files were VERB \(\d+ B\): free some space, then run the same command again to go on\.\n$`},
	} {
		for verb, args := range map[string][]string{"imported": {"import", dir}, "exported": {"export", "", filepath.Join(t.TempDir(), "out")}} {
			t.Run(name+" "+verb, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				store := &failAfter{Transactor: mem.New(), fail: func() error { cancel(); return cmp.Or(tt.err, ctx.Err()) }}
				if tt.err != nil {
					store.fail = func() error { return &kvault.IOError{Op: "write", Err: tt.err} }
				}
				if verb == "exported" {
					for i := range 20 {
						if _, err := store.Transactor.Apply(ctx, []engine.Op{{Kind: engine.Put, Key: fmt.Sprint(i), Value: []byte("12345")}}); err != nil {
							t.Fatal(err)
						}
					}
				}
				store.left.Store(3)
				if verb == "exported" { // the other workers may have as many files in hand when one fails
					store.left.Store(treeWorkers + 1)
				}
				a, errs := memApp(store)
				a.batch = batchLimits{items: 3, bytes: 1 << 20}
				want := strings.ReplaceAll(tt.want, "VERB", verb)
				if code := a.run(ctx, append([]string{"-f", "v"}, args...)); code != tt.code || !regexp.MustCompile(want).MatchString(errs.String()) {
					t.Errorf("exit code %d: %s", code, errs)
				}
			})
		}
	}
}

func TestExitCode(t *testing.T) {
	wrap := func(err error) error { return &kvault.Error{Op: "op", Key: "k", Err: fmt.Errorf("wrapped: %w", err)} }
	for _, tt := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("any"), exitFailure},
		{usagef("bad"), exitUsage},
		{wrap(kvault.ErrNotFound), exitNotFound},
		{wrap(kvault.ErrNoVault), exitNoVault},
		{wrap(kvault.ErrBusy), exitBusy},
		{wrap(kvault.ErrCorrupt), exitCorrupt},
		{wrap(kvault.ErrExists), exitFailure},
		{wrap(os.ErrNotExist), exitFailure},
		{&kvault.IOError{Op: "write target", Err: syscall.EPIPE}, exitPipe},
		{errors.Join(wrap(kvault.ErrBusy), errors.New("and closing failed")), exitBusy},
	} {
		if got := exitCode(t.Context(), tt.err); got != tt.want {
			t.Errorf("exitCode(%v) = %d, want %d", tt.err, got, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := exitCode(ctx, nil); got != 0 {
		t.Errorf("interrupted after the work was done: %d", got)
	}
}

func TestBrokenOutput(t *testing.T) {
	s := newSession(t)
	s.must("v", "put", "k")
	for _, tt := range []struct {
		err  error
		code int
		text string
	}{
		{syscall.EPIPE, exitPipe, ""},
		{syscall.ENOSPC, exitFailure, "kvault: no space left on device\n"},
	} {
		var errs strings.Builder
		code := Run(t.Context(), []string{"-f", s.vault, "ls"}, IO{
			In: strings.NewReader(""), Out: brokenWriter{tt.err}, Err: &errs,
			Getenv: func(string) string { return "" }, IsTerminal: func(any) bool { return false },
		})
		if code != tt.code || errs.String() != tt.text {
			t.Errorf("%v: exit code %d, %q", tt.err, code, errs.String())
		}
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }
