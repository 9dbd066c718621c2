package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

// BenchmarkGet reads whole values at random, with and without a memory map.
//
//	go test ./engine/sqlite -run '^$' -bench Get
func BenchmarkGet(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10, 1 << 20, 8 << 20} {
		for _, mmap := range []int64{0, 256 << 20} {
			b.Run(fmt.Sprintf("size=%d/mmap=%d", size, mmap), func(b *testing.B) {
				s := openBench(b, Options{MmapSize: mmap})
				n := min(1000, 100<<20/size)
				for i := range n {
					if _, err := s.Apply(context.Background(), []engine.Op{{Kind: engine.Put, Key: fmt.Sprint(i), Value: make([]byte, size)}}); err != nil {
						b.Fatal(err)
					}
				}
				s.writer.conn.Checkpoint(true)
				b.SetBytes(int64(size))
				for b.Loop() {
					if _, err := s.Get(context.Background(), fmt.Sprint(rand.IntN(n))); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
