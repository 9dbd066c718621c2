package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

// BenchmarkOneRow keeps values of several sizes as one row and as chunk rows, in alternating
// rounds. It reports the median times of a put from memory, of a value that comes in bit by bit, of
// the longest wait of a small put meanwhile, of whole reads into memory and bit by bit, of a read
// of 4 KiB at random, and of the removal; and how long the log became.
//
//	TMPDIR=/dev/shm go test ./engine/sqlite -run '^$' -bench OneRow -benchtime 5x
func BenchmarkOneRow(b *testing.B) {
	for _, size := range []int{100 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			layouts := []string{"one row", "chunks"}
			stores := []*Store{openBench(b, Options{OneRowLimit: engine.MaxOneRow}), openBench(b, Options{OneRowLimit: 1})}
			puts, runs := make([]clock, len(stores)), make([]largeRun, len(stores))
			value, buf := make([]byte, size), make([]byte, 0, size)
			for turn := 0; b.Loop(); turn++ {
				for i := range stores {
					i = (i + turn) % len(stores) // what comes first would pay for memory that the other finds
					puts[i].time(func() error { return putKey(stores[i], "put", value) })
					if err := errors.Join(puts[i].err, deleteKey(stores[i], "put"), runs[i].round(stores[i], value, buf, 1<<20)); err != nil {
						b.Fatal(err)
					}
				}
			}
			for i := range runs {
				b.Logf("%-7s: put %8.2f ms, %s", layouts[i], puts[i].median()/1e6, &runs[i])
			}
		})
	}
}

// BenchmarkChunkSize does the same with a value of 256 MiB in chunks of several sizes.
//
//	TMPDIR=/dev/shm go test ./engine/sqlite -run '^$' -bench ChunkSize -benchtime 4x
func BenchmarkChunkSize(b *testing.B) {
	const size = 256 << 20
	chunks := []int{64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20}
	stores, runs := make([]*Store, len(chunks)), make([]largeRun, len(chunks))
	for i := range chunks {
		stores[i] = openBench(b, Options{})
	}
	value, buf := make([]byte, size), make([]byte, 0, size)
	for turn := 0; b.Loop(); turn++ {
		for i := range stores {
			i = (i + turn) % len(stores)
			if err := runs[i].round(stores[i], value, buf, chunks[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
	for i := range runs {
		b.Logf("chunks of %5d KiB: %s", chunks[i]>>10, &runs[i])
	}
}

// BenchmarkCopy copies a value of 1 GiB in chunk rows, and reads and writes it as a program would
// without Copy. It reports the median times.
//
//	go test ./engine/sqlite -run '^$' -bench Copy -benchtime 3x -timeout 30m
func BenchmarkCopy(b *testing.B) {
	const size, chunk = 1 << 30, 1 << 20
	s := openBench(b, Options{})
	if err := streamIn(s, "large", make([]byte, chunk), size/chunk); err != nil {
		b.Fatal(err)
	}
	var copied, through clock
	for b.Loop() {
		copied.time(func() error {
			_, err := s.Apply(b.Context(), []engine.Op{{Kind: engine.Copy, Key: "large", To: "copy"}})
			return err
		})
		through.time(func() error { return copyThrough(b.Context(), s, "large", "through", chunk) })
		if err := errors.Join(copied.err, through.err, deleteKey(s, "through"), deleteKey(s, "copy")); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(copied.median()/1e6, "copy-ms")
	b.ReportMetric(through.median()/1e6, "read-and-write-ms")
}

// copyThrough copies a value by reading and writing it.
func copyThrough(ctx context.Context, s *Store, from, to string, chunk int) error {
	blob, err := s.Open(ctx, from)
	if err != nil {
		return err
	}
	defer blob.Close()
	st, err := s.Stage(ctx, engine.StageOptions{ChunkSize: chunk, Size: blob.Entry().Size})
	if err != nil {
		return err
	}
	defer st.Abort()
	buf := make([]byte, chunk)
	for off := int64(0); off < blob.Entry().Size; off += int64(chunk) {
		if _, err := blob.(engine.Verifier).ReadOn(ctx, buf, off); err != nil {
			return err
		}
		if err := st.WriteChunk(ctx, buf); err != nil {
			return err
		}
	}
	_, err = s.Apply(ctx, []engine.Op{{Kind: engine.Put, Key: to, Staged: st}})
	return err
}

// largeRun is what it costs to keep a large value in one of several ways.
type largeRun struct {
	in, stall, get, out, part, gone clock
	log                             int64
}

func (r *largeRun) round(s *Store, value, buf []byte, chunk int) error {
	const key = "large"
	ctx, size := context.Background(), len(value)
	piece := value[:min(size, chunk)]
	stream := func() error { return streamIn(s, key, piece, size/len(piece)) }
	if err := sweepAndEmptyLog(s); err != nil {
		return err
	}
	r.in.time(stream)
	info, err := os.Stat(s.path + "-wal")
	if err != nil {
		return err
	}
	r.log = max(r.log, info.Size())
	r.stall.longestPut(s, stream)
	if err := sweepAndEmptyLog(s); err != nil {
		return err
	}
	for range 3 {
		r.get.time(func() error { _, err := s.AppendValue(ctx, buf, key); return err })
		r.out.time(func() error { return streamOut(s, key, piece) })
	}
	for range 20 {
		r.part.time(func() error { return readPart(s, key, rand.Int64N(int64(size-4096+1))) })
	}
	r.gone.time(func() error { return errors.Join(deleteKey(s, key), s.writer.sweep(ctx)) })
	return errors.Join(r.in.err, r.stall.err, r.get.err, r.out.err, r.part.err, r.gone.err)
}

func (r *largeRun) String() string {
	ms := func(c *clock) float64 { return c.median() / 1e6 }
	return fmt.Sprintf("in %8.2f ms, others wait %7.2f ms, get %7.2f ms, out %7.2f ms, 4 KiB %6.3f ms, removed in %6.2f ms, log %3d MiB",
		ms(&r.in), ms(&r.stall), ms(&r.get), ms(&r.out), ms(&r.part), ms(&r.gone), r.log>>20)
}

func putKey(s *Store, key string, value []byte) error {
	_, err := s.Apply(context.Background(), []engine.Op{{Kind: engine.Put, Key: key, Value: value}})
	return err
}

func deleteKey(s *Store, key string) error {
	_, err := s.Apply(context.Background(), []engine.Op{{Kind: engine.Delete, Key: key}})
	return err
}

// readPart opens a value and reads 4 KiB of it.
func readPart(s *Store, key string, at int64) error {
	blob, err := s.Open(context.Background(), key)
	if err != nil {
		return err
	}
	_, err = blob.ReadAt(context.Background(), make([]byte, 4096), at)
	return errors.Join(err, blob.Close())
}

// sweepAndEmptyLog ends the work that others have left, and empties the log.
func sweepAndEmptyLog(s *Store) error {
	if err := s.writer.sweep(context.Background()); err != nil {
		return err
	}
	return s.emptyLog(context.Background())
}

// longestPut puts a small value each millisecond while fn runs, and notes how long the longest of
// these puts took.
func (c *clock) longestPut(s *Store, fn func() error) {
	done := make(chan error)
	go func() { done <- fn() }()
	longest := time.Duration(0)
	for value := make([]byte, 100); ; {
		select {
		case err := <-done:
			c.err = errors.Join(c.err, err)
			c.add(longest)
			return
		case <-time.After(time.Millisecond):
			start := time.Now()
			c.err = errors.Join(c.err, putKey(s, "small", value))
			longest = max(longest, time.Since(start))
		}
	}
}
