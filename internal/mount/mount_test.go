//go:build fuse && (linux || darwin)

package mount

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
	"go.uber.org/goleak"

	"github.com/kohakuvault/kvault"
)

// No test leaves a goroutine of a mount or a vault behind. The tests use their own mounts, so they
// wait as the library asks for.
func TestMain(m *testing.M) {
	waitMount = (*fuse.Server).WaitMount
	goleak.VerifyTestMain(m)
}

func open(t *testing.T, path string, o *kvault.Options) *kvault.Vault {
	t.Helper()
	v, err := kvault.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

func put(t *testing.T, v *kvault.Vault, key, value string) {
	t.Helper()
	if err := v.Put(t.Context(), key, []byte(value)); err != nil {
		t.Fatal(err)
	}
}

// server is a mount of a test.
type server struct {
	dir   string
	stop  context.CancelFunc
	ended chan error // what Serve returned

	mu     sync.Mutex
	failed []error
}

// serve mounts v until the test ends.
func serve(t *testing.T, v *kvault.Vault) *server {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	s := &server{dir: t.TempDir(), stop: stop, ended: make(chan error, 1)}
	ready := make(chan struct{})
	go func() {
		s.ended <- Serve(ctx, v, s.dir, Options{Ready: func() { close(ready) }, Failed: s.note})
		close(s.ended)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-s.ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-s.ended:
		t.Fatal(err)
	}
	return s
}

func (s *server) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = append(s.failed, err)
}

// failures returns what was reported so far, and forgets it.
func (s *server) failures() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.failed = nil }()
	return s.failed
}

func (s *server) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// run runs a program and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func TestUnmountedByAnother(t *testing.T) {
	v := open(t, ":memory:", nil)
	put(t, v, "k", "value")
	s := serve(t, v)
	run(t, "umount", s.dir)
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(s.dir); err != nil || len(entries) != 0 {
		t.Errorf("the directory has %v, %v", entries, err)
	}
}

// A stop frees the directory even if files in it are open. What was read of them stays readable,
// and the rest fails.
func TestStopWithOpenFiles(t *testing.T) {
	v := open(t, ":memory:", nil)
	put(t, v, "big", strings.Repeat("x", 5<<20))
	s := serve(t, v)
	f, err := os.Open(s.path("big"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := make([]byte, 4096)
	if _, err := f.ReadAt(p, 0); err != nil {
		t.Error(err)
	}
	s.stop()
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
	_, err = f.ReadAt(p, 4<<20)
	if !errors.Is(err, syscall.EIO) && !errors.Is(err, syscall.ENOTCONN) {
		t.Errorf("reading goes on: %v", err)
	}
	if entries, err := os.ReadDir(s.dir); err != nil || len(entries) != 0 {
		t.Errorf("the directory has %v, %v", entries, err)
	}
	if failed := s.failures(); failed != nil {
		t.Errorf("a stop is reported: %v", failed)
	}
}

func TestRefusedDirectories(t *testing.T) {
	v := open(t, ":memory:", nil)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "full", "file"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir, text string
		kind      error
	}{
		{filepath.Join(dir, "none"), "make it with mkdir", fs.ErrNotExist},
		{filepath.Join(dir, "file"), "not a directory", syscall.ENOTDIR},
		{filepath.Join(dir, "full"), "not empty", nil},
		{serve(t, v).dir, "mounted there already", nil},
	} {
		err := Serve(t.Context(), v, c.dir, Options{Ready: func() { t.Errorf("%s is mounted", c.dir) }})
		if err == nil || !strings.Contains(err.Error(), c.text) ||
			!strings.Contains(err.Error(), c.dir) || c.kind != nil && !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", c.dir, err)
		}
	}
}

// Every way to change a mount fails with EROFS.
func TestWrites(t *testing.T) {
	v := open(t, ":memory:", nil)
	put(t, v, "folder/k", "value")
	s := serve(t, v)
	value, dir, other := s.path("folder/k"), s.path("folder"), s.path("other")
	openAs := func(name string, flags int) error {
		f, err := os.OpenFile(name, flags, 0o666)
		if err == nil {
			f.Close()
		}
		return err
	}
	for name, err := range map[string]error{
		"open to write":    openAs(value, os.O_WRONLY),
		"open to change":   openAs(value, os.O_RDWR),
		"open to append":   openAs(value, os.O_WRONLY|os.O_APPEND),
		"open to truncate": openAs(value, os.O_WRONLY|os.O_TRUNC),
		"create":           openAs(other, os.O_WRONLY|os.O_CREATE),
		"truncate":         os.Truncate(value, 0),
		"remove":           os.Remove(value),
		"remove a folder":  syscall.Rmdir(dir),
		"rename":           os.Rename(value, other),
		"rename a folder":  os.Rename(dir, other),
		"link":             os.Link(value, other),
		"symlink":          os.Symlink(value, other),
		"mkdir":            os.Mkdir(other, 0o777),
		"mkfifo":           syscall.Mkfifo(other, 0o666),
		"chmod":            os.Chmod(value, 0o777),
		"chown":            os.Chown(value, os.Getuid(), os.Getgid()),
		"utimes":           syscall.Utimes(value, make([]syscall.Timeval, 2)),
	} {
		if !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := v.Get(t.Context(), "folder/k"); err != nil || string(got) != "value" {
		t.Errorf("the value is %q, %v", got, err)
	}
	// Should root mount the directory anew for writing, the requests arrive here.
	root := &folder{}
	unlink, rmdir := root.Unlink(t.Context(), "k"), root.Rmdir(t.Context(), "k")
	if unlink != syscall.EROFS || rmdir != syscall.EROFS {
		t.Error(unlink, rmdir)
	}
	if _, _, errno := (&file{}).Open(t.Context(), syscall.O_RDWR); errno != syscall.EROFS {
		t.Error(errno)
	}
}
