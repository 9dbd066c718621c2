package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

// BenchmarkVerify reads with verification and without it, in alternating rounds, and reports the
// median times and their ratio: whole values at random, by fast reads and through SQLite, in tables
// of layout 2 and 1; and values of 64 MiB as streams.
//
//	go test ./engine/sqlite -run '^$' -bench Verify -benchtime 300x
func BenchmarkVerify(b *testing.B) {
	for _, layout := range []string{"layout 2", "layout 1"} {
		for _, slow := range []bool{false, true} {
			for _, size := range []int{100, 1 << 10, 64 << 10, 1 << 20, 8 << 20} {
				count := min(10_000, max(50<<20/size, 1))
				reads := min(max(1, 60_000/size), 60)
				name := fmt.Sprintf("%s/sqlite=%t/size=%d", layout, slow, size)
				fill := func(s *Store) error { return fillVerified(s, count, size) }
				var buf []byte
				compareVerified(b, name, layout, slow, fill, func(s *Store) (err error) {
					for range reads {
						buf, err = s.AppendValue(context.Background(), buf[:0], fmt.Sprintf("%08d", rand.IntN(count)))
					}
					return err
				})
			}
		}
	}
	for _, limit := range []int64{64 << 20, 1 << 20} {
		for _, piece := range []int{32 << 10, 1 << 20} {
			name := fmt.Sprintf("stream/chunks=%t/piece=%d", limit < 64<<20, piece)
			p := make([]byte, piece)
			fill := func(s *Store) error {
				s.opt.OneRowLimit = limit
				return streamIn(s, "k", make([]byte, 1<<20), 64)
			}
			compareVerified(b, name, "layout 2", false, fill, func(s *Store) error { return streamVerified(s, "k", p) })
		}
	}
}

func fillVerified(s *Store, count, size int) error {
	value := make([]byte, size)
	for at := 0; at < count; at += 1000 {
		var ops []engine.Op
		for i := at; i < min(at+1000, count); i++ {
			ops = append(ops, engine.Op{Kind: engine.Put, Key: fmt.Sprintf("%08d", i), Value: value})
		}
		if _, err := s.Apply(context.Background(), ops); err != nil {
			return err
		}
	}
	return nil
}

// compareVerified times rounds of read on one store, which fill has filled.
func compareVerified(b *testing.B, name, layout string, throughSQLite bool, fill, read func(*Store) error) {
	b.Run(name, func(b *testing.B) {
		path := b.TempDir() + "/v.kv"
		if create := readsOf[layout].create; create != "" {
			createFile(b, path, create)
		}
		var stores [2]*Store
		for i := range stores {
			stores[i] = openFast(b, path, Options{DisableVerification: i == 1})
		}
		err := fill(stores[0])
		if err == nil {
			err = sweepAndEmptyLog(stores[0])
		}
		if err == nil && throughSQLite {
			stores[0].fast, stores[1].fast = nil, nil
		}
		if err != nil {
			b.Fatal(err)
		}
		var times [2]clock
		for turn := 0; b.Loop(); turn++ {
			for i := range stores {
				i = (i + turn) % 2
				times[i].time(func() error { return read(stores[i]) })
			}
		}
		if err := errors.Join(times[0].err, times[1].err); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(times[0].median(), "verified-ns")
		b.ReportMetric(times[1].median(), "unverified-ns")
		b.ReportMetric(times[0].median()/times[1].median(), "ratio")
	})
}

func streamVerified(s *Store, key string, p []byte) error {
	blob, err := s.Open(context.Background(), key)
	if err != nil {
		return err
	}
	for at := int64(0); err == nil; at += int64(len(p)) {
		_, err = blob.(engine.Verifier).ReadOn(context.Background(), p, at)
	}
	if err == io.EOF {
		err = nil
	}
	return errors.Join(err, blob.Close())
}
