package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/faultfs"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/rawfile"
)

// directTables are key-value tables of other programs, and whether they can be read without SQLite.
var directTables = []struct {
	name, create string
	page         int
	usable       bool
}{
	{"small pages", (&table{name: "t"}).create(), 512, true},
	{"own", (&table{name: "t"}).create(), 8192, true},
	{"large pages", (&table{name: "t"}).create(), 65536, true},
	{"python 0.2", `CREATE TABLE t(key BLOB PRIMARY KEY, value BLOB NOT NULL)`, 4096, true},
	{"value first", `CREATE TABLE t(value BLOB, key BLOB UNIQUE, id INTEGER PRIMARY KEY)`, 1024, true},
	{"value added later", `CREATE TABLE t(id INTEGER PRIMARY KEY, key BLOB UNIQUE); INSERT INTO t(key) VALUES(x'00ff'), (x'61');
		ALTER TABLE t ADD COLUMN value BLOB DEFAULT x'6162'`, 1024, true},
	{"further indexes", `CREATE TABLE t(id INTEGER PRIMARY KEY, key BLOB, size INTEGER, value BLOB); CREATE INDEX a ON t(key);
		CREATE UNIQUE INDEX b ON t(key, size); CREATE UNIQUE INDEX c ON t(value, id, key); CREATE UNIQUE INDEX d ON t(key)`, 1024, true},
	{"no index", `CREATE TABLE t(id INTEGER PRIMARY KEY, key BLOB, value BLOB)`, 1024, false},
	{"index of all", `CREATE TABLE t(id INTEGER PRIMARY KEY, key BLOB, value BLOB); CREATE INDEX a ON t(key)`, 1024, false},
	{"descending", `CREATE TABLE t(id INTEGER PRIMARY KEY, key BLOB, value BLOB, UNIQUE(key DESC))`, 1024, false},
	{"without case", `CREATE TABLE t(id INTEGER PRIMARY KEY, key BLOB COLLATE NOCASE UNIQUE, value BLOB)`, 1024, false},
}

// What is read without SQLite is what SQLite reads, whatever the pages, the table and the rows of other programs.
func TestDirectReads(t *testing.T) {
	for _, tt := range directTables {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "v.db")
			keys := writeDirect(t, path, tt.create, tt.page)
			compareDirect(t, openRest(t, path, Options{Table: "t", ReadOnly: true}), keys, tt.usable)
		})
	}
}

