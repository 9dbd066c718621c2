package sqlite_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

func open(t testing.TB, path string, o *sqlite.Options) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func put(t testing.TB, s engine.Store, key string, value []byte) engine.Entry {
	t.Helper()
	res, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: key, Value: value}})
	if err != nil {
		t.Fatal(err)
	}
	return res[0].Entry
}

func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	r.Read(b)
	return b
}

// foreign runs SQL as another program would: on a connection of its own, with triggers as SQLite
// has them by default.
func foreign(t testing.TB, path string, sql ...string) {
	t.Helper()
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.BusyTimeout(time.Minute); err != nil { // the sweeper may be at work
		t.Fatal(err)
	}
	for _, q := range sql {
		if err := c.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// unnoticed runs SQL with triggers switched off: it makes what only damage, or somebody's
// intention, can.
func unnoticed(t testing.TB, path string, sql ...string) {
	t.Helper()
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Config(sqlite3.DBCONFIG_ENABLE_TRIGGER, false); err != nil {
		t.Fatal(err)
	}
	for _, q := range sql {
		if err := c.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

func query(t testing.TB, path, sql string) string {
	t.Helper()
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	st, _, err := c.Prepare(sql)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var rows []string
	for st.Step() {
		var cols []string
		for i := range st.ColumnCount() {
			cols = append(cols, st.ColumnText(i))
		}
		rows = append(rows, strings.Join(cols, "|"))
	}
	if err := st.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(rows, "\n")
}

func writeFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// expectOnly expects a sound vault with one key.
func expectOnly(t *testing.T, s *sqlite.Store, key string, want []byte) {
	t.Helper()
	if n := must[int64](t)(s.Count(t.Context(), engine.Range{})); n != 1 {
		t.Errorf("%d keys, want 1", n)
	}
	if got := must[[]byte](t)(s.Get(t.Context(), key)); !bytes.Equal(got, want) {
		t.Errorf("%q is not what the backup has", key)
	}
	if err := s.Check(t.Context(), func(p engine.Problem) { t.Errorf("%+v", p) }, nil); err != nil {
		t.Error(err)
	}
}

// expectFiles expects these files in a folder, and no other.
func expectFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries := must[[]os.DirEntry](t)(os.ReadDir(dir))
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if len(got) != len(want) {
		t.Errorf("%q is there, want %q", got, want)
	}
	for _, name := range want {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}
