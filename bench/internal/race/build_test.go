package race

import (
	"os"
	"path/filepath"
	"testing"
)

// The harness runs in a fresh clone: the modules that only the contenders need are not there yet.
func TestSQLiteSourceFromAnEmptyModuleCache(t *testing.T) {
	cache, err := output(t.Context(), "", "go", "env", "GOMODCACHE")
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := output(t.Context(), "", "go", "env", "GOPROXY")
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPrograms(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOPROXY", "file://"+filepath.ToSlash(filepath.Join(cache, "cache", "download"))+","+proxy)
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("GOFLAGS", os.Getenv("GOFLAGS")+" -modcacherw") // so that the folder can be removed
	dir, err := p.sqliteSource(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sqlite3-binding.h", "sqlite3-binding.c"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}
