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

func TestBackup(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "v.kv"), &sqlite.Options{OneRowLimit: 1 << 20})
	put(t, s, "small", []byte("v"))
	put(t, s, "big", noise(3<<20))
	to := filepath.Join(dir, "copy.kv")
	wrote := false
	if err := s.Backup(t.Context(), to, func(done, total int64) {
		if !wrote {
			wrote = true
			put(t, s, "later", noise(1<<20)) // a writer in the middle of it
		}
		if done < 0 || done > total {
			t.Errorf("progress %d of %d", done, total)
		}
	}); err != nil {
		t.Fatal(err)
	}
	c := open(t, to, nil)
	if n := must[int64](t)(c.Count(t.Context(), engine.Range{})); n != 2 {
		t.Errorf("%d keys in the copy, want the 2 that were there when it began", n)
	}
	if err := c.Check(t.Context(), func(p engine.Problem) { t.Errorf("%+v", p) }, nil); err != nil {
		t.Error(err)
	}
	if err := s.Backup(t.Context(), to, nil); !errors.Is(err, engine.ErrExists) {
		t.Errorf("onto a file: %v", err)
	}
	if err := s.Backup(t.Context(), filepath.Join(dir, "none", "x"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("into no folder: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Backup(ctx, filepath.Join(dir, "half.kv"), func(int64, int64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "half*"))
	if err != nil || len(left) > 0 {
		t.Errorf("a cancelled backup left %v", left)
	}
}

func TestShrink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &sqlite.Options{OneRowLimit: 1 << 20})
	put(t, s, "keep", []byte("v"))
	put(t, s, "big", noise(20<<20))
	if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Delete, Key: "big"}}); err != nil {
		t.Fatal(err)
	}
	n := must[int64](t)(s.Shrink(t.Context(), time.Minute))
	if n < 19<<20 {
		t.Errorf("gave back %d bytes", n)
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 2<<20 {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
	python := filepath.Join(t.TempDir(), "py.db")
	foreign(t, python, foreignSchemas[0].sql...)
	p := open(t, python, nil)
	if _, err := p.Shrink(t.Context(), time.Second); !errors.Is(err, engine.ErrUnsupported) {
		t.Errorf("without auto-vacuum: %v", err)
	}
	if err := p.Optimize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Shrink(t.Context(), time.Second); err != nil {
		t.Errorf("after Optimize: %v", err)
	}
}

// A value that is open for reading is read on from the rebuilt file. Nobody waits for one that was
// replaced: whoever calls Optimize may be the one who holds it.
func TestOptimizeBesideOpenBlobs(t *testing.T) {
	t.Parallel()
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

func TestStatsOfLargeValues(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "v.kv"), &sqlite.Options{PageSize: 1024, OneRowLimit: 3000})
	write := func(chunks int) engine.Stage {
		st := must[engine.Stage](t)(s.Stage(t.Context(), engine.StageOptions{ChunkSize: 4096, Size: int64(chunks) * 4096}))
		for range chunks {
			if err := st.WriteChunk(t.Context(), make([]byte, 4096)); err != nil {
				t.Fatal(err)
			}
		}
		return st
	}
	must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "small", Value: []byte("12345")}}))
	must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "large", Staged: write(3)}}))
	unfinished := write(2)
	got := must[engine.Stats](t)(s.Stats(t.Context()))
	if got.Staged != 1 || got.StagedBytes != 2*4096 {
		t.Errorf("%d unfinished of %d bytes", got.Staged, got.StagedBytes)
	}
	if err := unfinished.Abort(); err != nil {
		t.Fatal(err)
	}
}
