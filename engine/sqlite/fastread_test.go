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
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/internal/race"
)

// fastCase is a file that another program made.
type fastCase struct {
	name, before, create string
	page                 int
	usable               bool // by fast reads
	mapped               int64
}

const pythonTable = `CREATE TABLE t(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)`

var ownTable = create("t")

var fastCases = []fastCase{
	{name: "pages of 512", create: ownTable, page: 512, usable: true},
	{name: "own", create: ownTable, page: 8192, usable: true},
	{name: "pages of 32768", create: pythonTable, page: 32768, usable: true},
	{name: "pages of 65536", create: ownTable, page: 65536, usable: true},
	{name: "memory map", create: ownTable, page: 4096, usable: true, mapped: 1 << 30},
	{name: "auto_vacuum", before: `PRAGMA auto_vacuum=FULL`,
		create: ownTable, page: 1024, usable: true},
	{name: "incremental vacuum", before: `PRAGMA auto_vacuum=INCREMENTAL`,
		create: pythonTable, page: 4096, usable: true},
	{name: "rollback journal", before: `PRAGMA journal_mode=DELETE`, create: ownTable, page: 4096},
	{name: "persistent journal", before: `PRAGMA journal_mode=PERSIST`,
		create: pythonTable, page: 1024},
	{name: "python 0.2",
		create: `CREATE TABLE t(key BLOB PRIMARY KEY, value BLOB NOT NULL)`, page: 4096, usable: true},
	{name: "python 0.5",
		create: `CREATE TABLE t(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL, size INTEGER NOT NULL DEFAULT 0);
			CREATE UNIQUE INDEX t_key_idx ON t(key)`, page: 1024, usable: true},
	{name: "value first",
		create: `CREATE TABLE t(value BLOB, key BLOB UNIQUE, id INTEGER PRIMARY KEY)`, page: 1024, usable: true},
	{name: "value added later",
		create: `CREATE TABLE t(id INTEGER PRIMARY KEY, key BLOB UNIQUE);
			INSERT INTO t(key) VALUES(x'00ff'), (x'61');
			ALTER TABLE t ADD COLUMN value BLOB DEFAULT x'6162'`, page: 1024, usable: true},
	{name: "further indexes",
		create: `CREATE TABLE t(id INTEGER PRIMARY KEY, key BLOB, size INTEGER, value BLOB);
			CREATE INDEX a ON t(key);
			CREATE UNIQUE INDEX b ON t(key, size);
			CREATE UNIQUE INDEX c ON t(value, id, key);
			CREATE UNIQUE INDEX d ON t(key)`, page: 1024, usable: true},
	{name: "no index",
		create: `CREATE TABLE t(id INTEGER PRIMARY KEY, key BLOB, value BLOB)`, page: 1024},
	{name: "index of all",
		create: `CREATE TABLE t(id INTEGER PRIMARY KEY, key BLOB, value BLOB);
			CREATE INDEX a ON t(key)`, page: 1024},
	{name: "descending",
		create: `CREATE TABLE t(id INTEGER PRIMARY KEY, key BLOB, value BLOB, UNIQUE(key DESC))`, page: 1024},
	{name: "without case",
		create: `CREATE TABLE t(id INTEGER PRIMARY KEY, key BLOB COLLATE NOCASE UNIQUE, value BLOB)`, page: 1024},
}

// Fast reads are what SQLite reads, whatever the pages, the table and the rows of other programs:
// in a file that nobody changes, and while another process writes it and both copy the log into the
// file.
func TestFastReads(t *testing.T) {
	t.Parallel()
	for _, tt := range Some(4, fastCases) {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "v.db")
			keys := writeFast(t, path, tt)
			s := openFast(t, path, Options{Table: "t", ReadOnly: true, MmapSize: tt.mapped})
			can := tt.usable && canTell(s)
			fast, all := 0, 0
			for i := range keys {
				fast, all = fast+compareFastReads(t, s, keys, i), all+1
			}
			if !can && fast > 0 || can && 10*fast < 9*all {
				t.Errorf("%d of %d keys were read fast", fast, all)
			}
			stop := writeInChild(t, "TestFastReadsWriter", path)
			begin := time.Now()
			going := func() bool {
				took := time.Since(begin)
				return took < Storm/4 || can && fast == 0 && took < 5*time.Minute
			}
			for fast = 0; going(); {
				fast += compareFastReads(t, s, keys, rand.IntN(len(keys)))
				copyLog(path)
			}
			stop()
			if !can && fast > 0 || can && fast == 0 {
				t.Errorf("%d keys were read fast while another process wrote", fast)
			}
		})
	}
}

