package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// relayout returns what became of each value.
func relayout(t *testing.T, s *sqlite.Store, to engine.Layout) map[string]error {
	t.Helper()
	all := map[string]error{}
	if err := s.Relayout(t.Context(), to, func(r engine.Relayout) { all[r.Key] = r.Err }); err != nil {
		t.Fatal(err)
	}
	return all
}

// What is in one row is there for every program, and nothing of the chunks is left.
func TestRelayoutInTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, tinyRows)
	put(t, s, "small", noise(5))
	put(t, s, "large", noise(3_000_000))
	put(t, s, "empty", nil)
	if all := relayout(t, s, engine.OneRow); len(all) != 1 || all["large"] != nil {
		t.Errorf("%v", all)
	}
	if got := query(t, path, `SELECT value FROM kvault WHERE key = CAST('large' AS BLOB)`); got != string(noise(3_000_000)) {
		t.Errorf("another program reads %d bytes", len(got))
	}
	if got := query(t, path, `SELECT size FROM kvault WHERE key = CAST('large' AS BLOB)`); got != "3000000" {
		t.Errorf("size is %s", got)
	}
	checked(t, s)
	if err := s.Optimize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := query(t, path, `SELECT (SELECT count(*) FROM kvault_values), (SELECT count(*) FROM kvault_chunks)`); got != "0|0" {
		t.Errorf("values and chunks left: %s", got)
	}
	if all := relayout(t, s, engine.Chunks); len(all) != 1 || all["large"] != nil {
		t.Errorf("%v", all)
	}
	if got := query(t, path, `SELECT octet_length(value) FROM kvault WHERE key = CAST('large' AS BLOB)`); got != "42" {
		t.Errorf("%s bytes in the row", got)
	}
	checked(t, s)
}

func checked(t *testing.T, s *sqlite.Store) {
	t.Helper()
	if err := s.Check(t.Context(), func(p engine.Problem) { t.Errorf("%+v", p) }, nil); err != nil {
		t.Fatal(err)
	}
}

// Values that cannot be moved stay, and are named; the others are moved all the same.
func TestRelayoutThatCannotBe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, tinyRows)
	put(t, s, "a", noise(100))
	ref := []byte(query(t, path, `SELECT value FROM kvault`))
	put(t, s, "lookalike", ref)
	for _, key := range []string{"changed", "lost", "user", "z"} {
		put(t, s, key, noise(2_000_000))
	}
	row := func(key string, n int) string {
		return fmt.Sprintf(`(SELECT (id << 28) + %d FROM kvault_values WHERE key = CAST('%s' AS BLOB))`, n, key)
	}
	foreign(t, path, `UPDATE kvault_chunks SET data = zeroblob(length(data)) WHERE id = `+row("changed", 0),
		`DELETE FROM kvault_chunks WHERE id = `+row("lost", 1))
	unnoticed(t, path, `UPDATE kvault SET user = '{' WHERE key = CAST('user' AS BLOB)`)
	all := relayout(t, s, engine.OneRow)
	want := map[string]error{"lookalike": engine.ErrUnsupported, "changed": engine.ErrCorrupt, "lost": engine.ErrCorrupt, "user": engine.ErrCorrupt, "a": nil, "z": nil}
	for key, err := range want {
		if got, reported := all[key]; !reported || !errors.Is(got, err) {
			t.Errorf("%s: %v, want %v", key, got, err)
		}
	}
	if len(all) != len(want) {
		t.Errorf("%v", all)
	}
	if got := must[[]byte](t)(s.Get(t.Context(), "lookalike")); !bytes.Equal(got, ref) {
		t.Errorf("%x", got)
	}
	if got := must[[]byte](t)(s.Get(t.Context(), "z")); !bytes.Equal(got, noise(2_000_000)) {
		t.Errorf("%d bytes", len(got))
	}
}

