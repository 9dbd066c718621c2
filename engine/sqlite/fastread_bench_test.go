package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

// fastBench fills a store with values of size bytes.
func fastBench(b testing.TB, o Options, count, size int) *Store {
	b.Helper()
	s, value := openBench(b, o), make([]byte, size)
	for at := 0; at < count; at += 1000 {
		var ops []engine.Op
		for i := at; i < min(at+1000, count); i++ {
			ops = append(ops, engine.Op{Kind: engine.Put, Key: fmt.Sprintf("%08d", i), Value: value})
		}
		if _, err := s.Apply(context.Background(), ops); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// BenchmarkFastRead reads with fast reads and without them, in alternating rounds, and reports the
// median times and their ratio: whole values at random, listings of 1,000 keys, a value in pieces,
// and a column in pieces, of which each is a transaction.
//
//	go test ./engine/sqlite -run '^$' -bench FastRead -benchtime 300x
func BenchmarkFastRead(b *testing.B) {
	for _, size := range []int{100, 1 << 10, 10 << 10, 20 << 10, 50 << 10, 100 << 10, 1 << 20, 8 << 20} {
		count := min(20_000, 50<<20/size)
		reads := min(max(1, 30_000/size), 30)
		compareFast(b, fmt.Sprintf("get/size=%d", size), reads, count, size, func(s *Store) error {
			_, err := s.Get(context.Background(), fmt.Sprintf("%08d", rand.IntN(count)))
			return err
		})
	}
	compareFast(b, "list", 1, 30_000, 10, func(s *Store) error {
		start := engine.Range{Start: fmt.Sprintf("%08d", rand.IntN(28_000))}
		_, _, err := s.AppendKeys(context.Background(), nil, engine.Query{Range: start, Limit: 1000})
		return err
	})
	for _, piece := range []int{fastPiece, 32 << 10, 64 << 10, 256 << 10, 1 << 20} {
		compareFast(b, fmt.Sprintf("stream/piece=%d", piece), 1, 4, 16<<20, func(s *Store) error {
			return streamFast(s, fmt.Sprintf("%08d", rand.IntN(4)), make([]byte, piece))
		})
	}
	for _, piece := range []int{fastPiece, 64 << 10, 1 << 20} {
		compareFast(b, fmt.Sprintf("column/piece=%d", piece), 1, 4, 100, func(s *Store) error {
			return scanFast(s, make([]byte, piece))
		})
	}
}

// compareFast times rounds of so many reads each, from stores with count values.
func compareFast(b *testing.B, name string, reads, count, size int, read func(*Store) error) {
	b.Run(name, func(b *testing.B) {
		var stores [2]*Store
		for i := range stores {
			stores[i] = fastBench(b, Options{noFastReads: i == 1}, count, size)
			if strings.HasPrefix(name, "column") {
				if err := fillColumn(b, stores[i]); err != nil {
					b.Fatal(err)
				}
			}
			if err := sweepAndEmptyLog(stores[i]); err != nil {
				b.Fatal(err)
			}
		}
		var times [2]clock
		for b.Loop() {
			for i, s := range stores {
				times[i].time(func() (err error) {
					for range reads {
						err = errors.Join(err, read(s))
					}
					return err
				})
			}
		}
		if err := errors.Join(times[0].err, times[1].err); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(times[0].median()/float64(reads), "fast-ns")
		b.ReportMetric(times[1].median()/float64(reads), "sqlite-ns")
		b.ReportMetric(times[0].median()/times[1].median(), "ratio")
	})
}

func streamFast(s *Store, key string, p []byte) error {
	blob, err := s.Open(context.Background(), key)
	if err != nil {
		return err
	}
	for at := int64(0); err == nil; at += int64(len(p)) {
		_, err = blob.ReadAt(context.Background(), p, at)
	}
	if err == io.EOF {
		err = nil
	}
	return errors.Join(err, blob.Close())
}

const benchChunk, benchChunks = 8 << 20, 2

func fillColumn(b testing.TB, s *Store) error {
	x, err := s.Begin(b.Context(), true)
	if err != nil {
		return err
	}
	defer x.Rollback()
	arrays := x.(*tx)
	a, err := arrays.CreateArray(b.Context(), engine.Array{Name: "a", Type: "i64", ElemSize: 8,
		MinChunk: benchChunk, MaxChunk: benchChunk})
	for i := int64(0); i < benchChunks && err == nil; i++ {
		err = arrays.ResizeChunk(b.Context(), a.ID, i, benchChunk)
	}
	if err != nil {
		return err
	}
	return x.Commit(b.Context())
}

func scanFast(s *Store, p []byte) error {
	for at := 0; at < benchChunk*benchChunks; at += len(p) {
		x, err := s.Begin(context.Background(), false)
		if err != nil {
			return err
		}
		err = x.(*tx).ReadChunk(context.Background(), 1, int64(at/benchChunk), int64(at%benchChunk), p)
		if err = errors.Join(err, x.Rollback()); err != nil {
			return err
		}
	}
	return nil
}