// Nothing of an empty file is read fast, nor of a file whose pages have bytes reserved, or of a
// table without row ids.
func TestFastReadsRefuse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "v.db")
	for _, make := range []func() error{
		func() error { return os.WriteFile(path, nil, 0o600) },
		func() error {
			writeFast(t, path, fastCase{create: pythonTable + ` WITHOUT ROWID`, page: 4096})
			return nil
		},
		func() error {
			writeFast(t, path, fastCase{create: pythonTable, page: 4096})
			file, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			file[20] = 16
			return os.WriteFile(path, file, 0o600)
		},
	} {
		_ = os.Remove(path)
		if err := make(); err != nil {
			t.Fatal(err)
		}
		conn, err := driver.Open(t.Context(), driver.Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Begin(false); err != nil {
			t.Fatal(err)
		}
		ses := &session{s: &Store{fast: newFastReads(&Options{})}, c: conn, t: &table{name: "t"}}
		if _, _, found, err := ses.fastGet(nil, "0007"); err == nil {
			t.Errorf("a key was looked for, and found: %t", found)
		}
		if keys, _, err := ses.fastKeys(nil, engine.Query{Limit: 10}); err == nil {
			t.Errorf("%d keys were listed", len(keys))
		}
		if ses.fastValueReader("t", "value").read([]byte{0}, 1, 0, 1) {
			t.Error("a value was read")
		}
		conn.Close()
	}
}

