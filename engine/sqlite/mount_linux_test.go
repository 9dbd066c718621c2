package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// A single file that is mounted elsewhere has a log at either place, a folder has one.
func TestMountedFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	path, inside := filepath.Join(dir, "host", "v.kv"), filepath.Join(dir, "inside")
	if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o777), os.Mkdir(inside, 0o777)); err != nil {
		t.Fatal(err)
	}
	open(t, path, nil).Close()
	file := filepath.Join(inside, "v.kv")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(path, file, "", syscall.MS_BIND, ""); err != nil {
		t.Skip("cannot mount here: ", err)
	}
	for _, o := range []*sqlite.Options{nil, {ReadOnly: true}} {
		s, err := sqlite.Open(t.Context(), file, o)
		if !errors.Is(err, engine.ErrInvalid) || !strings.Contains(err.Error(), "mount the folder") {
			t.Errorf("%+v: %v", o, err)
		}
		if err == nil {
			s.Close()
		}
	}
	if err := syscall.Unmount(file, 0); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(filepath.Dir(path), inside, "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(inside, syscall.MNT_DETACH)
	s := open(t, file, nil)
	put(t, s, "k", nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
