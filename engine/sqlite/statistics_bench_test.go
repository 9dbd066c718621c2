package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

// BenchmarkStatistics replaces and describes values in a store that SQLite has statistics of, as
// after Optimize, and in one that it has none of, in turn, and reports the ratio of the times.
//
//	go test ./engine/sqlite -run '^$' -bench Statistics
func BenchmarkStatistics(b *testing.B) {
	const keys = 1000
	ctx := context.Background()
	for name, op := range map[string]func(s *Store, key string) error{
		"stat": func(s *Store, key string) error { _, err := s.Stat(ctx, key); return err },
		"replace": func(s *Store, key string) error {
			_, err := s.Apply(ctx, []engine.Op{{Kind: engine.Put, Key: key, Value: make([]byte, 100)}})
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			with, without := openBench(b, Options{}), openBench(b, Options{})
			for _, s := range []*Store{with, without} {
				for i := range keys {
					if _, err := s.Apply(ctx, []engine.Op{{Kind: engine.Put, Key: fmt.Sprint(i), Value: make([]byte, 100)}}); err != nil {
						b.Fatal(err)
					}
				}
			}
			if err := with.writer.conn.Exec("ANALYZE"); err != nil {
				b.Fatal(err)
			}
			var a, z clock
			for b.Loop() {
				key := fmt.Sprint(rand.IntN(keys))
				a.time(func() error { return op(with, key) })
				z.time(func() error { return op(without, key) })
			}
			if a.err != nil || z.err != nil {
				b.Fatal(a.err, z.err)
			}
			b.ReportMetric(a.median()/z.median(), "ratio")
		})
	}
}
