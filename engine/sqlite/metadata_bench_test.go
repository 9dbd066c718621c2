package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

// BenchmarkMetadata shows what the metadata of a value costs its put: the same transaction with and without the metadata row, in
// alternating rounds over two vaults, as nanoseconds per put and as their ratio.
//
//	go test ./engine/sqlite -run '^$' -bench Metadata -benchtime 3s
func BenchmarkMetadata(b *testing.B) {
	for _, o := range []Options{{}, {Full: true}, {PageSize: 32768}} {
		for _, size := range []int{100, 1 << 10, 10 << 10, 100 << 10} {
			for _, batch := range []int{1, 100} {
				o := o
				name := fmt.Sprintf("page=%d/full=%t/size=%d/batch=%d", cmp.Or(o.PageSize, DefaultPageSize), o.Full, size, batch)
				b.Run(name, func(b *testing.B) { metadataCost(b, o, size, batch) })
			}
		}
	}
}

func metadataCost(b *testing.B, o Options, size, batch int) {
	with, without := openBench(b, o), openBench(b, o)
	value := make([]byte, size)
	for i := range value {
		value[i] = byte(rand.Uint32())
	}
	puts := 0
	next := func() []engine.Op {
		ops := make([]engine.Op, batch)
		for i := range ops {
			ops[i] = engine.Op{Kind: engine.Put, Key: fmt.Sprintf("photos/%08x.jpg", uint32(puts)*2654435761), Value: value,
				Meta: engine.Meta{ContentType: "image/jpeg"}}
			puts++
		}
		return ops
	}
	var a, z clock
	for b.Loop() {
		ops := next()
		a.time(func() error { _, err := with.Apply(context.Background(), ops); return err })
		z.time(func() error { return without.applyBare(ops) })
	}
	if a.err != nil || z.err != nil {
		b.Fatal(a.err, z.err)
	}
	b.ReportMetric(float64(a.total)/float64(puts), "with-ns/put")
	b.ReportMetric(float64(z.total)/float64(puts), "without-ns/put")
	b.ReportMetric(a.median()/z.median(), "ratio")
}

func openBench(b testing.TB, o Options) *Store {
	s, err := Open(context.Background(), filepath.Join(b.TempDir(), "bench.kv"), &o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// applyBare is Apply for new keys, without metadata and what makes it: the tag, the time and the checksum.
func (s *Store) applyBare(ops []engine.Op) error {
	if err := checkOps(ops); err != nil {
		return err
	}
	results := make([]engine.Result, len(ops))
	err := s.writer.do(&request{ctx: context.Background(), run: func(ses *session) error {
		for i, op := range ops {
			results[i].Entry = engine.Entry{Key: op.Key, Size: int64(len(op.Value))}
			if _, err := ses.insertNew(results[i].Entry, source{size: int64(len(op.Value)), bytes: op.Value}, boundWhole); err != nil {
				return err
			}
		}
		return nil
	}})
	markApplied(ops)
	return err
}
