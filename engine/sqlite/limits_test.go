package sqlite_test

import (
	"bytes"
	"math"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// SQLite puts rows whose value is not their last column together in memory, which has to have room
// for the longest beside a page cache that is full.
func TestLongestRowInMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	foreign(t, path, `CREATE TABLE kvault(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL, size INTEGER NOT NULL)`)
	s := open(t, path, &sqlite.Options{OneRowLimit: engine.MaxOneRow})
	value := bytes.Repeat([]byte("0123456789abcdef"), 4<<20)
	if math.MaxInt == math.MaxInt32 {
		value = value[len(value)/2:]
	}
	for _, key := range []string{"a", "b", "a"} {
		put(t, s, key, value)
	}
	for _, key := range []string{"a", "b"} {
		if got, err := s.Get(t.Context(), key); err != nil || !bytes.Equal(got, value) {
			t.Errorf("%q: %d bytes, %v", key, len(got), err)
		}
	}
	if n := query(t, path, `SELECT count(*) FROM kvault_chunks`); n != "0" {
		t.Errorf("%s chunk rows", n)
	}
}
