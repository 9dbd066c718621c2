package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kohakuvault/kvault"
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
