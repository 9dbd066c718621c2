package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/faultfs"
)

// onFailingDisk opens a vault whose syncs can be made to fail. cut opens what a power cut would
// leave of it.
func onFailingDisk(t *testing.T, o Options) (s *Store, failSync func(suffix string), cut func() *Store) {
	path, name := filepath.Join(t.TempDir(), "v.kv"), t.Name()
	disk := faultfs.NewDisk(name, nil, func(*faultfs.Still) {})
	t.Cleanup(func() { faultfs.Drop(name) })
	o.vfs = name
	s = openVault(t, path, &o)
	cut = func() *Store {
		t.Helper()
		var left map[string][]byte
		disk.Still(func(st *faultfs.Still) { left = st.Files(faultfs.Cut{}, rand.New(rand.NewPCG(1, 1))) })
		return openLeft(t, path, left)
	}
	return s, func(suffix string) { disk.FailSync(path + suffix) }, cut
}

func wantKeys(t *testing.T, s *Store, n int) {
	t.Helper()
	if keys, err := s.List(t.Context(), engine.Query{Limit: 1000}); err != nil || len(keys.Items) != n {
		t.Errorf("%d keys, want %d (%v)", len(keys.Items), n, err)
	}
	if err := s.Check(t.Context(), func(p engine.Problem) { t.Error(p) }, nil); err != nil {
		t.Error(err)
	}
}

// A commit whose sync failed takes none with it that is acknowledged later: chunks before it, which
// need no sync of their own, are synced with the commit that publishes them.
func TestSyncOfLogFails(t *testing.T) {
	s, failSync, cut := onFailingDisk(t, Options{PageSize: 1024, OneRowLimit: 8000, Full: true})
	apply(t, s, engine.Op{Kind: engine.Put, Key: "before", Value: filled('b', 2000)})
	sg, err := s.Stage(t.Context(), engine.StageOptions{ChunkSize: 3000, Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := sg.WriteChunk(t.Context(), bytes.Repeat([]byte{7}, 3000)); err != nil {
			t.Fatal(err)
		}
	}
	failSync("-wal")
	if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "failed", Value: filled('f', 2000)}}); err == nil {
		t.Fatal("a sync that fails is not told")
	}
	apply(t, s, engine.Op{Kind: engine.Put, Key: "after", Value: filled('a', 2000)})
	wantKeys(t, cut(), 2)
	apply(t, s, engine.Op{Kind: engine.Put, Key: "staged", Staged: sg})
	wantKeys(t, cut(), 3)
}

// What another program commits behind a sync that failed here, of which it knows nothing, is
// durable once this store has written again. A store that refused to write would leave the gap
// before it.
func TestRepairCoversOtherPrograms(t *testing.T) {
	path, name := filepath.Join(t.TempDir(), "v.kv"), t.Name()
	disk := faultfs.NewDisk(name, nil, func(*faultfs.Still) {})
	vfs.Register(name+"-other", disk) // SQLite on the same disk, without package walvfs
	t.Cleanup(func() { faultfs.Drop(name); faultfs.Drop(name + "-other") })
	s := openVault(t, path, &Options{OneRowLimit: 8000, Full: true, vfs: name})
	other, err := driver.Open(t.Context(), driver.Config{Path: path, VFS: name + "-other"})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	sg, err := s.Stage(t.Context(), engine.StageOptions{ChunkSize: 3000, Size: -1})
	for range 5 {
		err = errors.Join(err, sg.WriteChunk(t.Context(), filled('c', 3000))) // not synced
	}
	if err != nil {
		t.Fatal(err)
	}
	disk.FailSync(path + "-wal")
	if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "refused", Value: filled('f', 2000)}}); err == nil {
		t.Fatal("a sync that fails is not told")
	}
	if err := other.Exec(`PRAGMA fullfsync=1; PRAGMA synchronous=FULL; CREATE TABLE other(x)`); err != nil {
		t.Fatal(err)
	}
	apply(t, s, engine.Op{Kind: engine.Put, Key: "after", Value: filled('a', 2000)})
	var left map[string][]byte
	disk.Still(func(st *faultfs.Still) { left = st.Files(faultfs.Cut{}, rand.New(rand.NewPCG(1, 1))) })
	after := openLeft(t, path, left)
	wantKeys(t, after, 1)
	err = after.read(t.Context(), after.reads, true, func(ses *session) error {
		names, err := texts(ses.c, `SELECT name FROM sqlite_schema WHERE name='other'`)
		if err == nil && len(names) != 1 {
			err = errors.New("what the other program committed is lost")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A commit that was refused because its sync failed does not come back when the log is recovered.
func TestRefusedCommitStaysAway(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("where the log ends cannot be told")
	}
	for _, keys := range []int{0, 1, 3} {
		t.Run(fmt.Sprint(keys), func(t *testing.T) {
			s, failSync, cut := onFailingDisk(t, Options{Full: true})
			if keys == 0 { // the refused commit is the first of a log
				if err := s.Checkpoint(); err != nil {
					t.Fatal(err)
				}
			}
			for i := range keys {
				apply(t, s, engine.Op{Kind: engine.Put, Key: fmt.Sprint(i), Value: filled('v', 2000)})
			}
			failSync("-wal")
			if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "refused", Value: filled('f', 20_000)}}); err == nil {
				t.Fatal("a sync that fails is not told")
			}
			if err := s.Checkpoint(); err != nil {
				t.Fatal(err)
			}
			wantKeys(t, cut(), keys)
		})
	}
}

