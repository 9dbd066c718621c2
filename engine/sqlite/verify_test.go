package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
	"github.com/kohakuvault/kvault/internal/race"
)

// stored is a value of a test, in one row or in chunk rows.
type stored struct {
	size, chunk int
	altered     int // by the alteration before this one
}

func (v stored) key() string {
	key := fmt.Sprintf("%d bytes", v.size)
	if v.chunk > 0 {
		key += fmt.Sprintf(" in chunks of %d", v.chunk)
	}
	if v.altered > 0 {
		key += ", altered in " + alterations[v.altered-1].name
	}
	return key
}

func (v stored) value() []byte { return pattern(uint64(v.size), v.size) }

const oneRow = smallBytes + 1 // the one-row limit

var storedValues = []stored{
	{size: 0}, {size: 1}, {size: format.RefLen}, {size: 1000}, {size: smallBytes}, {size: oneRow},
	{size: 1_200_000, chunk: 300_000}, {size: 1_200_000, chunk: 1_200_000}, {size: oneRow + 1, chunk: 2_000_000},
}

func storeValues(t testing.TB, s *Store, values ...stored) {
	t.Helper()
	for _, v := range values {
		if v.chunk == 0 {
			putFast(t, s, v.key(), v.value())
			continue
		}
		st, err := s.Stage(t.Context(), engine.StageOptions{ChunkSize: v.chunk, Size: int64(v.size)})
		if err != nil {
			t.Fatal(err)
		}
		for p := v.value(); len(p) > 0; p = p[min(len(p), v.chunk):] {
			if err := st.WriteChunk(t.Context(), p[:min(len(p), v.chunk)]); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: v.key(), Staged: st}}); err != nil {
			t.Fatal(err)
		}
	}
}

// damage alters a file as no program means to: no trigger fires and no metadata changes.
type damage struct {
	testing.TB
	c *driver.Conn
}

func damageFile(t testing.TB, path string, do func(damage)) {
	t.Helper()
	c, err := driver.Open(context.Background(), driver.Config{Path: path, BusyTimeout: DefaultBusyTimeout})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do(damage{t, c})
}

