package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

const spoolChunk = 1000

// fill adds value to a stage, in chunks.
func fillStage(t *testing.T, st engine.Stage, value []byte) {
	t.Helper()
	for len(value) > 0 {
		n := min(len(value), spoolChunk)
		if err := st.WriteChunk(t.Context(), value[:n]); err != nil {
			t.Fatal(err)
		}
		value = value[n:]
	}
}

func newStage(t *testing.T, s interface {
	Stage(ctx context.Context, o engine.StageOptions) (engine.Stage, error)
}) engine.Stage {
	t.Helper()
	return must[engine.Stage](t)(s.Stage(t.Context(), engine.StageOptions{ChunkSize: spoolChunk, Size: -1}))
}

// spooled lists the temporary files that this process holds open for stages.
func spooled(t *testing.T) (names []string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells which files are open")
	}
	fds := must[[]os.DirEntry](t)(os.ReadDir("/proc/self/fd"))
	for _, fd := range fds {
		if name, err := os.Readlink(filepath.Join("/proc/self/fd", fd.Name())); err == nil && strings.Contains(name, "kvault-stage-") {
			names = append(names, name)
		}
	}
	return names
}

// A stream that fits in a row leaves no chunk rows, one that does not leaves no row, and neither a
// temporary file.
func TestSpoolBecomesRowOrChunks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &sqlite.Options{OneRowLimit: 3500})
	for name, tt := range map[string]struct {
		size   int
		chunks string
	}{"one chunk": {spoolChunk, "0"}, "the limit": {3500, "0"}, "above": {3501, "4"}, "far above": {9000, "9"}} {
		value := noise(tt.size)
		st := newStage(t, s)
		fillStage(t, st, value)
		must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "k", Staged: st}}))
		if got := must[[]byte](t)(s.Get(t.Context(), "k")); !bytes.Equal(got, value) {
			t.Errorf("%s: %d bytes differ", name, len(got))
		}
		waitSwept(t, s)
		if got := query(t, path, `SELECT count(*) FROM kvault_chunks`); got != tt.chunks {
			t.Errorf("%s: %s chunk rows, want %s", name, got, tt.chunks)
		}
		if left := spooled(t); len(left) > 0 {
			t.Errorf("%s: %q is open", name, left)
		}
	}
}

// Whichever way a stage ends, its temporary file goes; while it is there, no name leads to it.
func TestSpoolEnds(t *testing.T) {
	vaults, dir := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", dir)
	for name, end := range map[string]func(t *testing.T, s *sqlite.Store){
		"Abort": func(t *testing.T, s *sqlite.Store) {
			st := newStage(t, s)
			fillStage(t, st, noise(1500))
			if len(spooled(t)) != 1 {
				t.Errorf("open: %q", spooled(t))
			}
			if stats := must[engine.Stats](t)(s.Stats(t.Context())); stats.Staged != 1 {
				t.Errorf("%d staged values", stats.Staged)
			}
			if names := must[[]os.DirEntry](t)(os.ReadDir(dir)); len(names) > 0 {
				t.Errorf("names: %v", names)
			}
			if err := st.Abort(); err != nil {
				t.Error(err)
			}
		},
		"Close": func(t *testing.T, s *sqlite.Store) {
			fillStage(t, newStage(t, s), noise(1500))
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		},
		"Rollback": func(t *testing.T, s *sqlite.Store) {
			tx := must[engine.Tx](t)(s.Begin(t.Context(), true))
			st := newStage(t, tx)
			fillStage(t, st, noise(1500))
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
			if err := st.WriteChunk(t.Context(), noise(10)); !errors.Is(err, engine.ErrInvalid) && !errors.Is(err, engine.ErrTxDone) {
				t.Errorf("a chunk after the transaction: %v", err)
			}
		},
		"Commit": func(t *testing.T, s *sqlite.Store) {
			tx := must[engine.Tx](t)(s.Begin(t.Context(), true))
			fillStage(t, newStage(t, tx), noise(1500))
			if err := tx.Commit(t.Context()); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			end(t, open(t, filepath.Join(vaults, name+".kv"), nil))
			if left := spooled(t); len(left) > 0 {
				t.Errorf("%q is open", left)
			}
		})
	}
}

// Where no temporary file can be made, streams go to chunk rows from the start.
func TestSpoolWithoutTempDir(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, nil)
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	value := noise(2500)
	st := newStage(t, s)
	fillStage(t, st, value)
	if got := query(t, path, `SELECT count(*) FROM kvault_chunks`); got != "3" {
		t.Errorf("%s chunk rows", got)
	}
	must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "k", Staged: st}}))
	if got := must[[]byte](t)(s.Get(t.Context(), "k")); !bytes.Equal(got, value) {
		t.Errorf("%d bytes differ", len(got))
	}
}

// A stage that cannot be moved to chunk rows, because another program has the lock, keeps all that
// it was given, and goes on later.
func TestSpoolMovesLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &sqlite.Options{OneRowLimit: 2500, BusyTimeout: -1})
	value := noise(4000)
	st := newStage(t, s)
	fillStage(t, st, value[:2000])
	other := must[*sqlite3.Conn](t)(sqlite3.Open(path))
	defer other.Close()
	if err := errors.Join(other.BusyTimeout(time.Minute), other.Exec(`BEGIN IMMEDIATE`)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := st.WriteChunk(t.Context(), value[2000:3000]); !errors.Is(err, engine.ErrBusy) {
			t.Errorf("%v, want busy", err)
		}
	}
	if err := other.Exec(`ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for { // the handle's own sweeper may have the lock for a moment
		err := st.WriteChunk(t.Context(), value[2000:3000])
		if err == nil {
			break
		}
		if !errors.Is(err, engine.ErrBusy) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	fillStage(t, st, value[3000:])
	must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "k", Staged: st}}))
	if got := must[[]byte](t)(s.Get(t.Context(), "k")); !bytes.Equal(got, value) {
		t.Errorf("%d bytes differ", len(got))
	}
}