// writeFast makes a file as another program might have. It returns the keys that are blobs, in
// order, and some that are not there.
func writeFast(t *testing.T, path string, tt fastCase) (keys []string) {
	t.Helper()
	conn, err := driver.Open(context.Background(), driver.Config{Path: path, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sql := fmt.Sprintf(`PRAGMA page_size=%d; PRAGMA journal_mode=WAL; %s; BEGIN; %s`,
		tt.page, tt.before, tt.create)
	if err := conn.Exec(sql); err != nil {
		t.Fatal(err)
	}
	insert := func(key, value string) {
		sql := `INSERT OR IGNORE INTO t(key, value) VALUES(` + key + `, ` + value + `)`
		if err := conn.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	long := strings.Repeat("long", tt.page)
	for i := range Amount(200/race.Slowdown, 500) {
		keys = append(keys, fmt.Sprintf("%04d", r.IntN(1000)), fmt.Sprintf("%d/%s", i, long[:r.IntN(60)]))
	}
	for i := range Amount(8/race.Slowdown, 20) {
		keys = append(keys, long[:tt.page/5+i], long[:tt.page/4+1-i], long[:i*tt.page/5],
			string([]byte{0xff, byte(i)}), string([]byte{0, byte(i)}))
	}
	for i, key := range keys {
		if i%3 == 2 {
			continue // so that some are missing
		}
		value := fmt.Sprintf("randomblob(%d)", fastSize(r, tt.page))
		if i%25 == 0 {
			value = []string{"'text'", "7", "1.5", "zeroblob(30000)", fmt.Sprintf("'%s'", long)}[r.IntN(5)]
		}
		insert(fmt.Sprintf("x'%x'", key), value)
	}
	// A text is not the blob of the same bytes.
	for i, key := range []string{"'0007'", "'text'", "5", "-3.5", "x''"} {
		insert(key, fmt.Sprint("x'0", i, "'"))
	}
	if err := conn.Exec(`COMMIT; PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		t.Fatal(err)
	}
	keys = append(keys, "", "\x00", "text", "zzz", "\xff\xff\xff", long+"x")
	slices.Sort(keys)
	return slices.Compact(keys)
}

// fastSize is the length of a value: mostly short, and of every kind that pages make of it.
func fastSize(r *rand.Rand, page int) int {
	sizes := []int{0, 1, 42, 100, page / 8, page - 40, page, 3*page + 7, 20_000, 300_000}
	return sizes[min(max(r.IntN(60)-40, r.IntN(4)), len(sizes)-1)]
}

// compareFastReads compares the value of keys[i] and a listing from there, and the value again in
// pieces. It returns 1 if the value was read fast.
func compareFastReads(t *testing.T, s *Store, keys []string, i int) (fast int) {
	t.Helper()
	key := keys[i]
	err := s.read(t.Context(), s.reads, true, func(ses *session) error {
		got, large, found, err := ses.fastGet(nil, key)
		if err == nil {
			fast = 1
			want, wantLarge, wantErr := ses.getThrough(nil, key)
			if large != wantLarge || found == errors.Is(wantErr, engine.ErrNotFound) ||
				!large && !bytes.Equal(got, want) {
				return fmt.Errorf("key %.20q: %d bytes, large %v, found %v; want %d, %v, %v",
					key, len(got), large, found, len(want), wantLarge, wantErr)
			}
		}
		if err := comparePieces(ses, key); err != nil {
			return err
		}
		q := engine.Query{Limit: 1 + rand.IntN(400), Reverse: rand.IntN(2) == 0}
		if rand.IntN(3) > 0 {
			q.Start = key
		}
		if rand.IntN(3) > 0 {
			q.End = keys[rand.IntN(len(keys))]
		}
		return compareKeys(ses, q)
	})
	if err != nil {
		t.Fatal(err)
	}
	return fast
}

// comparePieces reads a value that is a blob in pieces, as far as fast reads go.
func comparePieces(ses *session, key string) error {
	var row, size int64
	var want []byte
	st, err := ses.c.Prepare(`SELECT rowid, octet_length(value), value FROM t
		WHERE key = ?1 AND typeof(value) = 'blob'`)
	if err != nil {
		return err
	}
	there, err := st.Key(1, key).Step()
	if err != nil || !there {
		return err
	}
	row, size = st.ColInt(0), st.ColInt(1)
	want, err = st.AppendCol(nil, 2)
	if st.Reset(); err != nil {
		return err
	}
	f := ses.fastValueReader("t", "value")
	for at, piece := int64(0), 1+rand.Int64N(size+1); at < size; at += piece {
		p := make([]byte, min(piece, size-at))
		if !f.read(p, row, at, size) {
			return nil
		}
		if !bytes.Equal(p, want[at:][:len(p)]) {
			return fmt.Errorf("key %.20q: wrong bytes at %d of %d, in pieces of %d", key, at, size, piece)
		}
	}
	return nil
}

func compareKeys(ses *session, q engine.Query) error {
	got, more, err := ses.fastKeys(nil, q)
	if err != nil {
		return nil
	}
	want, wantMore, err := ses.keysThrough(nil, q)
	if err != nil {
		return err
	}
	if !slices.Equal(got, want) || more != wantMore {
		return fmt.Errorf("%d keys from %.20q to %.20q, reverse %v: %d, more %v; want %d, more %v",
			q.Limit, q.Start, q.End, q.Reverse, len(got), more, len(want), wantMore)
	}
	return nil
}

func TestFastReadsWriter(t *testing.T) {
	path, over := inChild()
	if path == "" {
		return
	}
	conn, err := driver.Open(t.Context(), driver.Config{Path: path, BusyTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := rand.New(rand.NewPCG(rand.Uint64(), 0))
	pause := time.Millisecond
	for n := 1; !over.Load(); n++ {
		sql := `BEGIN IMMEDIATE;`
		for range 1 + r.IntN(5) {
			sql += fmt.Sprintf(`INSERT OR REPLACE INTO t(key, value)
				VALUES(CAST('%04d' AS BLOB), randomblob(%d));
				DELETE FROM t WHERE key = CAST('%04d' AS BLOB);`, r.IntN(1000), fastSize(r, 4096), r.IntN(1000))
		}
		if err := conn.Exec(sql + `COMMIT`); err != nil {
			if driver.KindOf(err) != driver.Busy {
				t.Fatal(err)
			}
			_ = conn.Rollback() // there may be nothing to roll back
		}
		if r.IntN(3) == 0 {
			_, _, _ = conn.Checkpoint(false) // while a reader is in the way it does less
		}
		time.Sleep(time.Duration(r.IntN(3)) * time.Millisecond)
		// A busy machine may give a reader no turn between two commits, so there are longer pauses
		// the longer this takes.
		if n%20 == 0 {
			for end := time.Now().Add(pause); !over.Load() && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
			pause += pause / 2
		}
	}
}

// copyLog copies what it can of the log of a file into the file, through a connection of its own.
func copyLog(path string) {
	if rand.IntN(20) > 0 {
		return
	}
	if conn, err := driver.Open(context.Background(), driver.Config{Path: path}); err == nil {
		_, _, _ = conn.Checkpoint(false)
		_ = conn.Close()
	}
}
