//go:build python

package pyexchange

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
)

// turns is how often a file is handed over, there and back again.
const turns = 4

// files returns a function that writes its argument into a file and returns the path.
func files(t *testing.T) func([]byte) string {
	path := filepath.Join(t.TempDir(), "value")
	return func(b []byte) string {
		must(t, os.WriteFile(path, b, 0o600))
		return path
	}
}

func TestKeysAndValues(t *testing.T) {
	eachVersion(t, func(t *testing.T, v *version) {
		for _, ours := range []bool{true, false} {
			for _, table := range []string{"kv", "kvault"} {
				for _, pageSize := range []int{4096, 32768} {
					maker := map[bool]string{true: "ours", false: "theirs"}[ours]
					t.Run(fmt.Sprintf("%s/%s/%d", maker, table, pageSize), func(t *testing.T) { exchangeKeys(t, v, ours, table, pageSize) })
				}
			}
		}
	})
}

func exchangeKeys(t *testing.T, v *version, ours bool, table string, pageSize int) {
	path, d, file := newPath(t), v.start(t), files(t)
	r := source{rand.New(rand.NewPCG(uint64(pageSize), uint64(len(table)))), pageSize}
	m := values{}
	for turn := range 2 * turns {
		if ours == (turn%2 == 0) {
			o := &kvault.Options{PageSize: pageSize, ChunkSize: 5000}
			if turn == 0 || turn%4 > 1 { // else it is found
				o.Table = table
			}
			vault, err := kvault.Open(t.Context(), path, o)
			must(t, err)
			m.ours(t, vault)
			must(t, m.changeHere(t.Context(), r, vault, 25))
			if turn == 5 || turn == 6 {
				_, err := vault.Clear(t.Context())
				must(t, err)
				clear(m)
				must(t, m.changeHere(t.Context(), r, vault, 10))
				must(t, vault.Optimize(t.Context(), nil))
			}
			m.ours(t, vault)
			check(t, vault, path)
			must(t, vault.Close())
			continue
		}
		d.do(t, "open", args{"path": path, "table": table, "page_size": pageSize}, nil)
		m.theirs(t, d)
		m.changeThere(t, r, v, d, 25, file)
		if turn == 3 || turn == 4 {
			d.do(t, "clear", nil, nil)
			clear(m)
			m.changeThere(t, r, v, d, 10, file)
			d.do(t, "optimize", nil, nil)
		}
		m.theirs(t, d)
		d.do(t, "close", nil, nil)
	}
	want := map[bool]string{
		true:  `(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, size INTEGER NOT NULL DEFAULT -1, tag INTEGER, mtime INTEGER, sum INTEGER, stage INTEGER, type TEXT, user TEXT, value BLOB NOT NULL)`,
		false: `( key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL )`,
	}[ours]
	if !ours && v.sized {
		want = `( id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL, size INTEGER NOT NULL )`
	}
	if got := schema(t, path, table); !strings.HasSuffix(strings.ReplaceAll(got, `"(`, "("), strings.TrimPrefix(want, "(")) {
		t.Errorf("schema %s, want %s", got, want)
	}
}

// A stream of 100 MB, in both directions, both ways of streaming.
func TestStreams(t *testing.T) {
	const size = 100_000_000
	value := source{Rand: rand.New(rand.NewPCG(1, 2))}.bytes(size)
	eachVersion(t, func(t *testing.T, v *version) {
		d, path, file := v.start(t), newPath(t), files(t)
		d.do(t, "open", args{"path": path, "table": "kvault"}, nil)
		if v.noStreams {
			d.do(t, "put", args{"key": []byte("theirs"), "value": value}, nil)
		} else {
			d.do(t, "put_file", args{"key": []byte("theirs"), "path": file(value)}, nil)
		}
		d.do(t, "close", nil, nil)
		vault := open(t, path, nil)
		r, err := vault.NewReader(t.Context(), "theirs")
		must(t, err)
		got := new(bytes.Buffer)
		if _, err := r.WriteTo(got); err != nil || !bytes.Equal(got.Bytes(), value) {
			t.Errorf("theirs: %d bytes, %v", got.Len(), err)
		}
		must(t, r.Close())
		check(t, vault, path)

		path = newPath(t)
		vault = open(t, path, &kvault.Options{OneRowLimit: 500_000_000})
		_, err = vault.PutReader(t.Context(), "ours", bytes.NewReader(value), nil)
		must(t, err)
		check(t, vault, path)
		must(t, vault.Close())
		d.do(t, "open", args{"path": path, "table": "kvault"}, nil)
		out := filepath.Join(t.TempDir(), "out")
		d.do(t, "get_file", args{"key": []byte("ours"), "path": out}, nil)
		b, err := os.ReadFile(out)
		must(t, err)
		if !bytes.Equal(b, value) {
			t.Errorf("ours: %d bytes there", len(b))
		}
		values{"ours": value}.theirs(t, d)
		d.do(t, "close", nil, nil)
	})
}

// 0.2 cannot stream a value in, whoever made the file, and leaves zeros where the value should be. That is what is then read here too.
func TestStreamsOf02(t *testing.T) {
	v := versions[0]
	d, path, file := v.start(t), newPath(t), files(t)
	d.do(t, "open", args{"path": path}, nil)
	d.do(t, "put", args{"key": []byte("k"), "value": []byte("old value")}, nil)
	if text := d.refuses(t, "put_file", args{"key": []byte("k"), "path": file([]byte("new"))}); !strings.Contains(text, "readonly") {
		t.Errorf("it says %s", text)
	}
	m := values{"k": {0, 0, 0}}
	m.theirs(t, d)
	d.do(t, "close", nil, nil)
	m.ours(t, open(t, path, nil))
}

// schema is the SQL that made a table, with all blanks as one.
func schema(t *testing.T, path, table string) string {
	t.Helper()
	return strings.Join(strings.Fields(query(t, path, fmt.Sprintf(`SELECT sql FROM sqlite_schema WHERE name = '%s'`, table))), " ")
}
