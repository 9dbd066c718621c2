package sqlite_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

func copyKey(t testing.TB, s engine.Store, from, to string) {
	t.Helper()
	must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{{Kind: engine.Copy, Key: from, To: to}}))
}

func deleteKeys(t testing.TB, s engine.Store, keys ...string) {
	t.Helper()
	for _, key := range keys {
		must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{{Kind: engine.Delete, Key: key}}))
	}
}

// expectValues expects a sound vault with this value under these keys and no others.
func expectValues(t *testing.T, s *sqlite.Store, value []byte, keys ...string) {
	t.Helper()
	if n := must[int64](t)(s.Count(t.Context(), engine.Range{})); n != int64(len(keys)) {
		t.Errorf("%d keys, want %q", n, keys)
	}
	for _, key := range keys {
		if got, err := s.Get(t.Context(), key); err != nil || !bytes.Equal(got, value) {
			t.Errorf("%s: %d bytes, %v", key, len(got), err)
		}
	}
	checked(t, s)
}

// large is what the file has of large values: records, chunk rows, copies and orphans.
const large = `SELECT (SELECT count(*) FROM kvault_values) || ' ' || (SELECT count(*) FROM kvault_chunks) || ' ' ||
	(SELECT count(*) FROM kvault_values WHERE beat < 0) || ' ' || (SELECT count(*) FROM kvault_orphans)`

func optimize(t *testing.T, s *sqlite.Store) {
	t.Helper()
	if err := s.Optimize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

// onSchemas runs test in tables of all kinds.
func onSchemas(t *testing.T, test func(t *testing.T, path, table string)) {
	run := func(by, table string, sql []string) {
		t.Run(by, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "v.kv")
			foreign(t, path, append([]string{`PRAGMA auto_vacuum=INCREMENTAL`}, sql...)...)
			test(t, path, table)
		})
	}
	run("layout 2", "kvault", nil)
	for _, schema := range foreignSchemas {
		table := "kvault"
		if schema.by == "0.8" {
			table = "kv"
		}
		run("made by "+schema.by, table, schema.sql)
	}
}

// A copy of a value in chunk rows has none of its own, and they stay as long as any key needs them.
func TestCopiesShareChunks(t *testing.T) {
	t.Parallel()
	value := noise(3_000_000) // three chunks
	onSchemas(t, func(t *testing.T, path, table string) {
		s := open(t, path, tinyRows)
		put(t, s, "a", value)
		version := func() string { return query(t, path, `SELECT value FROM kvault_layout`) }
		if got := version(); got > "2" {
			t.Errorf("layout version %s before the first copy", got)
		}
		copyKey(t, s, "a", "b")
		copyKey(t, s, "b", "c")
		if got := query(t, path, large); got != "3 3 2 0" || version() != "3" {
			t.Errorf("after two copies %s, layout version %s", got, version())
		}
		d := must[engine.Stats](t)(s.Stats(t.Context())).Detail
		if d["copies in chunks"] != "2" || d["file version"] != "3" {
			t.Errorf("described as %v", d)
		}
		expectValues(t, s, value, "a", "b", "c")
		for _, step := range []struct {
			do   func()
			left string
			keys []string
		}{
			{func() { deleteKeys(t, s, "a") }, "3 3 2 0", []string{"b", "c"}},
			{func() { copyKey(t, s, "c", "a") }, "4 3 3 0", []string{"a", "b", "c"}},
			{func() { copyKey(t, s, "a", "b") }, "4 3 3 0", []string{"a", "b", "c"}},
			{func() {
				foreign(t, path, `DELETE FROM `+table+` WHERE key = CAST('a' AS BLOB)`)
			}, "3 3 2 0", []string{"b", "c"}},
			{func() { deleteKeys(t, s, "b") }, "2 3 1 0", []string{"c"}},
			{func() { relayout(t, s, engine.OneRow) }, "0 0 0 0", []string{"c"}},
		} {
			step.do()
			optimize(t, s)
			if got := query(t, path, large); got != step.left {
				t.Errorf("%s, want %s, of %q", got, step.left, step.keys)
			}
			expectValues(t, s, value, step.keys...)
		}
		if got := version(); got != "3" {
			t.Errorf("layout version %s", got)
		}
	})
}

// The sweeper alone, without Optimize, frees what the last copy needed.
func TestLastCopyIsSwept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, tinyRows)
	put(t, s, "a", noise(3_000_000))
	copyKey(t, s, "a", "b")
	for _, key := range []string{"a", "b"} {
		deleteKeys(t, s, key)
		if _, err := s.Shrink(t.Context(), 1e9); err != nil { // sweeps
			t.Fatal(err)
		}
		stats := must[engine.Stats](t)(s.Stats(t.Context()))
		if stats.Staged != 0 || stats.StagedBytes != 0 {
			t.Errorf("without %s: %+v", key, stats)
		}
		if want := map[string]string{"a": "1", "b": "0"}[key]; stats.Detail["values in chunks"] != want {
			t.Errorf("without %s: %s values in chunks, want %s", key, stats.Detail["values in chunks"], want)
		}
	}
	if got := query(t, path, large); got != "0 0 0 0" {
		t.Errorf("left: %s", got)
	}
}

