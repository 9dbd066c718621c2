package column_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/column"
)

// TestGrowth checks the lengths of chunks against the rules of the file format.
func TestGrowth(t *testing.T) {
	for _, tt := range []struct {
		name     string
		min, max int64
		extend   []int64 // elements of 8 bytes, one call each
		want     string
	}{
		{"first chunk of the shortest length", 16, 128, []int64{1}, "16"},
		{"first chunk doubled until it holds all", 16, 128, []int64{5}, "64"},
		{"first chunk capped", 48, 112, []int64{13}, "112"},
		{"room", 16, 128, []int64{1, 1}, "16"},
		{"doubled", 16, 128, []int64{2, 1}, "32"},
		{"doubled once is short: the longest", 16, 128, []int64{2, 4}, "128"},
		{"doubled but capped", 48, 80, []int64{6, 1}, "80"},
		{"the longest is filled and the next begun", 16, 64, []int64{6, 3}, "64 16"},
		{"the next is as long as what remains needs", 16, 64, []int64{6, 6}, "64 32"},
		{"a full one is left alone", 16, 64, []int64{8, 1}, "64 16"},
		{"many at once", 16, 64, []int64{29}, "64 64 64 64"},
		{"the shorter bound rounded up, the longer down", 9, 39, []int64{1, 2, 2}, "32 16"},
		{"both bounds one element", 1, 8, []int64{3}, "8 8 8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := newPath(t)
			v, ctx := openFile(t, path), t.Context()
			c := create(t, v, "c", column.Int64, &column.Options{MinChunk: tt.min, MaxChunk: tt.max})
			next := int64(0)
			for _, n := range tt.extend {
				must(t, c.Extend(ctx, numbers(next, next+n)))
				next += n
			}
			if got := sizes(t, path, "c"); got != tt.want {
				t.Errorf("chunks of %s bytes, want %s", got, tt.want)
			}
			holds(t, c, numbers(0, next))
		})
	}
}

func TestChunksAreTrimmed(t *testing.T) {
	path := newPath(t)
	v, ctx := openFile(t, path), t.Context()
	c := create(t, v, "c", column.Int64, &column.Options{MinChunk: 16, MaxChunk: 16})
	must(t, c.Extend(ctx, numbers(0, 5)))
	for n, want := range []string{"16 16", "16 16", "16", "16", ""} {
		must(t, c.Delete(ctx, 0))
		if got := sizes(t, path, "c"); got != want {
			t.Errorf("%d deleted: chunks of %q bytes, want %q", n+1, got, want)
		}
	}
	must(t, c.Extend(ctx, numbers(0, 5)))
	must(t, c.Clear(ctx))
	if got := sizes(t, path, "c"); got != "" {
		t.Errorf("cleared: chunks of %q bytes", got)
	}
	must(t, c.Extend(ctx, numbers(0, 3)))
	holds(t, c, numbers(0, 3))
}

// The bytes of a small column of each kind, as the Python package reads them.
func TestBytesOnDisk(t *testing.T) {
	path := newPath(t)
	v, ctx := openFile(t, path), t.Context()
	o := &column.Options{MinChunk: 16, MaxChunk: 70}
	must(t, create(t, v, "i", column.Int64, o).Extend(ctx, []int64{1, -2}))
	must(t, create(t, v, "f", column.Float64, o).Append(ctx, math.Pi))
	must(t, create(t, v, "b", column.FixedBytes(5), o).Append(ctx, []byte("abc")))
	must(t, create(t, v, "v", column.Bytes, o).Extend(ctx, [][]byte{[]byte("abc"), {}, []byte("de")}))
	must(t, create(t, v, "s", column.String, nil).Append(ctx, "é"))
	got := strings.Join(raw(t, path, `SELECT name, dtype, elem_size, length, chunk_bytes, min_chunk_bytes, max_chunk_bytes FROM col_meta ORDER BY col_id`), "\n")
	want := strings.Join([]string{
		"i i64 8 2 16 16 64",
		"f f64 8 1 16 16 64",
		"b bytes:5 5 1 20 20 70",
		"v_data bytes 1 0 16 16 70",
		"v_idx adaptive_idx 12 3 24 24 60",
		"s_data str:utf8 1 0 131072 131072 1048576",
		"s_idx adaptive_idx 12 1 131076 131076 1048572",
	}, "\n")
	if got != want {
		t.Errorf("col_meta:\n%s\nwant:\n%s", got, want)
	}
	got = strings.Join(raw(t, path, `SELECT name, chunk_idx, typeof(data), hex(data), actual_size, bytes_used, has_deleted, start_elem_idx, end_elem_idx
		FROM col_chunks JOIN col_meta USING (col_id) WHERE name NOT LIKE 's%' ORDER BY col_id, chunk_idx`), "\n")
	want = strings.Join([]string{
		"i 0 blob 0100000000000000FEFFFFFFFFFFFFFF 16 0 0 0 0",
		"f 0 blob 182D4454FB2109400000000000000000 16 0 0 0 0",
		"b 0 blob 6162630000" + strings.Repeat("00", 15) + " 20 0 0 0 0",
		"v_data 0 blob 6162636465" + strings.Repeat("00", 11) + " 16 5 0 0 0",
		"v_idx 0 blob " + "000000000000000003000000" + "000000000300000003000000" + "000000000300000005000000" + strings.Repeat("00", 12) + " 48 0 0 0 0",
	}, "\n")
	if got != want {
		t.Errorf("col_chunks:\n%s\nwant:\n%s", got, want)
	}
	if got := raw(t, path, `SELECT group_concat(name) FROM pragma_index_list('col_meta') WHERE origin = 'c'`); got[0] != "col_meta_name_idx" {
		t.Errorf("indexes %q", got)
	}
	if got := raw(t, path, `SELECT "table", "from", on_delete FROM pragma_foreign_key_list('col_chunks')`); len(got) != 1 || got[0] != "col_meta col_id CASCADE" {
		t.Errorf("foreign keys %q", got)
	}
}

