package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

// BenchmarkCheckpoint shows what it brings that the log is copied into the file beside the commits
// that follow and not between two of them: the same puts into two vaults, one of each way, in
// alternating rounds in which the log becomes too long two or three times. It reports the median of
// the ratios of their times, the same with the time until nothing is copied any more, and the
// longest put of a round in each.
//
//	go test ./engine/sqlite -run '^$' -bench 'Checkpoint$' -benchtime 7x
func BenchmarkCheckpoint(b *testing.B) {
	for _, full := range []bool{false, true} {
		for _, c := range []struct{ size, batch int }{{100, 1}, {1 << 10, 1}, {10 << 10, 1}, {100 << 10, 1}, {10 << 10, 100}, {100 << 10, 10}} {
			b.Run(fmt.Sprintf("full=%t/size=%d/batch=%d", full, c.size, c.batch), func(b *testing.B) { raceCheckpoints(b, full, c.size, c.batch) })
		}
	}
}

func raceCheckpoints(b *testing.B, full bool, size, batch int) {
	between, beside := openBench(b, Options{Full: full}), openBench(b, Options{Full: full})
	r := checkpointRound{commits: 80 << 20 / (batch * max(size*5/4, 24<<10/batch)), batch: batch, value: make([]byte, size)}
	for i := range r.value {
		r.value[i] = byte(rand.Uint32())
	}
	var ratios, toEnd, longest, longestBeside []float64
	for b.Loop() {
		before, _, most := r.run(b, between, true)
		after, rest, mostBeside := r.run(b, beside, false)
		r.first += r.commits * batch
		ratios = append(ratios, float64(after)/float64(before))
		toEnd = append(toEnd, float64(after+rest)/float64(before))
		longest, longestBeside = append(longest, most.Seconds()*1e3), append(longestBeside, mostBeside.Seconds()*1e3)
	}
	b.ReportMetric(middle(ratios), "ratio")
	b.ReportMetric(middle(toEnd), "ratio-to-end")
	b.ReportMetric(middle(longest), "ms-longest-between")
	b.ReportMetric(middle(longestBeside), "ms-longest-beside")
}

// checkpointRound is so many commits of new keys, from one numbered first on.
type checkpointRound struct {
	commits, batch, first int
	value                 []byte
}

// run returns the time of the puts, what passed after them until nothing was copied any more, and
// the longest put. between has the log copied between two commits as a whole.
func (r checkpointRound) run(b *testing.B, s *Store, between bool) (total, rest, longest time.Duration) {
	n := r.first
	ops := make([]engine.Op, r.batch)
	for range r.commits {
		for i := range ops {
			ops[i] = engine.Op{Kind: engine.Put, Key: benchKey(n), Value: r.value, Meta: engine.Meta{ContentType: "image/jpeg"}}
			n++
		}
		if between && s.writer.ckpt.pass == nil {
			s.writer.ckpt.pass = &pass{done: closed}
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
	s.writer.ckpt.wait()
	s.writer.release()
	return total, time.Since(start), longest
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()
