package sqlite_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// Long values are zeros before they are what they are. Rules that another program has made for them
// see the values alone.
func TestRulesForValues(t *testing.T) {
	t.Parallel()
	png := "\x89PNG"
	long := func(head string, n int) []byte { return append([]byte(head), noise(n)...) }
	const size = 200 << 10
	zeros := bytes.Repeat([]byte{0}, size+4)
	for _, tt := range []struct {
		name, create string
		allowed      [][]byte
		refused      []byte
	}{
		{"check for", `CREATE TABLE kvault(id INTEGER PRIMARY KEY, key BLOB UNIQUE, value BLOB CHECK(substr(value,1,4)=x'89504e47'))`,
			[][]byte{long(png, 10), long(png, size), long(png, 2*size)}, long("none", size)},
		{"check against", `CREATE TABLE kvault(id INTEGER PRIMARY KEY, key BLOB UNIQUE, value BLOB CHECK(substr(value,1,4)<>x'89504e47'))`,
			[][]byte{long("none", size), zeros, long("none", 2<<20)}, long(png, size)},
		{"unique", `CREATE TABLE kvault(id INTEGER PRIMARY KEY, key BLOB UNIQUE, value BLOB UNIQUE)`,
			[][]byte{zeros, long("some", size), long("more", 2<<20)}, zeros},
		{"unique, replacing", `CREATE TABLE kvault(id INTEGER PRIMARY KEY, key BLOB UNIQUE, value BLOB UNIQUE ON CONFLICT REPLACE)`,
			[][]byte{zeros, long("some", size), long("more", size)}, nil},
		{"unique, ignoring", `CREATE TABLE kvault(id INTEGER PRIMARY KEY, key BLOB UNIQUE, value BLOB UNIQUE ON CONFLICT IGNORE)`,
			[][]byte{zeros, long("some", size), long("more", size)}, zeros},
		{"ignoring all", `CREATE TABLE kvault(id INTEGER PRIMARY KEY, key BLOB UNIQUE, note TEXT NOT NULL ON CONFLICT IGNORE, value BLOB);
			INSERT INTO kvault(key, note, value) VALUES(x'7468657265', 'x', x'00')`, nil, long("some", size)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "v.kv")
			foreign(t, path, tt.create)
			s := open(t, path, nil)
			for i, value := range tt.allowed {
				put(t, s, string(rune('a'+i)), value)
			}
			if tt.refused != nil {
				_, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "refused", Value: tt.refused}})
				if err == nil {
					t.Error("what the table refuses was put")
				}
				if _, err := s.Get(t.Context(), "refused"); !errors.Is(err, engine.ErrNotFound) {
					t.Errorf("what was refused: %v", err)
				}
			}
			for i, value := range tt.allowed {
				if got := must[[]byte](t)(s.Get(t.Context(), string(rune('a'+i)))); !bytes.Equal(got, value) {
					t.Errorf("value %d of %d bytes reads back different", i, len(value))
				}
			}
			sound(t, s, path)
		})
	}
}

// sound has the vault and SQLite look for damage.
func sound(t *testing.T, s *sqlite.Store, path string) {
	t.Helper()
	if err := s.Check(t.Context(), func(p engine.Problem) { t.Errorf("%s: %v", p.Key, p.Err) }, nil); err != nil {
		t.Error(err)
	}
	if got := query(t, path, `PRAGMA integrity_check`); got != "ok" {
		t.Error(got)
	}
}

// The same holds for rules that are made while the vault is open, and for its own table of chunks.
func TestRulesMadeMeanwhile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &sqlite.Options{OneRowLimit: 3 << 20})
	values := map[string][]byte{}
	puts := func(prefix string) {
		t.Helper()
		for _, n := range []int{200 << 10, 1 << 20, 2 << 20, 4 << 20} {
			key := prefix + string(rune('a'+len(values)))
			values[key] = append([]byte("\x89PNG"), noise(n)...)
			put(t, s, key, values[key])
		}
	}
	puts("before")
	foreign(t, path, `CREATE INDEX somebody ON kvault(value)`)
	puts("indexed")
	if got := query(t, path, `PRAGMA integrity_check`); got != "ok" {
		t.Error(got)
	}
	for rule, want := range map[string]error{ // with which the vault cannot be opened, either
		`CREATE INDEX pngs ON kvault(key) WHERE substr(value,1,4)=x'89504e47'`: engine.ErrInvalid,
		`CREATE INDEX pngs ON kvault_chunks(id >> 28)`:                         engine.ErrInvalid,
		`CREATE INDEX pngs ON kvault_chunks(data)`:                             engine.ErrCorrupt,
	} {
		foreign(t, path, rule)
		if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "refused", Value: noise(4 << 20)}}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", rule, err, want)
		}
		foreign(t, path, `DROP INDEX pngs`)
	}
	puts("after")
	must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{{Kind: engine.Rename, Key: "indexedg", To: "renamed"}}))
	values["renamed"] = values["indexedg"]
	delete(values, "indexedg")
	for key, value := range values {
		if got := must[[]byte](t)(s.Get(t.Context(), key)); !bytes.Equal(got, value) {
			t.Errorf("%s of %d bytes reads back different", key, len(value))
		}
	}
	sound(t, s, path)
}