// TestScattered follows the chunks of elements of differing sizes.
func TestScattered(t *testing.T) {
	path := newPath(t)
	v, ctx := openFile(t, path), t.Context()
	c := create(t, v, "c", column.Bytes, &column.Options{MinChunk: 16, MaxChunk: 64})
	elem := func(n int, b byte) []byte { return bytes.Repeat([]byte{b}, n) }
	chunks := func(want string) {
		t.Helper()
		got := strings.Join(raw(t, path, `SELECT octet_length(data) || ':' || bytes_used || CASE has_deleted WHEN 1 THEN 'd' ELSE '' END
			FROM col_chunks JOIN col_meta USING (col_id) WHERE name = 'c_data' ORDER BY chunk_idx`), " ")
		if got != want {
			t.Errorf("chunks %s, want %s", got, want)
		}
	}
	must(t, c.Append(ctx, elem(10, 'a')))
	chunks("16:10")
	must(t, c.Append(ctx, elem(20, 'b')))
	chunks("32:30")
	must(t, c.Append(ctx, elem(34, 'c')))
	chunks("64:64")
	must(t, c.Append(ctx, elem(1, 'd')))
	chunks("64:64 16:1")
	must(t, c.Append(ctx, elem(65, 'e')))
	chunks("64:64 16:1 65:65")
	must(t, c.Append(ctx, elem(64, 'f')))
	chunks("64:64 16:1 65:65 64:64")
	must(t, c.Set(ctx, 0, elem(8, 'A')))
	chunks("64:64d 16:1 65:65 64:64")
	must(t, c.Set(ctx, 1, elem(21, 'B')))
	chunks("64:64d 16:1 65:65 64:64 21:21")
	must(t, c.Delete(ctx, 4))
	chunks("64:64d 16:1 0:0 64:64 21:21")
	must(t, c.Set(ctx, 2, elem(30, 'C')))
	chunks("64:64d 16:1 0:0 64:64 21:21")
	must(t, c.Delete(ctx, -1))
	chunks("64:64d 16:1 0:0 0:0 21:21")
	want := [][]byte{elem(8, 'A'), elem(21, 'B'), elem(30, 'C'), elem(1, 'd')}
	holds(t, c, want)
	must(t, c.Compact(ctx))
	chunks("64:60")
	holds(t, c, want)
	if names := raw(t, path, `SELECT name FROM col_meta ORDER BY name`); strings.Join(names, " ") != "c_data c_idx" {
		t.Errorf("arrays after Compact: %s", names)
	}
	for range want {
		must(t, c.Delete(ctx, 0))
	}
	chunks("")
	must(t, c.Append(ctx, elem(200, 'x')))
	must(t, c.Delete(ctx, 0))
	must(t, c.Extend(ctx, [][]byte{{}, elem(70, 'y'), {}, elem(3, 'z')}))
	chunks("70:70 16:3")
	holds(t, c, [][]byte{{}, elem(70, 'y'), {}, elem(3, 'z')})
}

// An append writes about a page however long the chunk is: the log of one is bounded.
func TestAppendWritesLittle(t *testing.T) {
	path := newPath(t)
	v, ctx := openFile(t, path), t.Context()
	ints, texts := create(t, v, "i", column.Int64, nil), create(t, v, "t", column.String, nil)
	must(t, ints.Extend(ctx, make([]int64, 1_000_000)))
	must(t, texts.Extend(ctx, []string{strings.Repeat("x", 8_000_000), "y"}))
	for name, add := range map[string]func() error{
		"i64":  func() error { return ints.Append(ctx, 1) },
		"text": func() error { return texts.Append(ctx, "12345678") },
	} {
		must(t, add()) // whatever has to be made once
		raw(t, path, `PRAGMA wal_checkpoint(TRUNCATE)`)
		must(t, add())
		var busy, pages, copied int
		_, err := fmt.Sscan(raw(t, path, `PRAGMA wal_checkpoint(PASSIVE)`)[0], &busy, &pages, &copied)
		must(t, err)
		if pages < 1 || pages > 6 {
			t.Errorf("one append of %s wrote %d pages", name, pages)
		}
	}
}
