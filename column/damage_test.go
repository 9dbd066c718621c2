package column_test

import (
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// The package wrote data and index one after the other, so a file may have data that belong to no
// element. What is appended must not take them for its own.
func TestDataBehindTheLastElement(t *testing.T) {
	for name, index := range map[string]string{
		"shorter than what is appended": `x'0300000000000000 0600000000000000'`,
		"longer":                        `x'0100000000000000 0200000000000000'`,
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			script(t, path, metaOf021, chunksOf021,
				`INSERT INTO col_meta VALUES(1, 'texts_data', 'bytes', 1, 9, 10, 10, 20), (2, 'texts_idx', 'i64', 8, 2, 16, 16, 16)`,
				`INSERT INTO col_chunks VALUES(1, 0, x'61626364656667686900', 10), (2, 0, `+index+`, 16)`)
			c, ctx := openColumn(t, openFile(t, path), "texts", column.Bytes), t.Context()
			want, err := c.Slice(ctx, 0, 2)
			must(t, err)
			for _, x := range []string{"12345", "", "67"} {
				must(t, c.Append(ctx, []byte(x)))
				want = append(want, []byte(x))
			}
			holds(t, c, want)
		})
	}
}

// A chunk that lacks bytes of elements is not filled up by what is appended: its elements would
// read as zeros from then on.
func TestShortChunkStaysDamaged(t *testing.T) {
	path := newPath(t)
	script(t, path, metaOf021, chunksOf040,
		`INSERT INTO col_meta VALUES(1, 'ints', 'i64', 8, 3, 16, 16, 64), (2, 'texts_data', 'bytes', 1, 0, 16, 16, 64),
			(3, 'texts_idx', 'adaptive_idx', 12, 2, 12, 12, 60)`,
		`INSERT INTO col_chunks(col_id, chunk_idx, data, actual_size, bytes_used) VALUES(1, 0, x'0100000000000000 0200000000000000', 16, 0),
			(2, 0, x'01020304', 4, 4), (3, 0, x'000000000000000008000000 000000000800000009000000', 24, 24)`)
	v, ctx := openFile(t, path), t.Context()
	ints, texts := openColumn(t, v, "ints", column.Int64), openColumn(t, v, "texts", column.Bytes)
	for range 2 {
		wantErr(t, ints.Append(ctx, 4), kvault.ErrCorrupt)
		wantErr(t, texts.Append(ctx, []byte("x")), kvault.ErrCorrupt)
		wantErr(t, texts.Set(ctx, 1, []byte("longer")), kvault.ErrCorrupt)
		_, err := ints.Get(ctx, 2)
		wantErr(t, err, kvault.ErrCorrupt)
		_, err = texts.Get(ctx, 0)
		wantErr(t, err, kvault.ErrCorrupt)
	}
}

// The length of the data says nothing where an index tells where elements lie.
func TestCompactOfDataWithALength(t *testing.T) {
	path := newPath(t)
	script(t, path, metaOf021, chunksOf040,
		`INSERT INTO col_meta VALUES(1, 'c_data', 'bytes', 1, 4, 16, 16, 64), (2, 'c_idx', 'adaptive_idx', 12, 1, 12, 12, 60)`,
		`INSERT INTO col_chunks(col_id, chunk_idx, data, actual_size, bytes_used) VALUES(1, 0, x'01020304', 4, 4),
			(2, 0, x'00000000 00000000 04000000', 12, 12)`)
	c := openColumn(t, openFile(t, path), "c", column.Bytes)
	must(t, c.Compact(t.Context()))
	holds(t, c, [][]byte{{1, 2, 3, 4}})
}