// Another program that drops the index of copies loses nothing by it.
func TestCopiesWithoutTheirIndex(t *testing.T) {
	path, value := filepath.Join(t.TempDir(), "v.kv"), noise(3_000_000)
	s := open(t, path, tinyRows)
	put(t, s, "a", value)
	copyKey(t, s, "a", "b")
	foreign(t, path, `DROP INDEX kvault_values_copies`)
	deleteKeys(t, s, "a")
	optimize(t, s)
	expectValues(t, s, value, "b")
	copyKey(t, s, "b", "c") // makes it again
	deleteKeys(t, s, "b", "c")
	optimize(t, s)
	if got := query(t, path, large); got != "0 0 0 0" {
		t.Errorf("left: %s", got)
	}
}

// A value that the sweeper keeps for its copies alone has an id that no other gets.
func TestIDsOfSharedChunks(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "v.kv"), tinyRows)
	value := noise(3_000_000)
	put(t, s, "a", value)
	copyKey(t, s, "a", "b")
	deleteKeys(t, s, "a")
	optimize(t, s)
	other := bytes.Repeat([]byte("other"), 500_000)
	for i := range 3 {
		put(t, s, fmt.Sprint("other", i), other)
	}
	for i := range 3 {
		if got := must[[]byte](t)(s.Get(t.Context(), fmt.Sprint("other", i))); !bytes.Equal(got, other) {
			t.Errorf("other%d holds other bytes", i)
		}
		deleteKeys(t, s, fmt.Sprint("other", i))
	}
	optimize(t, s)
	expectValues(t, s, value, "b")
}

// Copies of a table are nobody else's, and a table that is gone takes its own along.
func TestCopiesInSeveralTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	value := noise(2_500_000)
	var stores []*sqlite.Store
	for _, table := range []string{"one", "two"} {
		s := open(t, path, &sqlite.Options{Table: table, OneRowLimit: 10})
		stores = append(stores, s)
		put(t, s, "a", append(value, table...))
		copyKey(t, s, "a", "b")
		deleteKeys(t, s, "a")
	}
	optimize(t, stores[0])
	for i, table := range []string{"one", "two"} {
		expectValues(t, stores[i], append(value, table...), "b")
	}
	if err := stores[1].Close(); err != nil {
		t.Fatal(err)
	}
	foreign(t, path, `DROP TABLE two`)
	optimize(t, stores[0])
	expectValues(t, stores[0], append(value, "one"...), "b")
	if got := query(t, path, large); got != "2 3 1 0" {
		t.Errorf("left: %s", got)
	}
	open(t, path, &sqlite.Options{Table: "three"})
	if got := query(t, path, `SELECT value FROM kvault_layout`); got != "3" {
		t.Errorf("another table made it layout version %s", got)
	}
}

// Whatever another program does to the rows of copies, no key loses its chunk rows.
func TestForeignWritesToCopies(t *testing.T) {
	t.Parallel()
	value := noise(2_500_000)
	onSchemas(t, func(t *testing.T, path, table string) {
		s := open(t, path, tinyRows)
		for _, sql := range []string{
			`UPDATE {t} SET value = x'00' WHERE key = {k}`,
			`UPDATE {t} SET value = value WHERE key = {k}`,
			`DELETE FROM {t} WHERE key = {k}`,
			`INSERT OR REPLACE INTO {t}(key, value) VALUES({k}, x'00')`,
		} {
			if table == "kvault" && strings.Contains(query(t, path, `SELECT sql FROM sqlite_schema WHERE name = 'kvault'`), "size INTEGER NOT NULL)") {
				sql = strings.Replace(sql, "(key, value) VALUES({k}, x'00')", "(key, value, size) VALUES({k}, x'00', 1)", 1)
			}
			for _, key := range []string{"a", "b"} {
				must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{{Kind: engine.DeleteRange}}))
				put(t, s, "a", value)
				copyKey(t, s, "a", "b")
				copyKey(t, s, "b", "c")
				foreign(t, path, strings.NewReplacer("{t}", table, "{k}", `CAST('`+key+`' AS BLOB)`).Replace(sql))
				optimize(t, s)
				deleteKeys(t, s, key)
				expectValues(t, s, value, strings.Trim("abc", key)[:1], "c")
			}
		}
		deleteKeys(t, s, "a", "b", "c")
		optimize(t, s)
		if got := query(t, path, large); got != "0 0 0 0" {
			t.Errorf("left: %s", got)
		}
	})
}

// Backups and salvaged files have all copies, also where the value that was copied is gone.
func TestCopiesElsewhere(t *testing.T) {
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "v.kv"), filepath.Join(dir, "backup.kv")
	value := noise(2_500_000)
	s := open(t, path, tinyRows)
	put(t, s, "a", value)
	copyKey(t, s, "a", "b")
	copyKey(t, s, "a", "c")
	deleteKeys(t, s, "a")
	optimize(t, s)
	if err := s.Backup(t.Context(), backup, nil); err != nil {
		t.Fatal(err)
	}
	expectValues(t, open(t, backup, &sqlite.Options{ReadOnly: true}), value, "b", "c")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	expectValues(t, open(t, path, &sqlite.Options{ReadOnly: true}), value, "b", "c")
	dst, report, losses := salvaged(t, path, sqlite.SalvageOptions{})
	if report.Keys != 2 || len(losses) > 0 {
		t.Errorf("%d keys, losses %q", report.Keys, losses)
	}
	expectValues(t, open(t, dst, nil), value, "b", "c")
}