func createFile(t testing.TB, path, sql string) {
	t.Helper()
	c, err := driver.Open(context.Background(), driver.Config{Path: path, Create: true})
	if err == nil {
		err = errors.Join(c.Exec(sql), c.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (d damage) exec(sql string) {
	d.Helper()
	if err := d.c.Exec(sql); err != nil {
		d.Fatalf("%s: %v", sql, err)
	}
}

// flip changes a bit of a cell.
func (d damage) flip(table, column string, row, off int64) {
	d.Helper()
	b, err := d.c.OpenBlob(table, column, row, true)
	if err != nil {
		d.Fatal(err)
	}
	p := make([]byte, 1)
	if err := b.ReadAt(p, off); err != nil {
		d.Fatal(err)
	}
	p[0] ^= 0x10
	if err := errors.Join(b.WriteAt(p, off), b.Close()); err != nil {
		d.Fatal(err)
	}
}

// row is the id of a key's row, or, in chunk rows, that of its value.
func (d damage) row(v stored) (id int64) {
	d.Helper()
	sql := `SELECT rowid FROM kvault WHERE key = ?1`
	if v.chunk > 0 {
		sql = `SELECT id FROM ` + format.ValuesTable + ` WHERE key = ?1`
	}
	st, err := d.c.Prepare(sql)
	if err != nil {
		d.Fatal(err)
	}
	defer st.Reset()
	if there, err := st.Key(1, v.key()).Step(); err != nil || !there {
		d.Fatalf("no row of %q: %v", v.key(), err)
	}
	return st.ColInt(0)
}

// alterations are what can become of a value, from which reads must not return what it was not.
var alterations []alteration

type alteration struct {
	name    string
	applies func(stored) bool
	do      func(damage, stored)
	sound   func(stored) int // how many of the first bytes nothing refutes
}

func init() {
	alterations = []alteration{
		{"a byte", func(v stored) bool { return v.chunk == 0 && v.size > 0 },
			func(d damage, v stored) { d.flip("kvault", "value", d.row(v), int64(v.size/2)) },
			func(v stored) int { return v.size - 1 }},
		{"the last byte", func(v stored) bool { return v.chunk == 0 && v.size > 0 },
			func(d damage, v stored) { d.flip("kvault", "value", d.row(v), int64(v.size-1)) },
			func(v stored) int { return v.size - 1 }},
		{"the checksum", func(v stored) bool { return true }, damage.alterSum,
			func(v stored) int { return v.size - 1 }},
		{"a byte of the first chunk", func(v stored) bool { return v.chunk > 0 },
			func(d damage, v stored) { d.flip(format.ChunksTable, "data", format.ChunkRow(d.row(v), 0), 77) },
			func(v stored) int { return 0 }},
		{"a byte of the last chunk", func(v stored) bool { return v.chunk > 0 },
			func(d damage, v stored) {
				last := (v.size - 1) / v.chunk
				d.flip(format.ChunksTable, "data", format.ChunkRow(d.row(v), int64(last)), int64(v.size-last*v.chunk-1))
			},
			func(v stored) int { return (v.size - 1) / v.chunk * v.chunk }},
		{"the checksum of the second chunk", func(v stored) bool { return v.chunk > 0 && v.chunk < v.size },
			func(d damage, v stored) {
				d.exec(fmt.Sprintf(`UPDATE %s SET sum = sum + 1 WHERE id = %d`, format.ChunksTable, format.ChunkRow(d.row(v), 1)))
			},
			func(v stored) int { return v.chunk }},
		{"the order of chunks", func(v stored) bool { return v.chunk > 0 && 2*v.chunk < v.size },
			func(d damage, v stored) {
				a, b := format.ChunkRow(d.row(v), 0), format.ChunkRow(d.row(v), 1)
				move := `UPDATE ` + format.ChunksTable + ` SET id = %d WHERE id = %d;`
				d.exec(fmt.Sprintf(move+move+move, 1, a, a, b, b, 1))
			},
			func(v stored) int { return (v.size - 1) / v.chunk * v.chunk }},
	}
}

// alterSum changes the checksum of a value, wherever that is.
func (d damage) alterSum(v stored) {
	d.Helper()
	key := `(SELECT CAST('` + v.key() + `' AS BLOB))`
	for _, sql := range []string{
		`UPDATE kvault SET sum = sum + 1 WHERE key = ` + key,
		`UPDATE kvault_kvmeta SET sum = sum + 1 WHERE id = (SELECT k.id FROM kvault k WHERE k.key = ` + key + `)`,
		`UPDATE kvault_kvmeta SET sum = sum + 1 WHERE id = ` + key,
	} {
		if err := d.c.Exec(sql); err == nil && d.c.Changes() == 1 {
			return
		}
	}
	d.Fatalf("%s: no checksum", v.key())
}

// wholeReads are the ways to read a whole value. They return what came out before an error, too.
var wholeReads = map[string]func(s *Store, key string) ([]byte, error){
	"Get": func(s *Store, key string) ([]byte, error) { return s.Get(context.Background(), key) },
	"append": func(s *Store, key string) ([]byte, error) {
		value, err := s.AppendValue(context.Background(), []byte("before"), key)
		return bytes.TrimPrefix(value, []byte("before")), err
	},
	"list": func(s *Store, key string) ([]byte, error) { return listOne(s, key) },
	"snapshot": func(s *Store, key string) ([]byte, error) {
		return inTx(s, false, func(x engine.Tx) ([]byte, error) { return x.Get(context.Background(), key) })
	},
	"snapshot's list": func(s *Store, key string) ([]byte, error) {
		return inTx(s, false, func(x engine.Tx) ([]byte, error) { return listOne(x, key) })
	},
	"snapshot's stream": func(s *Store, key string) ([]byte, error) {
		return inTx(s, false, func(x engine.Tx) ([]byte, error) { return streamed(x, key, 70_000) })
	},
	"transaction": func(s *Store, key string) ([]byte, error) {
		return inTx(s, true, func(x engine.Tx) ([]byte, error) { return x.Get(context.Background(), key) })
	},
	"transaction's stream": func(s *Store, key string) ([]byte, error) {
		return inTx(s, true, func(x engine.Tx) ([]byte, error) { return streamed(x, key, 70_000) })
	},
	"take": func(s *Store, key string) ([]byte, error) {
		return inTx(s, true, func(x engine.Tx) ([]byte, error) {
			res, err := x.Apply(context.Background(), []engine.Op{{Kind: engine.Delete, Key: key, Take: true}})
			if err != nil {
				return nil, err
			}
			return res[0].Value, nil
		})
	},
	"stream, odd":    func(s *Store, key string) ([]byte, error) { return streamed(s, key, 9999) },
	"stream, 32 KiB": func(s *Store, key string) ([]byte, error) { return streamed(s, key, 32<<10) },
	"stream, 1 MiB":  func(s *Store, key string) ([]byte, error) { return streamed(s, key, 1<<20) },
	"stream, whole":  func(s *Store, key string) ([]byte, error) { return streamed(s, key, 4<<20) },
	"moved": func(s *Store, key string) ([]byte, error) {
		return streamedAnd(s, key, 100_000, func(b *blob, at int) {
			if at == 200_000 && b.conn != nil {
				b.advance()
			}
		})
	},
	"ReadAt": func(s *Store, key string) ([]byte, error) {
		b, err := s.Open(context.Background(), key)
		if err != nil {
			return nil, err
		}
		defer b.Close()
		p := make([]byte, b.Entry().Size)
		n, err := b.ReadAt(context.Background(), p, 0)
		if err == io.EOF {
			err = nil
		}
		return p[:n], err
	},
}

func inTx(s *Store, writable bool, fn func(engine.Tx) ([]byte, error)) ([]byte, error) {
	x, err := s.Begin(context.Background(), writable)
	if err != nil {
		return nil, err
	}
	defer x.Rollback()
	return fn(x)
}

func listOne(r engine.Reader, key string) ([]byte, error) {
	page, err := r.List(context.Background(), engine.Query{Range: engine.Range{Start: key}, Limit: 1, Values: true})
	if err != nil {
		return nil, err
	}
	return page.Items[0].Value, nil
}

func streamed(r engine.Reader, key string, piece int) ([]byte, error) {
	return streamedAnd(r, key, piece, func(*blob, int) {})
}

// readOnAnd reads a value in order, and calls fn before each read.
func streamedAnd(r engine.Reader, key string, piece int, fn func(b *blob, at int)) (got []byte, err error) {
	opened, err := r.Open(context.Background(), key)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	p := make([]byte, piece)
	for {
		if b, ok := opened.(*blob); ok {
			fn(b, len(got))
		}
		n, err := opened.(engine.Verifier).ReadOn(context.Background(), p, int64(len(got)))
		got = append(got, p[:n]...)
		if err == io.EOF {
			return got, nil
		}
		if err != nil {
			_, again := opened.(engine.Verifier).ReadOn(context.Background(), p, int64(len(got)))
			if again == nil || again == io.EOF {
				err = fmt.Errorf("the error %v does not come again", err)
			}
			return got, err
		}
	}
}

// readsOf are ways for a store to come by the bytes.
var readsOf = map[string]struct {
	create string // the table, if another program made it
	o      Options
	log    bool // leaves the damage in the log
	all    bool // reads in all ways
}{
	"fast":             {all: true},
	"log":              {log: true, all: true},
	"SQLite":           {o: Options{noFastReads: true}},
	"rollback journal": {o: *Options{DisableWAL: true}.On(Unsynced)},
	"layout 1":         {create: Layout1},
	"Python 0.5": {create: `CREATE TABLE kvault(
		id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL, size INTEGER NOT NULL)`},
	"Python 0.6": {create: `CREATE TABLE kvault(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)`},
}

// No way to read a whole value returns one that was altered, nor more of it than nothing refutes;
// and each does where that is asked for.
func TestAlteredValues(t *testing.T) {
	for name, reads := range readsOf {
		if race.Slowdown > 1 && !reads.all {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reads.o.OneRowLimit = oneRow
			path := filepath.Join(t.TempDir(), "v.kv")
			if reads.create != "" {
				createFile(t, path, reads.create)
			}
			s := openFast(t, path, reads.o)
			values := slices.Clone(storedValues)
			for i, a := range alterations {
				for _, v := range storedValues {
					if a.applies(v) {
						v.altered = i + 1
						values = append(values, v)
					}
				}
			}
			storeValues(t, s, values...)
			damageFile(t, path, func(d damage) {
				for _, v := range values {
					if v.altered > 0 {
						alterations[v.altered-1].do(d, v)
					}
				}
				if !reads.log && !reads.o.DisableWAL {
					d.exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
				}
			})
			for _, v := range values {
				readAltered(t, s, v, reads.all)
			}
			checkAltered(t, s, values)
			s.Close()
			reads.o.DisableVerification = true
			s = openFast(t, path, reads.o)
			for _, v := range values {
				readUnverified(t, s, v)
			}
		})
	}
}

// someReads are ways that share no code.
var someReads = []string{"Get", "list", "stream, 32 KiB", "stream, 1 MiB"}

func readAltered(t *testing.T, s *Store, v stored, all bool) {
	t.Helper()
	value := v.value()
	for how, read := range wholeReads {
		if !all && !slices.Contains(someReads, how) {
			continue
		}
		got, err := read(s, v.key())
		if v.altered == 0 {
			if err != nil || !bytes.Equal(got, value) {
				t.Errorf("%s, %s: %d bytes, %v", v.key(), how, len(got), err)
			}
			continue
		}
		if !errors.Is(err, engine.ErrCorrupt) {
			t.Errorf("%s, %s: %d bytes, %v; want ErrCorrupt", v.key(), how, len(got), err)
		}
		if len(got) > max(alterations[v.altered-1].sound(v), 0) {
			t.Errorf("%s, %s: %d bytes were returned", v.key(), how, len(got))
		}
	}
}

func checkAltered(t *testing.T, s *Store, values []stored) {
	t.Helper()
	found := map[string]bool{}
	if err := s.Check(t.Context(), func(p engine.Problem) { found[p.Key] = true }, nil); err != nil {
		t.Error(err)
	}
	for _, v := range values {
		if found[v.key()] != (v.altered > 0) {
			t.Errorf("%s: Check reports %t", v.key(), found[v.key()])
		}
	}
}

func readUnverified(t *testing.T, s *Store, v stored) {
	t.Helper()
	for _, how := range someReads {
		if got, err := wholeReads[how](s, v.key()); err != nil || len(got) != v.size {
			t.Errorf("unverified, %s, %s: %d bytes, %v", v.key(), how, len(got), err)
		}
	}
}

// A part of a value is compared as far as whole chunks go.
func TestAlteredParts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := openFast(t, path, Options{OneRowLimit: oneRow})
	v, row := stored{size: 1_200_000, chunk: 300_000}, stored{size: oneRow}
	storeValues(t, s, v, row)
	damageFile(t, path, func(d damage) {
		d.flip(format.ChunksTable, "data", format.ChunkRow(d.row(v), 1), 5)
		d.flip("kvault", "value", d.row(row), 5)
	})
	for _, tt := range []struct {
		v      stored
		off, n int
		on     bool // reads in order
		want   error
	}{
		{v, 0, 300_000, false, nil}, {v, 300_000, 300_000, false, engine.ErrCorrupt}, {v, 299_999, 300_002, false, engine.ErrCorrupt},
		{v, 299_999, 300_000, false, nil}, {v, 300_000, 10, false, nil}, {v, 600_000, 600_000, false, nil},
		{v, 0, 10, true, nil}, {v, 299_999, 1, true, nil}, {v, 299_999, 2, true, engine.ErrCorrupt},
		{v, 300_000, 1, true, engine.ErrCorrupt}, {v, 599_999, 1, true, engine.ErrCorrupt}, {v, 600_000, 1, true, nil},
		{row, 0, 10, true, nil}, {row, 10, oneRow - 10, true, nil}, {row, 0, oneRow, true, engine.ErrCorrupt},
		{row, 0, oneRow, false, engine.ErrCorrupt}, {row, 0, oneRow - 1, false, nil},
	} {
		b, err := s.Open(t.Context(), tt.v.key())
		if err != nil {
			t.Fatal(err)
		}
		read := b.ReadAt
		if tt.on {
			read = b.(engine.Verifier).ReadOn
		}
		n, err := read(t.Context(), make([]byte, tt.n), int64(tt.off))
		if !errors.Is(err, tt.want) || tt.want == nil && n != tt.n || tt.want != nil && n != 0 {
			t.Errorf("%s, %d bytes from %d, in order %t: %d, %v; want %v", tt.v.key(), tt.n, tt.off, tt.on, n, err, tt.want)
		}
		b.Close()
	}
}
