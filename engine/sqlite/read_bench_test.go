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
				if err := s.Optimize(context.Background(), nil); err != nil { // so that the file holds all that the log does
					b.Fatal(err)
				}
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

// BenchmarkHeldSnapshot reads values of 1 KiB at random, in alternating rounds with and without
// keeping the snapshot from one read to the next, and reports the times and their ratio.
//
//	go test ./engine/sqlite -run '^$' -bench HeldSnapshot
func BenchmarkHeldSnapshot(b *testing.B) {
	s := openBench(b, Options{})
	const n, round = 1000, 100
	for i := range n {
		if _, err := s.Apply(context.Background(), []engine.Op{{Kind: engine.Put, Key: fmt.Sprint(i), Value: make([]byte, 1<<10)}}); err != nil {
			b.Fatal(err)
		}
	}
	read := func() error {
		for range round {
			if _, err := s.Get(context.Background(), fmt.Sprint(rand.IntN(n))); err != nil {
				return err
			}
		}
		return nil
	}
	var kept, not clock
	for b.Loop() {
		kept.time(read)
		resume := s.reads.pause()
		not.time(read)
		resume()
	}
	if kept.err != nil || not.err != nil {
		b.Fatal(kept.err, not.err)
	}
	b.ReportMetric(kept.median()/round, "kept-ns/get")
	b.ReportMetric(not.median()/round, "not-ns/get")
	b.ReportMetric(kept.median()/not.median(), "ratio")
}

// BenchmarkReadRange reads 64 KiB of a value in one call, and by opening the value for it.
//
//	go test ./engine/sqlite -run '^$' -bench ReadRange
func BenchmarkReadRange(b *testing.B) {
	for _, size := range []int{100 << 10, 1 << 20, 8 << 20} {
		s := openBench(b, Options{})
		putFast(b, s, "k", make([]byte, size))
		e, err := s.Stat(b.Context(), "k")
		if err != nil {
			b.Fatal(err)
		}
		tag, p := e.Meta.Tag, make([]byte, 64<<10)
		ways := map[string]func() error{
			"range": func() error { _, err := s.ReadRange(b.Context(), "k", tag, p, 1000); return err },
			"open": func() error {
				blob, err := s.Open(b.Context(), "k")
				if err != nil {
					return err
				}
				defer blob.Close()
				_, err = blob.ReadAt(b.Context(), p, 1000)
				return err
			},
		}
		for _, way := range []string{"range", "open"} {
			b.Run(fmt.Sprintf("size=%d/%s", size, way), func(b *testing.B) {
				for b.Loop() {
					if err := ways[way](); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
