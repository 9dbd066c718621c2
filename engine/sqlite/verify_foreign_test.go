package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault/engine"
)

// foreignKeys are those that both programs write. That of the last is long.
const foreignKeys = 5

func foreignKey(i int) string { return fmt.Sprintf("key %d", i) }

// foreignValue says which key and which version it is of.
func foreignValue(key int, version uint64) []byte {
	n := 10 + int(version%3000)
	if key == foreignKeys-1 {
		n += smallBytes
	}
	return append(fmt.Appendf(nil, "%d %d ", key, version), bytes.Repeat([]byte{byte('a' + version%26)}, n)...)
}

// isForeignValue says whether a value is one that was put, or the zeros that precede a streamed
// one.
func isForeignValue(key int, value []byte) bool {
	var k int
	var version uint64
	if len(bytes.Trim(value, "\x00")) == 0 {
		return true
	}
	_, err := fmt.Sscanf(string(value), "%d %d ", &k, &version)
	return err == nil && k == key && bytes.Equal(value, foreignValue(key, version))
}

// What another program writes is never taken for damage, whatever statements it uses, while both go
// on.
func TestForeignWritesAreNoDamage(t *testing.T) {
	t.Parallel()
	for name, create := range map[string]string{"layout 2": "", "layout 1": readsOf["layout 1"].create, "Python 0.6": readsOf["Python 0.6"].create} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "v.kv")
			if create != "" {
				createFile(t, path, create)
			}
			s := openFast(t, path, Options{})
			for i := range foreignKeys {
				putFast(t, s, foreignKey(i), foreignValue(i, 0))
			}
			stop := writeInChild(t, "TestForeignWriter", path)
			for version := range uint64(Amount(25, 3000)) {
				key := rand.IntN(foreignKeys)
				putFast(t, s, foreignKey(key), foreignValue(key, version))
				if rand.IntN(3) == 0 {
					_ = s.writer.passive() // so that reads are fast ones
				}
				for range 10 {
					readForeign(t, s, rand.IntN(foreignKeys))
				}
			}
			stop()
			for i := range foreignKeys {
				readForeign(t, s, i)
			}
			if err := s.Check(t.Context(), func(p engine.Problem) { t.Errorf("Check: %+v", p) }, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func readForeign(t *testing.T, s *Store, key int) {
	t.Helper()
	for _, how := range []string{"Get", "stream, 32 KiB"} {
		got, err := wholeReads[how](s, foreignKey(key))
		if err != nil && !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("%s: %v", how, err)
		}
		if err == nil && !isForeignValue(key, got) {
			t.Errorf("%s: %.50q was never put", how, got)
		}
	}
}

// foreignWrites are ways to write a value: the statements, in transactions of their own, and
// whether incremental I/O follows.
var foreignWrites = []struct {
	sql  string
	blob bool
}{
	{`UPDATE kvault SET value = ?2 WHERE key = ?1`, false},
	{`INSERT INTO kvault(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = excluded.value`, false},
	{`INSERT OR REPLACE INTO kvault(key, value) VALUES(?1, ?2)`, false},
	{`INSERT INTO kvault(key, value) VALUES(?1, zeroblob(length(?2))) ON CONFLICT(key) DO UPDATE SET value = excluded.value`, true},
	{`UPDATE kvault SET value = zeroblob(length(?2)) WHERE key = ?1`, true},
	{`DELETE FROM kvault WHERE key = ?1 AND length(?2) > 0`, false},
}

// TestForeignWriter is the process of another program, which knows nothing of metadata.
func TestForeignWriter(t *testing.T) {
	path, over := inChild()
	if path == "" {
		return
	}
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.BusyTimeout(time.Minute); err != nil {
		t.Fatal(err)
	}
	for version := rand.Uint64N(1 << 32); !over.Load(); version++ {
		key, w := rand.IntN(foreignKeys), foreignWrites[rand.IntN(len(foreignWrites))]
		if err := writeForeign(c, w.sql, w.blob, foreignKey(key), foreignValue(key, version)); err != nil {
			t.Fatalf("%s: %v", w.sql, err)
		}
		time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
	}
}

func writeForeign(c *sqlite3.Conn, sql string, blob bool, key string, value []byte) error {
	st, _, err := c.Prepare(sql)
	if err != nil {
		return err
	}
	defer st.Close()
	if err := errors.Join(st.BindBlob(1, []byte(key)), st.BindBlob(2, value), st.Exec()); err != nil || !blob || c.Changes() == 0 {
		return err
	}
	row, _, err := c.Prepare(`SELECT rowid FROM kvault WHERE key = ?1 AND length(value) = ?2 AND value = zeroblob(?2)`)
	if err != nil {
		return err
	}
	defer row.Close()
	tx, err := c.BeginImmediate()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := errors.Join(row.BindBlob(1, []byte(key)), row.BindInt(2, len(value))); err != nil {
		return err
	}
	if !row.Step() {
		return row.Err() // the other process has written it
	}
	b, err := c.OpenBlob("main", "kvault", "value", row.ColumnInt64(0), true)
	if err != nil {
		return err
	}
	_, err = b.Write(value)
	if err := errors.Join(err, b.Close(), row.Reset()); err != nil {
		return err
	}
	return tx.Commit()
}