// Values of another program get metadata when they are put in chunks; those whose metadata it
// dropped become one row without.
func TestRelayoutWithoutMetadata(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, tinyRows)
	put(t, s, "k", noise(2_000_000))
	foreign(t, path, `UPDATE kvault SET value = value`)
	if all := relayout(t, s, engine.OneRow); len(all) != 1 || all["k"] != nil {
		t.Errorf("%v", all)
	}
	if e := must[engine.Entry](t)(s.Stat(t.Context(), "k")); e.Meta.Tag != "" {
		t.Errorf("%+v", e)
	}
	if all := relayout(t, s, engine.Chunks); len(all) != 1 || all["k"] != nil {
		t.Errorf("%v", all)
	}
	if e := must[engine.Entry](t)(s.Stat(t.Context(), "k")); e.Meta.Tag == "" || !e.Meta.HasSum {
		t.Errorf("%+v", e)
	}
	checked(t, s)
}

// A call that is broken off is taken up by the next, however many keys there are.
func TestRelayoutBrokenOff(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "v.kv"), tinyRows)
	const keys = 600
	var ops []engine.Op
	for i := range keys {
		ops = append(ops, engine.Op{Kind: engine.Put, Key: fmt.Sprint(i), Value: noise(50 + i)})
	}
	must[[]engine.Result](t)(s.Apply(t.Context(), ops))
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := s.Relayout(ctx, engine.OneRow, func(engine.Relayout) {
		if n++; n == 100 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || n != 100 {
		t.Errorf("%d, %v", n, err)
	}
	if all := relayout(t, s, engine.OneRow); len(all) != keys-100 {
		t.Errorf("%d values in the second call", len(all))
	}
	for i := range keys {
		if got := must[[]byte](t)(s.Get(t.Context(), fmt.Sprint(i))); !bytes.Equal(got, noise(50+i)) {
			t.Errorf("%d: %d bytes", i, len(got))
		}
	}
}

func TestRelayoutReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	open(t, path, nil)
	s := open(t, path, &sqlite.Options{ReadOnly: true})
	if err := s.Relayout(t.Context(), engine.OneRow, nil); !errors.Is(err, engine.ErrReadOnly) {
		t.Error(err)
	}
}

// A value above the default limit, in a table made here and in one whose rows SQLite builds in
// memory.
func TestRelayoutLargeValue(t *testing.T) {
	t.Parallel()
	const size = 70 << 20
	for name, sql := range map[string][]string{
		"ours":       nil,
		"value last": {`CREATE TABLE kvault(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)`},
		"size last":  {`CREATE TABLE kvault(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL, size INTEGER NOT NULL)`},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "v.kv")
			foreign(t, path, sql...)
			s := open(t, path, &sqlite.Options{CacheKB: 4096})
			st := must[engine.Stage](t)(s.Stage(t.Context(), engine.StageOptions{ChunkSize: 1 << 20, Size: size}))
			piece := noise(1 << 20)
			for range size >> 20 {
				if err := st.WriteChunk(t.Context(), piece); err != nil {
					t.Fatal(err)
				}
			}
			must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "k", Staged: st}}))
			before := must[engine.Entry](t)(s.Stat(t.Context(), "k"))
			all := relayout(t, s, engine.OneRow)
			if err, ok := all["k"]; name == "size last" {
				if !errors.Is(err, engine.ErrTooLarge) {
					t.Errorf("%v", all)
				}
			} else if err != nil || !ok {
				t.Errorf("%v", all)
			} else if got := query(t, path, `SELECT octet_length(value) FROM kvault`); got != fmt.Sprint(size) {
				t.Errorf("%s bytes in the row", got)
			}
			after := must[engine.Entry](t)(s.Stat(t.Context(), "k"))
			if after.Size != size || after.Meta.Tag != before.Meta.Tag || after.Meta.Sum != before.Meta.Sum {
				t.Errorf("%+v, was %+v", after, before)
			}
			checked(t, s)
		})
	}
}
