package column_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// The tables as versions of the Python package make them.
const (
	metaOf020 = `CREATE TABLE col_meta(col_id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, dtype TEXT NOT NULL,
		elem_size INTEGER NOT NULL, length INTEGER NOT NULL, chunk_bytes INTEGER NOT NULL)`
	metaOf021 = `CREATE TABLE col_meta(col_id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, dtype TEXT NOT NULL,
		elem_size INTEGER NOT NULL, length INTEGER NOT NULL, chunk_bytes INTEGER NOT NULL,
		min_chunk_bytes INTEGER DEFAULT 131072, max_chunk_bytes INTEGER DEFAULT 16777216)`
	chunksOf021 = `CREATE TABLE col_chunks(col_id INTEGER NOT NULL, chunk_idx INTEGER NOT NULL, data BLOB NOT NULL,
		actual_size INTEGER NOT NULL, PRIMARY KEY (col_id, chunk_idx),
		FOREIGN KEY (col_id) REFERENCES col_meta(col_id) ON DELETE CASCADE)`
	chunksOf040 = `CREATE TABLE col_chunks(col_id INTEGER NOT NULL, chunk_idx INTEGER NOT NULL, data BLOB NOT NULL,
		actual_size INTEGER NOT NULL, bytes_used INTEGER NOT NULL DEFAULT 0, has_deleted INTEGER NOT NULL DEFAULT 0,
		start_elem_idx INTEGER DEFAULT 0, end_elem_idx INTEGER DEFAULT 0, PRIMARY KEY (col_id, chunk_idx),
		FOREIGN KEY (col_id) REFERENCES col_meta(col_id) ON DELETE CASCADE)`
)

func intOf(r *rand.Rand) int64 { return int64(r.Uint64()) }

func blobOf(r *rand.Rand) []byte {
	return bytes.Repeat([]byte{byte(r.IntN(256))}, r.IntN(50))
}

func openColumn[T any](t *testing.T, v *kvault.Vault, name string, codec column.Codec[T]) *column.Column[T] {
	t.Helper()
	c, err := column.Open(t.Context(), v, name, codec)
	must(t, err)
	return c
}

// A file of the package may end with a page of an index, close to the end of which SQLite reads
// further than the page. It must not take the process with it.
func TestLastPageIsOfAnIndex(t *testing.T) {
	for _, readOnly := range []bool{false, true} {
		path := newPath(t)
		v := openFile(t, path)
		must(t, v.Close())
		script(t, path, `PRAGMA journal_mode = DELETE`, metaOf021, chunksOf040, `INSERT INTO col_meta VALUES(5, 'c', 'i64', 8, 2, 16, 16, 16)`,
			`INSERT INTO col_chunks(col_id, chunk_idx, data, actual_size) VALUES(5, 0, zeroblob(16), 16)`, `PRAGMA journal_mode = WAL`)
		v, err := kvault.Open(t.Context(), path, &kvault.Options{ReadOnly: readOnly})
		must(t, err)
		holds(t, openColumn(t, closing(t, v), "c", column.Int64), make([]int64, 2))
	}
}