// The record of a value that is kept for copies alone is no value whose row was lost.
func TestSalvageBringsNoCopiedValueBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, tinyRows)
	put(t, s, "gone", noise(2_500_000))
	copyKey(t, s, "gone", "b")
	copyKey(t, s, "gone", "c")
	deleteKeys(t, s, "gone")
	optimize(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	foreign(t, path, `PRAGMA writable_schema=1`, `DELETE FROM sqlite_schema WHERE name = 'sqlite_autoindex_kvault_1'`)
	dst, _, _ := salvaged(t, path, sqlite.SalvageOptions{})
	expectValues(t, open(t, dst, nil), noise(2_500_000), "b", "c")
}

// An upgrade to layout 2 keeps copies, and does not take the layout version back.
func TestUpgradeKeepsCopies(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := openLayout1(t, path, tinyRows)
	put(t, s, "a", noise(2_500_000))
	copyKey(t, s, "a", "b")
	copyKey(t, s, "b", "c")
	deleteKeys(t, s, "a")
	want := entries(t, s)
	optimize(t, s)
	if got := query(t, path, `SELECT value FROM kvault_layout`) + " " + query(t, path, large); got != "3 3 3 2 0" {
		t.Errorf("%s", got)
	}
	sameEntries(t, s, want)
	expectValues(t, s, noise(2_500_000), "b", "c")
}

// A copy whose record names chunk rows that are not there, or another's, is damaged, and harms
// nothing else.
func TestDamagedCopies(t *testing.T) {
	t.Parallel()
	for _, beat := range []string{"-3", "-9", "-1000000000000000", "-9223372036854775808"} {
		path := filepath.Join(t.TempDir(), "v.kv")
		s := open(t, path, tinyRows)
		put(t, s, "a", noise(2_500_000))
		put(t, s, "x", bytes.Repeat([]byte("x"), 2_500_000))
		copyKey(t, s, "a", "b")
		foreign(t, path, `UPDATE kvault_values SET beat = `+beat+` WHERE beat < 0`)
		found := 0
		if err := s.Check(t.Context(), func(p engine.Problem) {
			if found++; p.Key != "b" {
				t.Errorf("beat %s: %+v", beat, p)
			}
		}, nil); err != nil || found != 1 {
			t.Errorf("beat %s: %d problems, %v", beat, found, err)
		}
		deleteKeys(t, s, "b")
		optimize(t, s)
		if got := must[[]byte](t)(s.Get(t.Context(), "a")); !bytes.Equal(got, noise(2_500_000)) {
			t.Errorf("beat %s: a holds other bytes", beat)
		}
		checked(t, s)
	}
}

// Values of another program, which have no metadata, get what a put would give them.
func TestMetadataOfForeignValues(t *testing.T) {
	t.Parallel()
	onSchemas(t, func(t *testing.T, path, table string) {
		s := open(t, path, &sqlite.Options{OneRowLimit: 3 << 20})
		for _, size := range []int{0, 100, 2 << 20, 4 << 20} {
			value := noise(size)
			put(t, s, "k", value)
			want := must[engine.Entry](t)(s.Stat(t.Context(), "k")).Meta.Sum
			foreign(t, path, `UPDATE `+table+` SET value = value`)
			copyKey(t, s, "k", "copied")
			op := engine.Op{Kind: engine.SetMeta, Key: "k", Keep: engine.KeepModTime, Meta: engine.Meta{ContentType: "a/b"}}
			op.If.Tag = must[string](t)(s.Tag(t.Context(), "k"))
			must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{op}))
			for _, key := range []string{"k", "copied"} {
				m := must[engine.Entry](t)(s.Stat(t.Context(), key)).Meta
				if m.Tag == "" || m.Sum != want || !m.HasSum || m.ModTime.IsZero() || m.ContentType != map[string]string{"k": "a/b"}[key] {
					t.Errorf("%s of %d bytes: %+v", key, size, m)
				}
			}
			expectValues(t, s, value, "copied", "k")
		}
	})
}

// A value in one row is compared with its checksum as it is copied.
func TestCopyOfDamagedValue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, nil)
	for key, n := range map[string]int{"small": 100, "large": 3 << 20} {
		put(t, s, key, noise(n))
	}
	unnoticed(t, path, `UPDATE kvault SET value = zeroblob(octet_length(value))`)
	for _, key := range []string{"small", "large"} {
		_, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Copy, Key: key, To: "copy"}})
		if err == nil || !strings.Contains(err.Error(), "checksum") {
			t.Errorf("%s: %v", key, err)
		}
	}
	if n := must[int64](t)(s.Count(t.Context(), engine.Range{})); n != 2 {
		t.Errorf("%d keys", n)
	}
}
