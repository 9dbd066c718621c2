package filetree

import (
	"bytes"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
)

// writeSparse writes data in pieces, and returns what is in the file and how many bytes it takes.
func writeSparse(t *testing.T, data []byte, piece int) (got []byte, room int64) {
	t.Helper()
	f, _ := open(t)
	w := NewSparseWriter(f)
	for rest := data; len(rest) > 0; {
		n := min(piece, len(rest))
		if m, err := w.Write(rest[:n]); m != n || err != nil {
			t.Fatalf("Write = %d, %v", m, err)
		}
		rest = rest[n:]
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return got, info.Sys().(*syscall.Stat_t).Blocks * 512
}

func TestSparseWriter(t *testing.T) {
	const block = holeSize
	text := bytes.Repeat([]byte("x"), block)
	zero := make([]byte, block)
	for name, tt := range map[string]struct {
		data []byte
		room int64 // at most, if pieces are long
	}{
		"nothing":         {nil, 0},
		"zeros only":      {make([]byte, 20*block), block},
		"ends in a hole":  {append(bytes.Clone(text), make([]byte, 20*block+5)...), 3 * block},
		"begins with one": {append(make([]byte, 20*block), text...), 3 * block},
		"holes between": {bytes.Join([][]byte{
			text, make([]byte, 20*block), text, make([]byte, 20*block), text,
		}, nil), 6 * block},
		"odd length":   {append(make([]byte, 20*block+17), 1), 3 * block},
		"no zeros":     {bytes.Repeat(text, 5), 6 * block},
		"almost zeros": {append(append(bytes.Clone(zero[1:]), 1), zero...), 3 * block},
	} {
		for _, piece := range []int{1 << 20, 3*block + 100, block, 4000} {
			got, room := writeSparse(t, tt.data, piece)
			if !bytes.Equal(got, tt.data) {
				t.Errorf("%s, in pieces of %d: %d bytes that differ from the %d written",
					name, piece, len(got), len(tt.data))
			}
			if piece == 1<<20 && room > tt.room {
				t.Errorf("%s: takes %d bytes, not %d at most", name, room, tt.room)
			}
		}
	}
}

// Whatever is written in whatever pieces is what the file has.
func TestSparseWriterAnyPieces(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 0))
		data := make([]byte, r.IntN(8*holeSize))
		for range r.IntN(4) {
			data[r.IntN(len(data)+1)%max(len(data), 1)] = 1
		}
		if got, _ := writeSparse(t, data, 1+r.IntN(3*holeSize)); !bytes.Equal(got, data) {
			t.Errorf("seed %d: the file differs", seed)
		}
	}
}