// Versions 0.2.1 to 0.3: elements that span chunks, and the index of ends. What 0.3 calls bytes,
// 0.2 calls bytes:1.
func TestOldColumns(t *testing.T) {
	path := newPath(t)
	script(t, path, metaOf021, chunksOf021,
		`INSERT INTO col_meta VALUES(1, 'ints', 'i64', 8, 4, 10, 10, 20), (2, 'texts_data', 'bytes:1', 1, 6, 10, 10, 20),
			(3, 'texts_idx', 'i64', 8, 3, 10, 10, 20), (4, 'empty_data', 'bytes', 1, 0, 10, 10, 20), (5, 'empty_idx', 'i64', 8, 0, 10, 10, 20)`,
		`INSERT INTO col_chunks VALUES(1, 0, x'0000000000000000 0100000000000000 02000000', 20), (1, 1, x'00000000 0300000000000000 00000000 00000000', 20),
			(2, 0, x'61626364656600000000', 10), (3, 0, x'0300000000000000 0300000000000000 06000000', 20), (3, 1, x'000000000000000000000000', 12)`)
	v, ctx := openFile(t, path), t.Context()
	ints, texts := openColumn(t, v, "ints", column.Int64), openColumn(t, v, "texts", column.Bytes)
	holds(t, ints, numbers(0, 4))
	holds(t, texts, [][]byte{[]byte("abc"), {}, []byte("def")})
	list, err := column.List(ctx, v)
	must(t, err)
	wantSlice(t, list, column.Info{Name: "ints", Type: "i64", Len: 4, Size: 8}, column.Info{Name: "texts", Type: "bytes", Len: 3},
		column.Info{Name: "empty", Type: "bytes"})
	_, err = column.Open(ctx, v, "texts_idx", column.Int64)
	wantErr(t, err, kvault.ErrInvalid)
	any, err := column.OpenAny(ctx, v, "texts")
	must(t, err)
	if any.Type() != "bytes" {
		t.Errorf("a column of %s", any.Type())
	}
	must(t, ints.Append(ctx, 4))
	must(t, texts.Append(ctx, []byte("ghi")))
	if got := raw(t, path, `SELECT hex(data) FROM col_chunks WHERE col_id = 3 AND chunk_idx = 1`); got[0] != "00000000"+"0900000000000000" {
		t.Errorf("the index goes on with %s", got[0])
	}
	modelOf(t, v, ints, numbers(0, 5), 1, intOf)
	modelOf(t, v, texts, [][]byte{[]byte("abc"), {}, []byte("def"), []byte("ghi")}, 2, blobOf)
	modelOf(t, v, openColumn(t, v, "empty", column.Bytes), nil, 3, blobOf)
	if got := raw(t, path, `SELECT count(*) FROM pragma_table_info('col_chunks')`); got[0] != "8" && got[0] != "4" {
		t.Errorf("the table of chunks has %s columns", got[0])
	}
	must(t, column.Drop(ctx, v, "texts"))
	if got := raw(t, path, `SELECT count(*) FROM col_chunks WHERE col_id IN (2, 3)`); got[0] != "0" {
		t.Errorf("%s chunks are left", got[0])
	}
	fresh := create(t, v, "fresh", column.Bytes, tiny) // the tables are extended for it
	modelOf(t, v, fresh, nil, 4, blobOf)
}

// Two columns of a caller's own are never taken for one of version 0.2.
func TestTwoColumnsLikeOne(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		create(t, v, "a_data", column.FixedBytes(1), nil)
		_, err := column.Create(ctx, v, "a_idx", column.Int64, nil)
		wantErr(t, err, kvault.ErrInvalid)
		create(t, v, "b_idx", column.Int64, nil)
		_, err = column.Create(ctx, v, "b_data", column.FixedBytes(1), nil)
		wantErr(t, err, kvault.ErrInvalid)
		create(t, v, "b_data", column.FixedBytes(2), nil)
		create(t, v, "c", column.Int64, nil)
		wantErr(t, column.Rename(ctx, v, "c", "a_idx"), kvault.ErrInvalid)
		list, err := column.List(ctx, v)
		must(t, err)
		wantSlice(t, list, column.Info{Name: "a_data", Type: "bytes:1", Size: 1}, column.Info{Name: "b_idx", Type: "i64", Size: 8},
			column.Info{Name: "b_data", Type: "bytes:2", Size: 2}, column.Info{Name: "c", Type: "i64", Size: 8})
	})
}

// Version 0.2.0: chunks of one length, of whole elements.
func TestOldestColumns(t *testing.T) {
	path := newPath(t)
	script(t, path, metaOf020, chunksOf021,
		`INSERT INTO col_meta VALUES(1, 'ints', 'i64', 8, 3, 20)`,
		`INSERT INTO col_chunks VALUES(1, 0, x'0000000000000000 0100000000000000 00000000', 20), (1, 1, x'0200000000000000 0000000000000000 00000000', 20)`)
	v := openFile(t, path)
	ints := openColumn(t, v, "ints", column.Int64)
	holds(t, ints, numbers(0, 3))
	modelOf(t, v, ints, numbers(0, 3), 1, intOf)
	modelOf(t, v, create(t, v, "new", column.Int64, tiny), nil, 2, intOf)
	modelOf(t, v, create(t, v, "blobs", column.Bytes, tiny), nil, 3, blobOf)
}

