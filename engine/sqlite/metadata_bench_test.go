package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

// BenchmarkMetadata shows what the metadata of a value costs its put: the same puts with metadata
// in the row (layout 2), in a table beside it (layout 1), and without, in alternating rounds over
// three vaults.
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
	inRow, beside, none := openBench(b, o), openLayout1(b, o), openBench(b, o)
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
	var r, t, n clock
	for b.Loop() {
		ops := next()
		r.time(func() error { _, err := inRow.Apply(context.Background(), ops); return err })
		t.time(func() error { _, err := beside.Apply(context.Background(), ops); return err })
		n.time(func() error { return none.applyBare(ops) })
	}
	if err := errors.Join(r.err, t.err, n.err); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(r.median()/float64(batch), "ns/put")
	b.ReportMetric(r.median()/t.median(), "of-layout-1")
	b.ReportMetric(r.median()/n.median(), "of-none")
}

func openLayout1(b *testing.B, o Options) *Store {
	path := filepath.Join(b.TempDir(), "bench.kv")
	makeWith(b, path, fmt.Sprintf("PRAGMA page_size=%d; PRAGMA auto_vacuum=INCREMENTAL; %s", cmp.Or(o.PageSize, DefaultPageSize), Layout1))
	return openAt(b, path, o)
}

func openBench(b testing.TB, o Options) *Store {
	return openAt(b, filepath.Join(b.TempDir(), "bench.kv"), o)
}

func openAt(b testing.TB, path string, o Options) *Store {
	s, err := Open(context.Background(), path, &o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// applyBare is Apply for new keys, without metadata and what makes it: the tag, the time and the
// checksum.
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
