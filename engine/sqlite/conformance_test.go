package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/enginetest"
	"github.com/kohakuvault/kvault/engine/sqlite"
	"github.com/kohakuvault/kvault/internal/race"
)

func TestConformance(t *testing.T) {
	type config struct {
		name string
		o    *sqlite.Options
	}
	configs := []config{
		{"rollback", sqlite.Options{DisableWAL: true}.On(sqlite.Unsynced)},
		{"durable", &sqlite.Options{Full: true}},
		{"memory map, other table", &sqlite.Options{MmapSize: 256 << 20, PageSize: 4096, CacheKB: 64, Table: "photos"}},
	}
	if race.Slowdown == 1 { // with the detector all of these: small pages change nothing of what goes on side by side
		configs = sqlite.Some(1, append(configs, config{"small pages", sqlite.Options{PageSize: 512, OneRowLimit: 3000}.On(sqlite.Unsynced)}))
	}
	for _, c := range append(configs, config{name: "default"}) {
		var except []enginetest.Exception
		if c.o != nil && c.o.DisableWAL {
			except = append(except, enginetest.SnapshotsBlockWriters)
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			enginetest.Run(t, func(t *testing.T) engine.Store { return open(t, filepath.Join(t.TempDir(), "a ?#%41.kv"), c.o) }, except...)
			enginetest.RunPersistent(t, func(t *testing.T, dir string) engine.Store { return open(t, filepath.Join(dir, "v.kv"), c.o) })
		})
	}
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		enginetest.Run(t, func(t *testing.T) engine.Store { return open(t, sqlite.Memory, nil) })
	})
	for _, schema := range sqlite.Some(1, foreignSchemas) {
		t.Run("made by "+schema.by, func(t *testing.T) {
			t.Parallel()
			enginetest.Run(t, func(t *testing.T) engine.Store {
				path := filepath.Join(t.TempDir(), "py.db")
				foreign(t, path, schema.sql...)
				return open(t, path, sqlite.Options{OneRowLimit: 100_000}.On(sqlite.Unsynced))
			})
		})
	}
}
