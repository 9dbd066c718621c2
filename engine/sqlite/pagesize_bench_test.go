package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

// BenchmarkPageSize puts and reads values of several sizes in vaults of several page sizes, in
// alternating rounds: a put by itself, puts in batches of 100, and a whole read. It reports the
// median time of each, and how many bytes of file a byte of value takes.
//
//	TMPDIR=/dev/shm go test ./engine/sqlite -run '^$' -bench 'PageSize$' -benchtime 1000x
func BenchmarkPageSize(b *testing.B) {
	pages := []int{4096, 8192, 16384, 32768, 65536}
	for _, size := range []int{100, 1 << 10, 10 << 10, 100 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			stores := make([]*Store, len(pages))
			times := make([]struct{ put, batch, get clock }, len(pages))
			for i, page := range pages {
				stores[i] = openBench(b, Options{PageSize: page})
			}
			n := 0
			value := make([]byte, size)
			ops := func(count int) []engine.Op {
				ops := make([]engine.Op, count)
				for i := range ops {
					ops[i] = engine.Op{Kind: engine.Put, Key: benchKey(n), Value: value, Meta: engine.Meta{ContentType: "image/jpeg"}}
					n++
				}
				return ops
			}
			batch := min(100, 20<<20/size)
			for b.Loop() {
				one, many := ops(1), ops(0)
				if n%(10*batch) == 1 {
					many = ops(batch)
				}
				for i, s := range stores {
					times[i].put.time(func() error { _, err := s.Apply(context.Background(), one); return err })
					if len(many) > 0 {
						times[i].batch.time(func() error { _, err := s.Apply(context.Background(), many); return err })
					}
					key := benchKey(rand.IntN(n))
					times[i].get.time(func() error { _, err := s.Get(context.Background(), key); return err })
				}
			}
			for i, s := range stores {
				t := &times[i]
				if err := errors.Join(t.put.err, t.batch.err, t.get.err, sweepAndEmptyLog(s)); err != nil {
					b.Fatal(err)
				}
				info, err := os.Stat(s.path)
				if err != nil {
					b.Fatal(err)
				}
				b.Logf("page %5d: put %7.1f us, in a batch %7.1f us, get %7.1f us, %.2f bytes a byte", pages[i], t.put.median()/1e3,
					t.batch.median()/1e3/float64(batch), t.get.median()/1e3, float64(info.Size())/float64(n*size))
			}
		})
	}
}

func benchKey(i int) string { return fmt.Sprintf("photos/%08x.jpg", uint32(i)*2654435761) }

// BenchmarkPageSizeStream writes and reads a value of 256 MiB in vaults of several page sizes, in
// alternating rounds, and reports the median speeds.
//
//	TMPDIR=/dev/shm go test ./engine/sqlite -run '^$' -bench PageSizeStream -benchtime 5x
func BenchmarkPageSizeStream(b *testing.B) {
	const size, chunk = 256 << 20, 1 << 20
	pages := []int{4096, 8192, 16384, 32768, 65536}
	stores := make([]*Store, len(pages))
	times := make([]struct{ put, get clock }, len(pages))
	for i, page := range pages {
		stores[i] = openBench(b, Options{PageSize: page})
	}
	piece := make([]byte, chunk)
	for b.Loop() {
		for i, s := range stores {
			times[i].put.time(func() error { return streamIn(s, "k", piece, size/chunk) })
			if err := sweepAndEmptyLog(s); err != nil {
				b.Fatal(err)
			}
			times[i].get.time(func() error { return streamOut(s, "k", piece) })
		}
	}
	for i, t := range times {
		if err := errors.Join(t.put.err, t.get.err); err != nil {
			b.Fatal(err)
		}
		b.Logf("page %5d: in %.0f MB/s, out %.0f MB/s", pages[i], size*1e3/t.put.median(), size*1e3/t.get.median())
	}
}

func streamIn(s *Store, key string, piece []byte, count int) error {
	return streamInWith(s, key, piece, count, func(*stage) {})
}

// streamInWith is streamIn with a stage that set has changed.
func streamInWith(s *Store, key string, piece []byte, count int, set func(*stage)) error {
	st, err := s.Stage(context.Background(), engine.StageOptions{ChunkSize: len(piece), Size: -1})
	if err != nil {
		return err
	}
	set(st.(*stage))
	for range count {
		if err := st.WriteChunk(context.Background(), piece); err != nil {
			return err
		}
	}
	_, err = s.Apply(context.Background(), []engine.Op{{Kind: engine.Put, Key: key, Staged: st}})
	return err
}

func streamOut(s *Store, key string, piece []byte) error {
	blob, err := s.Open(context.Background(), key)
	if err != nil {
		return err
	}
	for off, size := int64(0), blob.Entry().Size; off < size; off += int64(len(piece)) {
		if _, err := blob.ReadAt(context.Background(), piece, off); err != nil {
			return err
		}
	}
	return blob.Close()
}
