package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// problems is what Check finds: by key, by column, and of the vault as a whole under "".
func problems(t *testing.T, s *sqlite.Store) map[string]string {
	t.Helper()
	found := map[string]string{}
	if err := s.Check(t.Context(), func(p engine.Problem) {
		if !errors.Is(p.Err, engine.ErrCorrupt) {
			t.Errorf("%+v", p)
		}
		found[p.Key+p.Column] = p.Err.Error()
	}, nil); err != nil {
		t.Error(err)
	}
	return found
}

func TestCheckNamesColumns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ sql, column, why string }{
		{`DELETE FROM col_chunks WHERE chunk_idx = 1`, "array", "chunk 1 is missing"},
		{`DELETE FROM col_chunks WHERE chunk_idx = 3`, "array", "9000 bytes are there of 10000 elements"},
		{`DELETE FROM col_chunks`, "array", "0 bytes are there"},
		{`UPDATE col_chunks SET data = zeroblob(10) WHERE chunk_idx = 0`, "array", "chunk 0: "},
		{`UPDATE col_chunks SET actual_size = 0 WHERE chunk_idx = 2`, "array", "chunk 2: "},
		{`UPDATE col_chunks SET bytes_used = 99999 WHERE chunk_idx = 2`, "array", "chunk 2: "},
		{`UPDATE col_chunks SET bytes_used = -1 WHERE chunk_idx = 2`, "array", "chunk 2: "},
		{`UPDATE col_chunks SET data = 7 WHERE chunk_idx = 2`, "array", "chunk 2: "},
		{`UPDATE col_meta SET length = -1`, "array", "-1 elements"},
		{`UPDATE col_meta SET length = 1 << 62`, "array", "bytes are there of"},
		{`UPDATE col_meta SET elem_size = 0`, "array", "of 0 bytes"},
		{`UPDATE col_meta SET max_chunk_bytes = 1`, "array", "100 to 1 bytes"},
		{`INSERT INTO col_chunks(col_id, chunk_idx, data, actual_size) VALUES(77, 0, x'00', 1)`, "", "column number 77"},
	} {
		t.Run(c.sql, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "v.kv")
			s := open(t, path, nil)
			put(t, s, "key", []byte("value"))
			putArray(t, s, "array", noise(10000))
			if got := problems(t, s); len(got) > 0 {
				t.Fatal(got)
			}
			foreign(t, path, `PRAGMA foreign_keys=0`, c.sql)
			if got := problems(t, s); len(got) != 1 || !strings.Contains(got[c.column], c.why) {
				t.Errorf("found %q, want %q of %q", got, c.why, c.column)
			}
		})
	}
}

// Whatever page is gone, Check names every value that cannot be read, or says that it could not
// look at all.
func TestCheckNamesKeysOfLostPages(t *testing.T) {
	v := makeOriginal(t, sqlite.Options{PageSize: 1024, OneRowLimit: 3000})
	path := filepath.Join(t.TempDir(), "hurt.kv")
	pages := len(v.data) / v.page
	opened := 0
	for no := 0; no < pages; no += stride(pages) {
		hurt := bytes.Clone(v.data)
		clear(hurt[no*v.page : (no+1)*v.page])
		if err := os.WriteFile(path, hurt, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := sqlite.Open(t.Context(), path, &sqlite.Options{ReadOnly: true})
		if err != nil {
			if openable(t, path) {
				t.Errorf("page %d: %v", no+1, err)
			}
			continue
		}
		opened++
		checkNames(t, fmt.Sprintf("page %d", no+1), s, v)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if opened == 0 {
		t.Error("no file could be opened")
	}
}

// openable says whether SQLite itself can read what is needed to open a damaged file as a vault.
func openable(t *testing.T, path string) bool {
	t.Helper()
	c := must[*sqlite3.Conn](t)(sqlite3.Open(path))
	defer c.Close()
	return c.Exec(`SELECT sql FROM sqlite_schema; SELECT value FROM kvault_layout`) == nil
}

func checkNames(t *testing.T, name string, s *sqlite.Store, v *original) {
	t.Helper()
	found := problems(t, s)
	for key, want := range v.values {
		got, err := s.Get(t.Context(), key)
		if err == nil && bytes.Equal(got, want) {
			continue
		}
		if found[key] == "" && !strings.Contains(found[""], "ends early") {
			t.Errorf("%s: %s: %d bytes, %v, and Check does not name it: %q", name, key, len(got), err, found)
		}
	}
	for array, want := range v.arrays {
		if found[array] != "" || found[""] != "" {
			continue
		}
		if got, err := getArray(t, s, array, true); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %s: %d bytes, %v, and Check found %q", name, array, len(got), err, found)
		}
	}
}

// Check says of a file that is cut off that it is, even inside a page where SQLite finds nothing
// wrong; and not of one whose end is in the log.
func TestCheckCutOff(t *testing.T) {
	check := func(path string) (problems []string) {
		s := open(t, path, &sqlite.Options{ReadOnly: true})
		defer s.Close()
		if err := s.Check(t.Context(), func(p engine.Problem) { problems = append(problems, p.Err.Error()) }, nil); err != nil {
			t.Fatal(err)
		}
		return problems
	}
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, nil)
	put(t, s, "film", noise(100_000))
	if got := check(path); len(got) > 0 {
		t.Errorf("with a log: %q", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := check(path); len(got) > 0 {
		t.Errorf("whole: %q", got)
	}
	size := must[os.FileInfo](t)(os.Stat(path)).Size()
	if err := os.Truncate(path, size-100); err != nil {
		t.Fatal(err)
	}
	if got := check(path); len(got) == 0 || !strings.Contains(got[0], "the file is cut off") {
		t.Errorf("cut off: %q", got)
	}
}
