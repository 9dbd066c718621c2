package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

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