// writeDirect makes a file as another program might have. It returns the keys that are blobs, in order, and some that are not there.
func writeDirect(t *testing.T, path, create string, page int) (keys []string) {
	t.Helper()
	conn, err := driver.Open(context.Background(), driver.Config{Path: path, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Exec(fmt.Sprintf(`PRAGMA page_size=%d; PRAGMA journal_mode=WAL; BEGIN; %s`, page, create)); err != nil {
		t.Fatal(err)
	}
	insert := func(key, value string) {
		if err := conn.Exec(`INSERT OR IGNORE INTO t(key, value) VALUES(` + key + `, ` + value + `)`); err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	long := strings.Repeat("long", page)
	for i := range Amount(200, 500) {
		keys = append(keys, fmt.Sprintf("%04d", r.IntN(1000)), fmt.Sprintf("%d/%s", i, long[:r.IntN(60)]))
	}
	for i := range Amount(8, 20) {
		keys = append(keys, long[:page/5+i], long[:page/4+1-i], long[:i*page/5], string([]byte{0xff, byte(i)}), string([]byte{0, byte(i)}))
	}
	sizes := []int{0, 1, 42, 100, page / 8, page - 40, page, 3*page + 7, 20_000, 300_000}
	for i, key := range keys {
		if i%3 == 2 {
			continue // so that some are missing
		}
		value := fmt.Sprintf("randomblob(%d)", sizes[min(max(r.IntN(60)-40, r.IntN(4)), len(sizes)-1)])
		if i%25 == 0 {
			value = []string{"'text'", "7", "1.5", "zeroblob(30000)", fmt.Sprintf("'%s'", long)}[r.IntN(5)]
		}
		insert(fmt.Sprintf("x'%x'", key), value)
	}
	for i, key := range []string{"'0007'", "'text'", "5", "-3.5", "x''"} { // a text is not the blob of the same bytes
		insert(key, fmt.Sprint("x'0", i, "'"))
	}
	if err := conn.Exec(`COMMIT; PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		t.Fatal(err)
	}
	keys = append(keys, "", "\x00", "text", "zzz", "\xff\xff\xff", long+"x")
	slices.Sort(keys)
	return slices.Compact(keys)
}

func compareDirect(t *testing.T, s *Store, keys []string, usable bool) {
	t.Helper()
	direct, elsewhere := 0, 0
	err := s.read(t.Context(), s.reads, true, func(ses *session) error {
		if _, ok := ses.direct(); ok != usable {
			return fmt.Errorf("direct reads are possible: %v, want %v", ok, usable)
		}
		for _, key := range keys {
			want, wantLarge, wantErr := ses.getThrough(nil, key)
			got, large, found, err := ses.getDirect(nil, key)
			if err != nil {
				elsewhere++
				if usable && !errors.Is(err, errElsewhere) {
					return err
				}
				continue
			}
			direct++
			if large != wantLarge || found == errors.Is(wantErr, engine.ErrNotFound) || !large && !bytes.Equal(got, want) {
				return fmt.Errorf("key %.20q: %d bytes, large %v, found %v; want %d, %v, %v", key, len(got), large, found, len(want), wantLarge, wantErr)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if usable && direct < 10*elsewhere {
		t.Errorf("%d keys were read, %d left to SQLite", direct, elsewhere)
	}
	for range Amount(20, 200) {
		q := engine.Query{Limit: 1 + rand.IntN(400), Reverse: rand.IntN(2) == 0}
		if rand.IntN(3) > 0 {
			q.Start = keys[rand.IntN(len(keys))]
		}
		if rand.IntN(3) > 0 {
			q.End = keys[rand.IntN(len(keys))]
		}
		compareKeys(t, s, q, usable)
	}
}

func compareKeys(t *testing.T, s *Store, q engine.Query, usable bool) {
	t.Helper()
	err := s.read(t.Context(), s.reads, true, func(ses *session) error {
		want, wantMore, err := ses.keysThrough(nil, q)
		if err != nil {
			return err
		}
		got, more, err := ses.keysDirect(nil, q)
		if err != nil {
			if usable && !errors.Is(err, errElsewhere) {
				return err
			}
			return nil
		}
		if !slices.Equal(got, want) || more != wantMore {
			return fmt.Errorf("%d keys from %.20q to %.20q, reverse %v: %d, more %v; want %d, more %v",
				q.Limit, q.Start, q.End, q.Reverse, len(got), more, len(want), wantMore)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A read that fails is an error or is made good for, never wrong bytes.
func TestDirectReadsWithFaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	s := openRest(t, path, Options{})
	for i := range 3000 {
		putRest(t, s, fmt.Sprintf("%04d", i), pattern(uint64(i), 100+i%20*1000))
	}
	s.Close()
	for _, forever := range []bool{false, true} {
		fired := true
		for f := (faultfs.Fault{Op: faultfs.Read, Nth: 1, Forever: forever}); fired; f.Nth += 1 + f.Nth/8 {
			s := openRest(t, path, Options{vfs: "kvault-faulty"}) // with nothing in its memory
			if got := s.readsDirectly(); got != canTell(s) {
				t.Fatal("this file system keeps reads from going without SQLite")
			}
			faulty.Arm(f)
			for i := 0; i < 3000; i += 100 {
				got, err := s.Get(context.Background(), fmt.Sprintf("%04d", i))
				if err == nil && !bytes.Equal(got, pattern(uint64(i), 100+i%20*1000)) {
					t.Fatalf("with fault %+v: wrong bytes", f)
				}
			}
			keys, _, err := s.AppendKeys(context.Background(), nil, engine.Query{Limit: 5000})
			if fired = faulty.Disarm(); err == nil && len(keys) != 3000 || err != nil && !fired {
				t.Fatalf("with fault %+v: %d keys, %v", f, len(keys), err)
			}
			s.Close()
		}
	}
}

// FuzzDirect reads a file of which some bytes are others: anything may come out of it, but an end.
func FuzzDirect(f *testing.F) {
	path := filepath.Join(f.TempDir(), "v.db")
	s, err := Open(context.Background(), path, &Options{PageSize: 512, DisableWAL: true})
	if err != nil {
		f.Fatal(err)
	}
	var ops []engine.Op
	for i := range 400 {
		ops = append(ops, engine.Op{Kind: engine.Put, Key: fuzzedKey(i), Value: pattern(uint64(i), i*i%3000)})
	}
	if _, err := s.Apply(context.Background(), ops); err != nil {
		f.Fatal(err)
	}
	var at trees
	err = s.read(context.Background(), s.reads, false, func(ses *session) (err error) { at, err = ses.findTrees(); return err })
	if err = errors.Join(err, s.Close()); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add([]byte{0, 0, 9, 200, 1, 0, 3, 4, 2, 7, 255, 255})
	f.Fuzz(func(t *testing.T, changes []byte) {
		file := bytes.Clone(whole)
		for ; len(changes) >= 4; changes = changes[4:] { // a page, an offset and a byte
			no, off := int(changes[0])<<8|int(changes[1]), int(changes[2])*2+int(changes[3])%2
			file[(no*512+off)%len(file)] = changes[3]
		}
		readAnything(file, at)
	})
}

func fuzzedKey(i int) string { return fmt.Sprint(i) + strings.Repeat("k", i%9*(i%9)) }

func readAnything(file []byte, at trees) {
	pages, err := rawfile.NewPages(bytes.NewReader(file), 64<<10)
	if err != nil {
		return
	}
	r := pages.Reader(bytes.NewReader(file))
	defer r.Close()
	for i := range 400 {
		row, found, err := r.FindKey(at.index, []byte(fuzzedKey(i)))
		if err != nil || !found {
			continue
		}
		if v, found, err := r.FindRow(at.table, row, at.column); err == nil && found && v.Size < smallBytes {
			_, _ = r.Append(nil, v)
		}
	}
	for _, reverse := range []bool{false, true} {
		_, _, _ = r.AppendKeys(nil, at.index, rawfile.KeyRange{Reverse: reverse}, 1000)
		_, _, _ = r.AppendKeys(nil, at.index, rawfile.KeyRange{Start: []byte("2"), End: []byte("30k"), Reverse: reverse}, 1000)
	}
}
