package sqlite_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// film is a vault that begins with a large value, so that no page of a tree is among the first
// megabytes but the roots.
func film(t *testing.T, page int) (data []byte, keys []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &sqlite.Options{PageSize: page})
	put(t, s, "film", noise(3<<20))
	var ops []engine.Op
	for i := range 800 {
		key := fmt.Sprintf("key%03d", i)
		keys = append(keys, key)
		ops = append(ops, engine.Op{Kind: engine.Put, Key: key, Value: bytes.Repeat(valueOf(key), 20)})
	}
	must[[]engine.Result](t)(s.Apply(t.Context(), ops))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return must[[]byte](t)(os.ReadFile(path)), keys
}

// wantBack fails unless every one of the keys comes back with its value, except the film.
func wantBack(t *testing.T, name string, data []byte, keys []string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "hurt.kv"), data)
	_, err := sqlite.Salvage(t.Context(), filepath.Join(dir, "hurt.kv"), filepath.Join(dir, "new.kv"), nil)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	s := open(t, filepath.Join(dir, "new.kv"), nil)
	defer s.Close()
	missing := 0
	for _, key := range keys {
		if got, err := s.Get(t.Context(), key); err != nil || !bytes.Equal(got, bytes.Repeat(valueOf(key), 20)) {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%s: %d of %d values are not there", name, missing, len(keys))
	}
}

// The start of the file is lost, with or without its first page: zeros or anything else stand
// there.
func TestSalvageStartLost(t *testing.T) {
	t.Parallel()
	for _, page := range sqlite.Some(1, []int{512, 8192, 65536}) {
		data, keys := film(t, page)
		for _, from := range []int{0, page} {
			for _, n := range []int{128 << 10, 2 << 20} {
				for _, fill := range [][]byte{make([]byte, n), noise(n + 1)[:n]} {
					hurt := bytes.Clone(data)
					copy(hurt[from:], fill)
					wantBack(t, fmt.Sprintf("pages of %d, %d bytes from %d, first %d", page, n, from, fill[0]), hurt, keys)
				}
			}
		}
	}
}

// A header that lies is not believed against the pages.
func TestSalvageHeaderLies(t *testing.T) {
	t.Parallel()
	data, keys := film(t, 4096)
	for _, size := range []uint16{512, 2048, 8192, 1, 3} {
		hurt := bytes.Clone(data)
		binary.BigEndian.PutUint16(hurt[16:], size)
		wantBack(t, fmt.Sprintf("page size %d", size), hurt, keys)
	}
	for _, reserved := range []byte{1, 64, 255} {
		hurt := bytes.Clone(data)
		hurt[20] = reserved
		wantBack(t, fmt.Sprintf("%d bytes reserved", reserved), hurt, keys)
	}
}

// badSectors is a file some of whose sectors cannot be read.
type badSectors struct {
	io.ReaderAt
	bad func(sector int64) bool
}

const sector = 512

func (b badSectors) ReadAt(p []byte, off int64) (int, error) {
	for at := off - off%sector; at < off+int64(len(p)); at += sector {
		if b.bad(at / sector) {
			n, _ := b.ReaderAt.ReadAt(p[:max(at-off, 0)], off)
			return n, &os.PathError{Op: "read", Path: "hurt.kv", Err: syscall.EIO}
		}
	}
	return b.ReaderAt.ReadAt(p, off)
}

// Each sector in turn cannot be read, the first among them.
func TestSalvageUnreadableSector(t *testing.T) {
	t.Parallel()
	v := makeOriginal(t, sqlite.Options{PageSize: 1024, OneRowLimit: 3000})
	var sum tally
	sectors := len(v.data) / sector
	for no := 0; no < sectors; no += stride(sectors) {
		v.through = func(r io.ReaderAt) io.ReaderAt {
			return badSectors{r, func(sector int64) bool { return sector == int64(no) }}
		}
		sum.add(v, v.salvage(t, fmt.Sprintf("sector %d", no), true, func(data []byte) []byte { return data }))
	}
	sum.log(t)
	if sum.failed > 0 || sum.worst > 20 {
		t.Errorf("one sector of %d took too much", sectors)
	}
}

// A file that was cut off is called so, wherever something is missing for it.
func TestSalvageCutOff(t *testing.T) {
	data, _ := film(t, 1024)
	path := filepath.Join(t.TempDir(), "cut.kv")
	write(t, path, data[:len(data)*9/10])
	_, report, losses := salvaged(t, path, sqlite.SalvageOptions{})
	if len(losses) == 0 || report.Keys == 0 {
		t.Errorf("%+v, %q", report, losses)
	}
	for _, l := range losses {
		if !strings.Contains(l, "cut off") {
			t.Errorf("told: %s", l)
		}
	}
}