// What versions from 0.4 on leave behind: chunks of text class, longer than they say, longer than
// the limit, and behind the end.
func TestTrapsOfThePackage(t *testing.T) {
	path := newPath(t)
	script(t, path, metaOf021, chunksOf040,
		`INSERT INTO col_meta VALUES(1, 'ints', 'i64', 8, 2, 16, 16, 64), (2, 'texts_data', 'bytes', 1, 0, 16, 16, 64),
			(3, 'texts_idx', 'adaptive_idx', 12, 2, 24, 24, 60), (4, 'cleared', 'i64', 8, 0, 16, 16, 16)`,
		`INSERT INTO col_chunks(col_id, chunk_idx, data, actual_size, bytes_used) VALUES(1, 0, CAST(x'00000000000000000100000000000000' || zeroblob(40) AS TEXT), 32, 0),
			(2, 0, CAST(x'616200' || zeroblob(85) AS TEXT), 80, 3), (3, 0, x'000000000000000002000000 000000000200000003000000', 24, 0),
			(4, 0, zeroblob(16), 16, 0), (4, 1, zeroblob(16), 16, 0), (4, 2, zeroblob(16), 16, 0)`)
	if got := raw(t, path, `SELECT DISTINCT typeof(data) FROM col_chunks WHERE col_id < 3`); len(got) != 1 || got[0] != "text" {
		t.Fatalf("the test's own chunks are %s", got)
	}
	v, ctx := openFile(t, path), t.Context()
	ints, texts := openColumn(t, v, "ints", column.Int64), openColumn(t, v, "texts", column.Bytes)
	holds(t, ints, numbers(0, 2))
	holds(t, texts, [][]byte{[]byte("ab"), {0}})
	must(t, ints.Extend(ctx, []int64{2, 3}))
	must(t, ints.Append(ctx, 4))
	if got := sizes(t, path, "ints"); got != "64" {
		t.Errorf("grown to chunks of %s", got)
	}
	if got := raw(t, path, `SELECT typeof(data) FROM col_chunks WHERE col_id = 1`); got[0] != "blob" {
		t.Errorf("the grown chunk is of class %s", got[0])
	}
	modelOf(t, v, ints, numbers(0, 5), 1, intOf)
	modelOf(t, v, texts, [][]byte{[]byte("ab"), {0}}, 2, blobOf)
	cleared := openColumn(t, v, "cleared", column.Int64)
	must(t, cleared.Append(ctx, 7))
	if got := sizes(t, path, "cleared"); got != "16" {
		t.Errorf("chunks of %q after one append to a cleared column", got)
	}
	holds(t, cleared, []int64{7})
}

func TestDamage(t *testing.T) {
	for name, damage := range map[string]string{
		"chunk missing":         `DELETE FROM col_chunks`,
		"chunk too short":       `UPDATE col_chunks SET data = x'00', actual_size = 1`,
		"length too large":      `UPDATE col_meta SET length = 1000000`,
		"length negative":       `UPDATE col_meta SET length = -1`,
		"length beyond numbers": `UPDATE col_meta SET length = 9223372036854775807`,
		"no element size":       `UPDATE col_meta SET elem_size = 0`,
		"no chunk size":         `UPDATE col_meta SET max_chunk_bytes = 0`,
		"index of nonsense":     `UPDATE col_chunks SET data = unhex(replace(hex(data), '00', 'FF'))`,
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			v, ctx := openFile(t, path), t.Context()
			ints, texts := create(t, v, "ints", column.Int64, nil), create(t, v, "texts", column.String, nil)
			must(t, ints.Extend(ctx, numbers(0, 10)))
			must(t, texts.Extend(ctx, []string{"a", "b", "c"}))
			must(t, v.Close())
			script(t, path, damage)
			v = openFile(t, path)
			for call, run := range map[string]func() error{
				"ints": func() error {
					c, err := column.Open(ctx, v, "ints", column.Int64)
					if err == nil {
						_, err = c.Slice(ctx, 0, math.MaxInt64)
					}
					return err
				},
				"texts": func() error {
					c, err := column.Open(ctx, v, "texts", column.String)
					if err == nil {
						_, err = c.Slice(ctx, 0, math.MaxInt64)
					}
					return err
				},
			} {
				err := run()
				if err == nil && name == "index of nonsense" && call == "ints" {
					continue // any number is a number
				}
				if err == nil {
					t.Errorf("%s: no error", call)
				} else if name != "no element size" {
					wantErr(t, err, kvault.ErrCorrupt)
				}
			}
		})
	}
}

func TestUnknownLayout(t *testing.T) {
	path := newPath(t)
	script(t, path, `CREATE TABLE col_meta(name TEXT, shape TEXT)`, chunksOf040)
	v, ctx := openFile(t, path), t.Context()
	_, err := column.List(ctx, v)
	wantErr(t, err, kvault.ErrUnsupported)
	_, err = column.Create(ctx, v, "c", column.Int64, nil)
	wantErr(t, err, kvault.ErrUnsupported)
	if !strings.Contains(fmt.Sprint(err), "col_meta") {
		t.Errorf("the error does not name the table: %v", err)
	}
}
