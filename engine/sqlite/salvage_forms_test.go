package sqlite_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// salvaged salvages the file at path and returns the new one, with what was told.
func salvaged(t *testing.T, path string, o sqlite.SalvageOptions) (string, *sqlite.SalvageReport, []string) {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "new.kv")
	var losses []string
	o.OnLoss = func(l engine.Loss) { losses = append(losses, l.String()) }
	return dst, must[*sqlite.SalvageReport](t)(sqlite.Salvage(t.Context(), path, dst, &o)), losses
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Without its first page the file has no header, no schema and no list of free pages.
func TestSalvageWithoutHeader(t *testing.T) {
	t.Parallel()
	for _, page := range []int{512, 4096, 65536} {
		v := makeOriginal(t, sqlite.Options{PageSize: page, OneRowLimit: 3000})
		for _, n := range []int{20, 100, page, 2 * page} { // the second page is the first pointer map
			out := v.salvage(t, fmt.Sprintf("%d bytes of pages of %d", n, page), true, func(data []byte) []byte {
				clear(data[:n])
				return data
			})
			if out.keys != len(v.values) || out.arrays != len(v.arrays) {
				t.Errorf("%d bytes of pages of %d: %+v of %d values", n, page, out, len(v.values))
			}
		}
	}
}

// A log may claim pages that there are not, up to the most that there can be. Nobody makes room for
// them or looks for them.
func TestSalvageLogThatBoasts(t *testing.T) {
	const pageSize, frame = 1024, 24 + 1024
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &sqlite.Options{PageSize: pageSize})
	for i := range 20 {
		put(t, s, fmt.Sprint(i), noise(i*100))
	}
	log := must[[]byte](t)(os.ReadFile(path + "-wal"))
	last := 32 // where the last frame of the log is, which ends a commit
	for next := last; next+frame <= len(log) && bytes.Equal(log[next+8:next+16], log[16:24]); next += frame {
		last = next
	}
	binary.BigEndian.PutUint32(log[last+4:], 1<<32-2)
	order := binary.ByteOrder(binary.LittleEndian)
	if log[3]&1 == 1 {
		order = binary.BigEndian
	}
	a, b := binary.BigEndian.Uint32(log[last-frame+16:]), binary.BigEndian.Uint32(log[last-frame+20:])
	for _, summed := range [][]byte{log[last : last+8], log[last+24 : last+frame]} {
		for ; len(summed) > 0; summed = summed[8:] {
			a += order.Uint32(summed) + b
			b += order.Uint32(summed[4:]) + a
		}
	}
	binary.BigEndian.PutUint32(log[last+16:], a)
	binary.BigEndian.PutUint32(log[last+20:], b)
	boast := filepath.Join(t.TempDir(), "v.kv")
	write(t, boast, must[[]byte](t)(os.ReadFile(path)))
	write(t, boast+"-wal", log)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, report, losses := salvaged(t, boast, sqlite.SalvageOptions{})
	runtime.ReadMemStats(&after)
	if report.Keys != 20 || len(losses) > 0 {
		t.Errorf("%+v, %q", report, losses)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 256<<20 {
		t.Errorf("took %d MiB of memory", took>>20)
	}
}

