package column_test

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// inOrder checks what the package relies on when it makes an element longer: those that share a
// chunk lie in it in the order of their numbers, and before what is free.
func inOrder(t *testing.T, path, name string) {
	t.Helper()
	index, err := hex.DecodeString(strings.Join(raw(t, path, `SELECT hex(data) FROM col_chunks JOIN col_meta USING (col_id)
		WHERE name = '`+name+`_idx' ORDER BY chunk_idx`), ""))
	must(t, err)
	length, err := strconv.Atoi(raw(t, path, `SELECT length FROM col_meta WHERE name = '`+name+`_idx'`)[0])
	must(t, err)
	free := map[uint32]uint64{}
	for _, row := range raw(t, path, `SELECT chunk_idx, bytes_used FROM col_chunks JOIN col_meta USING (col_id) WHERE name = '`+name+`_data'`) {
		chunk, used, _ := strings.Cut(row, " ")
		c, chunkErr := strconv.ParseUint(chunk, 10, 32)
		n, err := strconv.ParseUint(used, 10, 32)
		must(t, chunkErr)
		must(t, err)
		free[uint32(c)] = n
	}
	ends := map[uint32]uint32{}
	for i := range length {
		e := index[12*i:]
		chunk, start, end := binary.LittleEndian.Uint32(e), binary.LittleEndian.Uint32(e[4:]), binary.LittleEndian.Uint32(e[8:])
		used, there := free[chunk]
		if !there || start < ends[chunk] || end < start || uint64(end) > used {
			t.Fatalf("element %d of %d lies in chunk %d from %d to %d: the one before ends at %d, %d are in use", i, length, chunk, start, end, ends[chunk], used)
		}
		ends[chunk] = end
	}
}

func TestElementsShareChunksInOrder(t *testing.T) {
	path := newPath(t)
	v := openFile(t, path)
	short := func(r *rand.Rand) []byte { return blobOf(r)[:0:0] }
	for i, o := range []*column.Options{{MinChunk: 16, MaxChunk: 64}, {MinChunk: 60, MaxChunk: 960}, nil} {
		for k, random := range map[string]func(*rand.Rand) []byte{"any": blobOf, "empty": func(r *rand.Rand) []byte {
			if r.IntN(2) == 0 {
				return short(r)
			}
			return blobOf(r)
		}} {
			name := k + strconv.Itoa(i)
			c, r := create(t, v, name, column.Bytes, o), rand.New(rand.NewPCG(uint64(i), 7))
			var want [][]byte
			for range 120 {
				var err error
				want, err = change(t, c, want, r, random)
				must(t, err)
				inOrder(t, path, name)
			}
			holds(t, c, want)
			must(t, c.Compact(t.Context()))
			inOrder(t, path, name)
			holds(t, c, want)
		}
	}
}

// An element that grows again and again keeps the chunk it got, and appends go on where they were.
func TestLongerElementsTakeNoMoreThanTheyNeed(t *testing.T) {
	path := newPath(t)
	v, ctx := openFile(t, path), t.Context()
	c := create(t, v, "c", column.Bytes, &column.Options{MinChunk: 1000, MaxChunk: 4000})
	must(t, c.Extend(ctx, [][]byte{[]byte("a"), []byte("b")}))
	for n := range 50 {
		must(t, c.Set(ctx, 0, make([]byte, 10+n)))
		must(t, c.Append(ctx, []byte("xy")))
	}
	if got := sizes(t, path, "c_data"); got != "1000 59" {
		t.Errorf("chunks of %s", got)
	}
	inOrder(t, path, "c")
}

// The package's versions from 0.4 on begin with chunk 1 when several elements come first.
func TestFirstChunkIsNumberOne(t *testing.T) {
	path := newPath(t)
	script(t, path, metaOf021, chunksOf040,
		`INSERT INTO col_meta VALUES(1, 'c_data', 'bytes', 1, 0, 16, 16, 64), (2, 'c_idx', 'adaptive_idx', 12, 2, 24, 24, 60)`,
		`INSERT INTO col_chunks(col_id, chunk_idx, data, actual_size, bytes_used) VALUES(1, 1, x'61626300000000000000000000000000', 16, 3),
			(2, 0, x'010000000000000002000000 010000000200000003000000', 24, 0)`)
	v, ctx := openFile(t, path), t.Context()
	want := [][]byte{[]byte("ab"), []byte("c")}
	holds(t, openColumn(t, v, "c", column.Bytes), want)
	_, err := v.Check(ctx, nil)
	must(t, err)
	must(t, v.Close())

	saved := filepath.Join(t.TempDir(), "saved.kv")
	rescue, err := kvault.Salvage(ctx, path, saved, nil)
	must(t, err)
	if rescue.Columns != 2 || rescue.Losses != 0 {
		t.Errorf("%+v", rescue)
	}
	holds(t, openColumn(t, openFile(t, saved), "c", column.Bytes), want)

	v = openFile(t, path)
	modelOf(t, v, openColumn(t, v, "c", column.Bytes), want, 1, blobOf)
	_, err = v.Check(ctx, nil)
	must(t, err)
}
