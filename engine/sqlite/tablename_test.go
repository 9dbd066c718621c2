package sqlite_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// A table may be named like a word that a rule of a table begins with.
func TestTableNamedLikeARule(t *testing.T) {
	path, o := filepath.Join(t.TempDir(), "v.kv"), &sqlite.Options{Table: "Checkpoints"}
	for range 2 {
		s, err := sqlite.Open(t.Context(), path, o)
		if err != nil {
			t.Fatal(err)
		}
		op := engine.Op{Kind: engine.Put, Key: "k", Value: make([]byte, 3<<20)}
		if _, err := s.Apply(t.Context(), []engine.Op{op}); err != nil {
			t.Error(err)
		}
		if stats, err := s.Stats(t.Context()); err != nil || stats.Detail["values in chunks"] != "0" {
			t.Errorf("%s values in chunks (%v)", stats.Detail["values in chunks"], err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A table of layout 1 may be named like a column of this package's tables.
func TestUpgradeOfTableNamedLikeAColumn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	foreign(t, path, strings.Replace(sqlite.Layout1, "kvault", "data", 1))
	s := open(t, path, &sqlite.Options{Table: "data"})
	op := engine.Op{Kind: engine.Put, Key: "k", Value: []byte("v")}
	if _, err := s.Apply(t.Context(), []engine.Op{op}); err != nil {
		t.Fatal(err)
	}
	if err := s.Optimize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := layoutVersionOf(t, s); got != "2" {
		t.Errorf("layout %s", got)
	}
}