// What a checkpoint could not sync of the log is synced before the next one changes the file.
// Otherwise a power cut would leave the beginning of the log, whose pages are older than those of
// the file.
func TestSyncOfLogFailsInCheckpoint(t *testing.T) {
	t.Run("between", func(t *testing.T) {
		logFailsIn(t, func(t *testing.T, s *Store) {
			if err := s.Checkpoint(); err == nil {
				t.Fatal("a sync that fails is not told")
			}
		})
	})
	t.Run("beside", func(t *testing.T) {
		if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
			t.Skip("the log is copied between commits here")
		}
		logFailsIn(t, func(t *testing.T, s *Store) {
			s.writer.turn <- struct{}{}
			defer s.writer.release()
			s.writer.ckpt.background()
			<-s.writer.ckpt.pass.done
		})
	})
}

// The last connection that closes leaves no gap in the log either: whoever opens it next could not
// know.
func TestSyncOfLogFailsAtClose(t *testing.T) {
	logFailsIn(t, func(t *testing.T, s *Store) {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// logFailsIn fails the sync of a log of which only the beginning has been synced so far.
func logFailsIn(t *testing.T, fail func(t *testing.T, s *Store)) {
	s, failSync, cut := onFailingDisk(t, Options{PageSize: 1024})
	checkpoint := func() {
		t.Helper()
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 40 {
		apply(t, s, engine.Op{Kind: engine.Put, Key: fmt.Sprint(i), Value: filled('v', 100+7*i)})
	}
	checkpoint()
	apply(t, s, engine.Op{Kind: engine.Put, Key: "b", Value: filled('b', 2000)})
	reader, err := s.Begin(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	exists(t, reader, "b")
	apply(t, s, engine.Op{Kind: engine.Put, Key: "c", Value: filled('c', 2000)})
	checkpoint() // syncs the log, and copies what the reader does not need
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		apply(t, s, engine.Op{Kind: engine.Delete, Key: fmt.Sprint(i)})
	}
	failSync("-wal")
	if fail(t, s); !s.isClosing() {
		checkpoint()
	}
	wantKeys(t, cut(), 2)
}

// A power cut while a log is written again or a journal played back takes nothing that was durable
// before, even if it leaves anything in place of what was being written.
func TestPowerCutWhileRepairing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		o    Options
		file string // whose sync fails
		fail faultfs.Failure
	}{
		{"log", Options{Full: true}, "-wal", faultfs.Failure{Times: 1}},
		{"journal", Options{DisableWAL: true, CacheKB: 16}, "-journal", faultfs.Failure{Skip: 3, Times: 1}}, // when some of the file has changed
		{"file", Options{DisableWAL: true}, "", faultfs.Failure{Times: 2, Keep: 0.5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var left []map[string][]byte
			cutting, r := false, rand.New(rand.NewPCG(1, 1))
			path, name := filepath.Join(t.TempDir(), "v.kv"), t.Name()
			disk := faultfs.NewDisk(name, nil, func(st *faultfs.Still) {
				if cutting {
					left = append(left, st.Files(faultfs.Cut{Keep: r.Float64() / 2, Sector: 512, Garbage: true}, r))
				}
			})
			t.Cleanup(func() { faultfs.Drop(name) })
			c.o.PageSize, c.o.vfs = 1024, name
			s := openVault(t, path, &c.o)
			const keys = 40
			for i := range keys {
				apply(t, s, engine.Op{Kind: engine.Put, Key: fmt.Sprint(i), Value: filled('v', 700)})
			}
			c.fail.Rand = r
			disk.Still(func(st *faultfs.Still) { st.FailSync(path+c.file, c.fail) })
			refused := []engine.Op{{Kind: engine.Put, Key: "refused", Value: filled('f', 2000)}}
			for i := range keys {
				refused = append(refused, engine.Op{Kind: engine.Put, Key: fmt.Sprint(i), Value: filled('f', 700)})
			}
			if _, err := s.Apply(t.Context(), refused); err == nil {
				t.Fatal("a sync that fails is not told")
			}
			disk.Still(func(*faultfs.Still) { cutting = true })
			wantKeys(t, s, keys) // with a journal it is a reader that plays it back
			apply(t, s, engine.Op{Kind: engine.Put, Key: "3", Value: filled('w', 2000)})
			disk.Still(func(*faultfs.Still) { cutting = false })
			for i := 0; i < len(left); i += Amount(3, 1) {
				s := openLeft(t, path, left[i])
				wantKeys(t, s, keys)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// openLeft opens what was left of the vault at path.
func openLeft(t *testing.T, path string, files map[string][]byte) *Store {
	t.Helper()
	left := filepath.Join(t.TempDir(), "left.kv")
	for name, content := range files {
		if err := os.WriteFile(left+strings.TrimPrefix(name, path), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return openVault(t, left, nil)
}
