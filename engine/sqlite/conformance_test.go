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
	configs := map[string]*sqlite.Options{
		"default":                 nil,
		"rollback":                sqlite.Options{DisableWAL: true}.On(sqlite.Unsynced),
		"small pages":             sqlite.Options{PageSize: 512, OneRowLimit: 3000}.On(sqlite.Unsynced),
		"durable":                 {Full: true},
		"memory map, other table": {MmapSize: 256 << 20, PageSize: 4096, CacheKB: 64, Table: "photos"},
	}
	schemas := sqlite.Some(2, foreignSchemas)
	if race.Slowdown > 1 { // they differ in pages, not in what goes on side by side
		delete(configs, "small pages")
	}
	for name, o := range configs {
		var except []enginetest.Exception
		if o != nil && o.DisableWAL {
			except = append(except, enginetest.SnapshotsBlockWriters)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			enginetest.Run(t, func(t *testing.T) engine.Store { return open(t, filepath.Join(t.TempDir(), "a ?#%41.kv"), o) }, except...)
			enginetest.RunPersistent(t, func(t *testing.T, dir string) engine.Store { return open(t, filepath.Join(dir, "v.kv"), o) })
		})
	}
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		enginetest.Run(t, func(t *testing.T) engine.Store { return open(t, sqlite.Memory, nil) })
	})
	for _, schema := range schemas {
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