// The tables of all versions of the Python package, several tables in one file, and tables that are
// none of ours.
func TestSalvageForeign(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	foreign(t, path,
		`CREATE TABLE kvault(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL, size INTEGER NOT NULL)`,
		`CREATE UNIQUE INDEX kvault_key_idx ON kvault(key)`,
		`CREATE TABLE "kv" (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)`,
		`CREATE TABLE odd(id INTEGER PRIMARY KEY, key, value)`, `CREATE INDEX odd_values ON odd(value)`, // with no index of its keys
		`CREATE TABLE kohakuvault_meta(key TEXT PRIMARY KEY, value TEXT NOT NULL)`,
		`CREATE TABLE photos(a, b TEXT)`, `CREATE INDEX i ON photos(b)`, `CREATE VIEW w AS SELECT * FROM photos`,
		`INSERT INTO photos VALUES(1, 'x')`,
		`INSERT INTO odd(key, value) VALUES('text', 'v'), (NULL, NULL), (x'61', NULL), (x'63', 'täxt'), (x'64', 12345), (x'65', 1.5)`,
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<200)
		 INSERT INTO kvault(key, value, size) SELECT CAST('k'||i AS BLOB), zeroblob(i*50), i*50 FROM n`,
		`INSERT INTO kv SELECT key, value FROM kvault`)
	dst, report, losses := salvaged(t, path, sqlite.SalvageOptions{})
	if report.Keys != 403 || report.Unproven != 403 || report.Unconfirmed != 0 || len(losses) != 5 || report.Losses != 5 || report.Doubts != 3 {
		t.Errorf("%+v, %q", report, losses)
	}
	all := strings.Join(losses, "\n")
	for _, want := range []string{`key "e" of table odd: lost`, `table photos: lost`, `table kv: copied, but: no value has a checksum, so that nothing proves 200 of them`} {
		if !strings.Contains(all, want) {
			t.Errorf("%s: want %s", all, want)
		}
	}
	for table, want := range map[string]string{"kvault k200": "10000", "kv k200": "10000", "odd a": "0", "odd c": "5", "odd d": "5"} {
		name, key, _ := strings.Cut(table, " ")
		e, err := open(t, dst, &sqlite.Options{Table: name}).Stat(t.Context(), key)
		if err != nil || fmt.Sprint(e.Size) != want {
			t.Errorf("%s: %+v, %v", table, e, err)
		}
	}
	if _, report, losses = salvaged(t, path, sqlite.SalvageOptions{Table: "kv"}); report.Keys != 200 || len(losses) != 1 || report.Doubts != 1 {
		t.Errorf("one table: %+v, %q", report, losses)
	}
}

// The metadata of a table without ids is found by key.
func TestSalvageMetadataByKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	foreign(t, path, `PRAGMA page_size=512`, `CREATE TABLE kv(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)`, `INSERT INTO kv VALUES(x'61', x'62')`)
	s := open(t, path, &sqlite.Options{Table: "kv", OneRowLimit: 2000})
	tags := map[string]string{}
	for i := range 100 {
		key := fmt.Sprintf("key%d", i)
		tags[key] = put(t, s, key, noise(i*40)).Meta.Tag
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	dst, report, losses := salvaged(t, path, sqlite.SalvageOptions{})
	if report.Keys != 101 || report.Unproven != 1 || len(losses) != 1 || !strings.Contains(losses[0], `key "a" of table kv: copied, but: it has no checksum`) {
		t.Errorf("%+v, %q", report, losses)
	}
	d := open(t, dst, nil)
	for key, tag := range tags {
		if e := must[engine.Entry](t)(d.Stat(t.Context(), key)); e.Meta.Tag != tag {
			t.Errorf("%s: %+v, want tag %s", key, e, tag)
		}
	}
}

func TestSalvageRefuses(t *testing.T) {
	dir := t.TempDir()
	good, empty, taken := filepath.Join(dir, "good.kv"), filepath.Join(dir, "empty"), filepath.Join(dir, "taken")
	put(t, open(t, good, nil), "k", []byte("v"))
	write(t, empty, nil)
	write(t, taken, []byte("mine"))
	write(t, taken+"2-wal", []byte("left over"))
	other := filepath.Join(dir, "other.kv")
	foreign(t, other, `CREATE TABLE t(x)`, `INSERT INTO t VALUES(1)`)
	for _, c := range []struct {
		src, dst, table string
		want            error
	}{
		{filepath.Join(dir, "none"), filepath.Join(dir, "new"), "", engine.ErrNoVault},
		{dir, filepath.Join(dir, "new"), "", engine.ErrInvalid},
		{good, "", "", engine.ErrInvalid},
		{good, sqlite.Memory, "", engine.ErrInvalid},
		{good, good, "", engine.ErrExists},
		{good, taken, "", engine.ErrExists},
		{good, taken + "2", "", engine.ErrExists},
		{good, filepath.Join(dir, "new"), "no table", engine.ErrInvalid},
		{good, filepath.Join(dir, "new"), "photos", engine.ErrCorrupt},
		{empty, filepath.Join(dir, "new"), "", engine.ErrCorrupt},
		{taken, filepath.Join(dir, "new"), "", engine.ErrCorrupt},
		{other, filepath.Join(dir, "new"), "", engine.ErrCorrupt},
	} {
		if _, err := sqlite.Salvage(t.Context(), c.src, c.dst, &sqlite.SalvageOptions{Table: c.table}); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if got := must[[]byte](t)(os.ReadFile(taken)); string(got) != "mine" {
		t.Errorf("%q", got)
	}
	left := must[[]string](t)(filepath.Glob(filepath.Join(dir, "*.partial*")))
	if _, err := os.Stat(filepath.Join(dir, "new")); err == nil || len(left) > 0 {
		t.Errorf("a failed salvage left files: %q", left)
	}
}

// interrupted runs SQL in a transaction and copies the files to another place before it ends.
func interrupted(t *testing.T, path, to string, sql ...string) {
	t.Helper()
	c := must[*sqlite3.Conn](t)(sqlite3.Open(path))
	defer c.Close()
	for _, q := range append([]string{`PRAGMA journal_mode=DELETE`, `BEGIN IMMEDIATE`}, sql...) {
		if err := c.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	for _, suffix := range []string{"", "-journal"} {
		write(t, to+suffix, must[[]byte](t)(os.ReadFile(path+suffix)))
	}
}
