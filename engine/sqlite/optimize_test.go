package sqlite_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// A value that is open for reading is read on from the rebuilt file. Nobody waits for one that was replaced: whoever calls Optimize may be
// the one who holds it.
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
				if err := s.Optimize(ctx); err != nil {
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
