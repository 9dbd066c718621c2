package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

// BenchmarkCheckpoint shows what it brings that the log is copied into the file beside the commits that follow and not between two of them: the
// same puts into two vaults, one of each way, in alternating rounds in which the log becomes too long two or three times. It reports the median of the
// ratios of their times, the same with the time until nothing is copied any more, and the longest put of a round in each.
//
//	go test ./engine/sqlite -run '^$' -bench 'Checkpoint$' -benchtime 7x
func BenchmarkCheckpoint(b *testing.B) {
	for _, full := range []bool{false, true} {
		for _, c := range []struct{ size, batch int }{{100, 1}, {1 << 10, 1}, {10 << 10, 1}, {100 << 10, 1}, {10 << 10, 100}, {100 << 10, 10}} {
			b.Run(fmt.Sprintf("full=%t/size=%d/batch=%d", full, c.size, c.batch), func(b *testing.B) {
				between, beside := openBench(b, Options{Full: full}), openBench(b, Options{Full: full})
				value := make([]byte, c.size)
				for i := range value {
					value[i] = byte(rand.Uint32())
				}
				commits := 80 << 20 / (c.batch * max(c.size*5/4, 24<<10/c.batch))
				n := 0
				round := func(s *Store, now bool) (total, rest, longest time.Duration) {
					n := n
					for range commits {
						ops := make([]engine.Op, c.batch)
						for i := range ops {
							ops[i] = engine.Op{Kind: engine.Put, Key: benchKey(n), Value: value,
								Meta: engine.Meta{ContentType: "image/jpeg"}}
							n++
						}
						if now && s.writer.log.beside == nil {
							s.writer.log.beside = &copying{done: closed}
						}
						start := time.Now()
						if _, err := s.Apply(context.Background(), ops); err != nil {
							b.Fatal(err)
						}
						took := time.Since(start)
						total, longest = total+took, max(longest, took)
					}
					start := time.Now()
					s.writer.turn <- struct{}{}
					s.writer.waitForCopying()
					s.writer.release()
					rest = time.Since(start)
					return total, rest, longest
				}
				var toEnd, ratios, longest, longestBeside []float64
				for b.Loop() {
					before, _, most := round(between, true)
					after, rest, mostBeside := round(beside, false)
					toEnd = append(toEnd, float64(after+rest)/float64(before))
					n += commits * c.batch
					ratios = append(ratios, float64(after)/float64(before))
					longest, longestBeside = append(longest, most.Seconds()*1e3), append(longestBeside, mostBeside.Seconds()*1e3)
				}
				b.ReportMetric(middle(ratios), "ratio")
				b.ReportMetric(middle(toEnd), "ratio-to-end")
				b.ReportMetric(middle(longest), "ms-longest-between")
				b.ReportMetric(middle(longestBeside), "ms-longest-beside")
			})
		}
	}
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()
