package pyexchange

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/ncruces/go-sqlite3"
)

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "shared.db") }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func open(t *testing.T, path string, o *kvault.Options) *kvault.Vault {
	t.Helper()
	v, err := kvault.Open(t.Context(), path, o)
	must(t, err)
	t.Cleanup(func() { must(t, v.Close()) })
	return v
}

// check is this package's own check of a file, and the one of an SQLite that knows nothing of
// vaults.
func check(t *testing.T, v *kvault.Vault, path string) {
	t.Helper()
	if _, err := v.Check(t.Context(), nil); err != nil {
		t.Fatalf("check: %v", err)
	}
	if got := query(t, path, `PRAGMA integrity_check`); got != "ok" {
		t.Fatalf("integrity_check: %s", got)
	}
}

// query runs SQL on the file and returns the rows, one a line, values joined by blanks.
func query(t *testing.T, path, sql string) string {
	t.Helper()
	c := connect(t, path)
	defer c.Close()
	st, _, err := c.Prepare(sql)
	must(t, err)
	defer st.Close()
	var rows []string
	for st.Step() {
		var row []string
		for i := range st.ColumnCount() {
			row = append(row, st.ColumnText(i))
		}
		rows = append(rows, strings.Join(row, " "))
	}
	must(t, st.Err())
	return strings.Join(rows, "\n")
}

func connect(t *testing.T, path string) *sqlite3.Conn {
	t.Helper()
	c, err := sqlite3.Open("file:" + filepath.ToSlash(path))
	must(t, err)
	must(t, c.BusyTimeout(time.Minute))
	return c
}
