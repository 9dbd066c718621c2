package sqlite

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

// BenchmarkDurablePuts shows how puts that survive a power cut scale with the number of goroutines that put: they share commits, and so
// the wait for the disk.
//
//	go test ./engine/sqlite -run '^$' -bench DurablePuts
func BenchmarkDurablePuts(b *testing.B) {
	for _, writers := range []int{1, 4, 16, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := openBench(b, Options{Full: true})
			value := make([]byte, 1024)
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range writers {
				wg.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						op := engine.Op{Kind: engine.Put, Key: fmt.Sprintf("key %08d", i), Value: value}
						if _, err := s.Apply(context.Background(), []engine.Op{op}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
		})
	}
}
