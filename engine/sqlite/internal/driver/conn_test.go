package driver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

// Out of memory is a panic in the driver; it must come out as an error, and the connection must be
// closable.
func TestOutOfMemoryIsAnError(t *testing.T) {
	c, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "v.db"), Create: true, MaxMemory: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Exec(`CREATE TABLE t(x)`); err != nil {
		t.Fatal(err)
	}
	st, err := c.Prepare(`INSERT INTO t VALUES(?1)`)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Blob(1, make([]byte, 64<<20)).Exec(); KindOf(err) != OutOfMemory {
		t.Errorf("%v, want out of memory", err)
	}
	if !c.Broken() {
		t.Error("the connection is not marked as broken")
	}
	if err := c.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// A connection that is opened for it can be given a memory map, beside a write-ahead log.
func TestMappedConnection(t *testing.T) {
	c, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "v.db"), Create: true, Mapped: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for sql, want := range map[string]string{`PRAGMA journal_mode=WAL`: "wal", `PRAGMA mmap_size=1048576`: "1048576"} {
		st, err := c.Prepare(sql)
		if err != nil {
			t.Fatal(err)
		}
		if there, err := st.Step(); err != nil || !there || st.ColString(0) != want {
			t.Errorf("%s gives %q, want %q (%v)", sql, st.ColString(0), want, err)
		}
		st.Reset()
	}
}

// Statements stay compiled whatever is bound, also where SQLite knows how the keys are spread.
func TestStatementsStayCompiled(t *testing.T) {
	c, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "v.db"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(`CREATE TABLE t(id INTEGER PRIMARY KEY, key BLOB UNIQUE); CREATE TABLE m(id INTEGER PRIMARY KEY, x);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO t SELECT i, CAST(i AS BLOB) FROM n;
		ANALYZE`); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		`SELECT t.id, m.x FROM t LEFT JOIN m ON m.id = t.id WHERE key = ?1`,
		`SELECT key FROM t WHERE key >= ?1 ORDER BY key LIMIT ?2`,
		`SELECT id FROM t WHERE key >= ?1 AND key < ?2`,
	} {
		st, err := c.Prepare(sql)
		if err != nil {
			t.Fatal(err)
		}
		for i := range int64(10) {
			st.Key(1, fmt.Sprint(i))
			if st.s.BindCount() > 1 {
				st.Int(2, i)
			}
			if _, err := st.Step(); err != nil {
				t.Fatal(err)
			}
			st.Reset()
		}
		if n := st.s.Status(sqlite3.STMTSTATUS_REPREPARE, false); n > 0 {
			t.Errorf("%s: compiled %d times more", sql, n)
		}
	}
}

// A statement that ran out of memory repeats the error when it is released. The connection is
// closed all the same: the last one to close removes the log.
func TestCloseAfterOutOfMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	c, err := Open(t.Context(), Config{Path: path, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Exec(`PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES(zeroblob(30000000))`); err != nil {
		t.Fatal(err)
	}
	small, err := Open(t.Context(), Config{Path: path, MaxMemory: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	st, err := small.Prepare(`SELECT x FROM t`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Step(); KindOf(err) != OutOfMemory {
		t.Errorf("%v, want out of memory", err)
	}
	for _, c := range []*Conn{small, c} {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a connection is still open: %v", err)
	}
}

// A statement whose rows run out of memory can be ended, and its texts can be asked for.
func TestOutOfMemoryInARow(t *testing.T) {
	for name, sql := range map[string]string{
		"in the step":   `SELECT length(hex(zeroblob(8000000)))`,
		"in the column": `SELECT zeroblob(64000000)`,
	} {
		c, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "v.db"), Create: true, MaxMemory: 8 << 20})
		if err != nil {
			t.Fatal(err)
		}
		st, err := c.Prepare(sql)
		if err != nil {
			t.Fatal(err)
		}
		if row, err := st.Step(); row {
			st.ColString(0)
			if _, err := st.Step(); KindOf(err) != OutOfMemory {
				t.Errorf("%s: %v, want out of memory", name, err)
			}
		} else if KindOf(err) != OutOfMemory {
			t.Errorf("%s: %v, want out of memory", name, err)
		}
		st.Reset()
		if !c.Broken() {
			t.Errorf("%s: the connection is not marked as broken", name)
		}
		if err := c.Close(); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
	}
}
