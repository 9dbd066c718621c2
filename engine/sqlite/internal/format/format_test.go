package format

import (
	"bytes"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

func TestJoinSums(t *testing.T) {
	all := make([]byte, 300_000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(all)
	sum := func(p []byte) uint32 { return crc32.Checksum(p, Castagnoli) }
	for _, n := range []int{0, 1, 2, 7, 8, 4096, 65535, 1 << 18, len(all)} {
		for _, cut := range []int{0, 1, n / 3, n - 1, n} {
			if cut < 0 || cut > n {
				continue
			}
			got := JoinSums(sum(all[:cut]), sum(all[cut:n]), int64(n-cut))
			if want := sum(all[:n]); got != want {
				t.Errorf("%d and %d bytes: %08x, want %08x", cut, n-cut, got, want)
			}
		}
	}
}

func BenchmarkJoinSums(b *testing.B) {
	for b.Loop() {
		JoinSums(0x12345678, 0x9abcdef0, 1<<20)
	}
}

func FuzzReference(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(refHeader[:])
	f.Add(Reference{ID: 1, Size: 2, ChunkBytes: 3, Nonce: 4}.Encode())
	f.Add(bytes.Repeat([]byte{0xFF}, RefLen))
	f.Fuzz(func(t *testing.T, b []byte) {
		ref, ok := ParseReference(b)
		if ok && !bytes.Equal(ref.Encode(), b) {
			t.Errorf("%x reads as %+v, which is written %x", b, ref, ref.Encode())
		}
		if ok && (ref.ID <= 0 || ref.Size < 0 || ref.ChunkBytes <= 0 || ChunkRow(ref.ID, MaxChunks-1) <= 0) {
			t.Errorf("%x reads as %+v", b, ref)
		}
	})
}

func FuzzExtents(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(AppendExtents(nil, engine.Extents{{End: 5}, {Start: 1 << 40, End: 1<<40 + 1}}))
	f.Add([]byte{0, 1, 0, 1})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		x, ok := ParseExtents(b)
		at := int64(-1)
		for _, e := range x {
			if e.Start <= at || e.End <= e.Start {
				t.Errorf("%x reads as %v", b, x)
			}
			at = e.End
		}
		if y, again := ParseExtents(AppendExtents(nil, x)); ok && (!again || !slices.Equal(x, y)) {
			t.Errorf("%x reads as %v, and written anew as %v", b, x, y)
		}
	})
}
