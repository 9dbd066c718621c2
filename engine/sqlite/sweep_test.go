package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// openChild opens a vault, lets the sweeper end, and says how many values are still staged.
func openChild(path string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, path, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Optimize(ctx, nil); err != nil { // it sweeps first
		return err
	}
	stats, err := s.Stats(ctx)
	fmt.Println(stats.Staged)
	return err
}

// A writer whose last beat is hours old, since the machine was suspended or the clock was set, is
// not taken for dead while it lives.
func TestLivingWriterIsNotSwept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, tinyRows)
	st := stagedChunks(t, s, 10)
	foreign(t, path, `UPDATE kvault_values SET beat = beat - 7200`)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), openEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil || strings.TrimSpace(string(out)) != "1" {
		t.Fatalf("another process finds %q staged, %v", out, err)
	}
	if err := st.WriteChunk(t.Context(), noise(100)); err != nil {
		t.Fatal(err)
	}
	must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "b", Staged: st}}))
	if e, err := s.Stat(t.Context(), "b"); err != nil || e.Size != 1100 {
		t.Errorf("%+v, %v", e, err)
	}
}

// An upload that was lost to a sweep says so by an error of its own, which is no mistake of the
// caller's.
func TestSweptStageSaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, tinyRows)
	st := stagedChunks(t, s, 10)
	foreign(t, path, `DELETE FROM kvault_chunks`, `DELETE FROM kvault_values`)
	err := st.WriteChunk(t.Context(), noise(100))
	if !errors.Is(err, engine.ErrSwept) || errors.Is(err, engine.ErrInvalid) || errors.Is(err, engine.ErrBusy) {
		t.Errorf("a further chunk: %v", err)
	}
	if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "b", Staged: st}}); !errors.Is(err, engine.ErrSwept) {
		t.Errorf("publish: %v", err)
	}
	st = stagedChunks(t, s, 10)
	must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "b", Staged: st}}))
}
