package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// A value that is open for reading is read on from the rebuilt file. Nobody waits for one that was
// replaced: whoever calls Optimize may be the one who holds it.
func TestOptimizeBesideOpenBlobs(t *testing.T) {
	for _, key := range []string{"row", "chunks"} {
		for name, replaced := range map[string]bool{"still there": false, "replaced": true} {
			t.Run(key+" "+name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "v.kv")
				s := open(t, path, &sqlite.Options{OneRowLimit: 4 << 20, BusyTimeout: time.Hour})
				values := map[string][]byte{"row": noise(3 << 20), "chunks": noise(9 << 20)}
				for key, value := range values {
					put(t, s, key, value)
				}
				put(t, s, "unused", noise(4<<20))
				b := must[engine.Blob](t)(s.Open(t.Context(), key))
				defer b.Close()
				start := make([]byte, 1<<20)
				must[int](t)(b.ReadAt(t.Context(), start, 0))
				if replaced {
					put(t, s, key, nil)
				}
				must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{{Kind: engine.Delete, Key: "unused"}}))

				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := s.Optimize(ctx, nil); err != nil {
					t.Fatal(err)
				}
				if ctx.Err() != nil {
					t.Error("it waited for the blob until its context ended")
				}
				log, err := os.Stat(path + "-wal")
				if err != nil {
					t.Fatal(err)
				}
				if stats := must[engine.Stats](t)(s.Stats(t.Context())); !replaced && (log.Size() > 0 || stats.FileBytes > 13<<20) {
					t.Errorf("the log has %d bytes, the file %d", log.Size(), stats.FileBytes)
				}
				rest := make([]byte, len(values[key])-len(start))
				must[int](t)(b.ReadAt(t.Context(), rest, int64(len(start))))
				if !bytes.Equal(append(start, rest...), values[key]) {
					t.Error("the blob reads something else")
				}
			})
		}
	}
}

// tightVFS is a file system with little room for logs and temporary files.
type tightVFS struct{ vfs.VFSFilename }

const tightRoom = 600_000

func (v tightVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, out, err := v.VFSFilename.OpenFilename(name, flags)
	if err == nil && flags&(vfs.OPEN_MAIN_DB|vfs.OPEN_MAIN_JOURNAL) == 0 {
		f = tightFile{f}
	}
	return f, out, err
}

type tightFile struct{ vfs.File }

func (f tightFile) WriteAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > tightRoom {
		return 0, sqlite3.FULL
	}
	return f.File.WriteAt(p, off)
}

func init() { vfs.Register("tight", tightVFS{vfs.Find("os").(vfs.VFSFilename)}) }

// What was removed becomes room on a disk that has none for a copy of the vault.
func TestOptimizeOnDiskThatIsAlmostFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, nil)
	values := map[string][]byte{}
	for i := range 8 {
		key := string(rune('a' + i))
		values[key] = append(noise(1<<20), byte(i))
		put(t, s, key, values[key])
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, (&sqlite.Options{}).On("tight"))
	if err := s.Optimize(t.Context(), nil); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("with nothing to give back: %v", err)
	}
	for _, key := range []string{"a", "c"} {
		must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{{Kind: engine.Delete, Key: key}}))
		delete(values, key)
	}
	before := must[engine.Stats](t)(s.Stats(t.Context()))
	if err := s.Optimize(t.Context(), nil); err != nil {
		t.Error(err)
	}
	after := must[engine.Stats](t)(s.Stats(t.Context()))
	if gone := before.FileBytes - after.FileBytes; gone < 2<<20 || after.FreeBytes > 0 {
		t.Errorf("%d bytes given back, %d are still free", gone, after.FreeBytes)
	}
	for key, value := range values {
		if got := must[[]byte](t)(s.Get(t.Context(), key)); !bytes.Equal(got, value) {
			t.Errorf("%s reads back different", key)
		}
	}
	sound(t, s, path)
}