// A table that has the columns of a key-value table by chance is named and not copied; one that has
// metadata is a key-value table whatever its types.
func TestSalvageOtherPurpose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	foreign(t, path,
		`CREATE TABLE kv(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)`, `INSERT INTO kv VALUES(x'61', x'62')`,
		// What virtual tables keep their own things in. SQLite is made to take vec_kvault for one
		// by its text, as the module itself is not here.
		`CREATE TABLE vec_kvault_info(key text primary key, value any)`, `INSERT INTO vec_kvault_info VALUES('CREATE_VERSION', 'v0.1.6')`,
		`CREATE TABLE vec_kvault_odd(key, value)`, `INSERT INTO vec_kvault_odd VALUES(x'61', x'62')`,
		`CREATE TABLE vec_kvault_mine(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)`, `INSERT INTO vec_kvault_mine VALUES(x'61', x'62')`,
		`CREATE TABLE settings(key VARCHAR(20), value)`, `INSERT INTO settings VALUES('a', 'b')`,
		`CREATE TABLE used(id INTEGER PRIMARY KEY, key TEXT UNIQUE, value TEXT)`,
		`PRAGMA writable_schema=ON`,
		`INSERT INTO sqlite_schema VALUES('table', 'vec_kvault', 'vec_kvault', 0, 'CREATE VIRTUAL TABLE vec_kvault USING vec0(v float[4])')`)
	used := open(t, path, &sqlite.Options{Table: "used"})
	put(t, used, "a", []byte("b"))
	if err := used.Close(); err != nil {
		t.Fatal(err)
	}
	dst, report, losses := salvaged(t, path, sqlite.SalvageOptions{})
	if report.Keys != 3 {
		t.Errorf("%+v, %q", report, losses)
	}
	for _, table := range []string{"kv", "vec_kvault_mine", "used"} {
		if got := must[[]byte](t)(open(t, dst, &sqlite.Options{Table: table}).Get(t.Context(), "a")); string(got) != "b" {
			t.Errorf("%s: %q", table, got)
		}
	}
	for _, table := range []string{"vec_kvault", "vec_kvault_info", "vec_kvault_odd", "settings"} {
		if !slices.ContainsFunc(losses, func(l string) bool { return strings.HasPrefix(l, "table "+table+": lost: it is no table of a vault") }) {
			t.Errorf("%s is not named: %q", table, losses)
		}
	}
	if names := query(t, dst, `SELECT group_concat(name) FROM sqlite_schema WHERE name IN ('vec_kvault_info', 'vec_kvault_odd', 'settings')`); names != "" {
		t.Errorf("the copy has %s", names)
	}
}

// A file of a later version is said to be one. What is in the forms that are known comes over all
// the same: the version can be the damage.
func TestSalvageNewerLayout(t *testing.T) {
	newer := func(sql ...string) string {
		path := filepath.Join(t.TempDir(), "v.kv")
		s := open(t, path, nil)
		put(t, s, "k", []byte("v"))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		foreign(t, path, append([]string{`UPDATE kvault_layout SET value = '4' WHERE name = 'version'`}, sql...)...)
		return path
	}
	_, report, losses := salvaged(t, newer(), sqlite.SalvageOptions{})
	if report.Keys != 1 || len(losses) != 1 || !strings.Contains(losses[0], `table kvault_layout: copied, but: layout version "4" is newer`) {
		t.Errorf("%+v, %q", report, losses)
	}
	dst := filepath.Join(t.TempDir(), "new.kv")
	_, err := sqlite.Salvage(t.Context(), newer(`ALTER TABLE kvault RENAME COLUMN value TO content`, `DROP TABLE kvault_kvforeign`), dst, nil)
	if !errors.Is(err, engine.ErrUnsupported) || !strings.Contains(err.Error(), `layout version "4" is newer`) {
		t.Errorf("of columns that are not known: %v", err)
	}
}

// Rows that another program has inserted and updated come back as what they are now, without
// metadata. Where the table that names them is lost, a checksum that does not fit is taken for that
// of an earlier value. Rows that nobody else touched keep their metadata.
func TestSalvageForeignRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &sqlite.Options{PageSize: keyPage})
	kept := put(t, s, "kept", []byte("mine"))
	put(t, s, "updated", []byte("mine"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	foreign(t, path, `UPDATE kvault SET value = CAST('theirs' AS BLOB) WHERE key = CAST('updated' AS BLOB)`,
		`INSERT INTO kvault(key, value) VALUES(CAST('inserted' AS BLOB), CAST('theirs' AS BLOB))`,
		`VACUUM`, `PRAGMA wal_checkpoint(TRUNCATE)`)
	root, err := strconv.Atoi(query(t, path, `SELECT rootpage FROM sqlite_schema WHERE name = 'kvault_kvforeign'`))
	if err != nil {
		t.Fatal(err)
	}
	data := must[[]byte](t)(os.ReadFile(path))
	for _, whole := range []bool{true, false} {
		if !whole {
			clear(data[(root-1)*keyPage:][:keyPage])
		}
		hurt := filepath.Join(t.TempDir(), "v.kv")
		write(t, hurt, data)
		dst, report, losses := salvaged(t, hurt, sqlite.SalvageOptions{})
		if report.Keys != 3 || report.Unproven != 2 || report.Doubts != 2 || report.Losses != 2 {
			t.Errorf("whole %v: %+v, %q", whole, report, losses)
		}
		d := open(t, dst, nil)
		for key, want := range map[string]string{"kept": "mine", "updated": "theirs", "inserted": "theirs"} {
			if got := must[[]byte](t)(d.Get(t.Context(), key)); string(got) != want {
				t.Errorf("whole %v: %s is %q, want %q", whole, key, got, want)
			}
		}
		if e := must[engine.Entry](t)(d.Stat(t.Context(), "kept")); e.Meta.Tag != kept.Meta.Tag {
			t.Errorf("whole %v: %+v, want tag %s", whole, e, kept.Meta.Tag)
		}
	}
}
