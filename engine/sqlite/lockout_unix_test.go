//go:build unix

package sqlite_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// One who may read a vault but not write it makes nothing in its folder, even where that may be
// written: the files would be of another user, and the vault's owner could not write while they are
// there.
func TestReaderMakesNoLogOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "v.kv")
	s := open(t, path, nil)
	put(t, s, "k", []byte("value"))
	log, index := must[[]byte](t)(os.ReadFile(path+"-wal")), must[[]byte](t)(os.ReadFile(path+"-shm"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, beside := range map[string]map[string][]byte{
		"nothing": nil, "a log": {"-wal": log}, "an empty log": {"-wal": {}}, "shared memory": {"-shm": index}, "both": {"-wal": log, "-shm": index},
	} {
		t.Run(name, func(t *testing.T) { testReaderMakesNothing(t, path, beside) })
	}
}

func testReaderMakesNothing(t *testing.T, path string, beside map[string][]byte) {
	dir := filepath.Dir(path)
	for suffix, data := range beside {
		write(t, path+suffix, data)
		defer os.Remove(path + suffix)
	}
	readOnlyFolder(t, dir)
	asOwner(t, func() error { return os.Chmod(dir, 0o777) })
	for _, o := range []*sqlite.Options{{ReadOnly: true, BusyTimeout: -1}, {BusyTimeout: -1}} {
		s, err := sqlite.Open(t.Context(), path, o)
		if err == nil && o.ReadOnly {
			_, err = s.Get(t.Context(), "k")
		}
		switch refused := !o.ReadOnly || len(beside["-wal"]) > 0 && beside["-shm"] == nil; {
		case refused && !errors.Is(err, engine.ErrReadOnly) && !errors.Is(err, fs.ErrPermission):
			t.Errorf("read-only %t: %v, want that it may not", o.ReadOnly, err)
		case !refused && err != nil:
			t.Errorf("read-only %t: %v", o.ReadOnly, err)
		}
		if files := must[[]fs.DirEntry](t)(os.ReadDir(dir)); len(files) != 1+len(beside) {
			t.Errorf("read-only %t: files in the folder: %v", o.ReadOnly, files)
		}
		if s != nil {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if files := must[[]fs.DirEntry](t)(os.ReadDir(dir)); len(files) != 1+len(beside) {
			t.Errorf("read-only %t: closed, and in the folder: %v", o.ReadOnly, files)
		}
	}
}

// asOwner runs fn as the user that the test is run by: only the goroutine of the test has become
// another.
func asOwner(t *testing.T, fn func() error) {
	t.Helper()
	done := make(chan error)
	go func() { done <- fn() }()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
