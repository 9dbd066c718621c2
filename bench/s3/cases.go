package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// contenders are those that are compared.
type contenders [3]side

const (
	plainClient = iota
	same        // the plain client that sends the condition of a vault
	ours
)

// side is one contender. Its methods are safe for concurrent use.
type side interface {
	put(ctx context.Context, key string, value []byte) error
	get(ctx context.Context, key string) ([]byte, error)
	streamIn(ctx context.Context, key string, r io.Reader) error
	streamOut(ctx context.Context, key string, w io.Writer) error
	// keys counts the keys below a prefix by listing them.
	keys(ctx context.Context, prefix string) (int, error)
	// entries counts them by asking for the metadata of each.
	entries(ctx context.Context, prefix string) (int, error)
	// putAll stores many small values as fast as one goroutine can: a vault by a flush of its cache.
	putAll(ctx context.Context, keys []string, value []byte) error
	// clear removes what lies below a prefix.
	clear(ctx context.Context, prefix string) error
}

type raceCase struct {
	name     string
	parallel int
	// count is how many calls a round makes, bytes how many bytes each of them moves, or 0 if only
	// calls are counted.
	count   int
	bytes   int64
	prepare prepare
	// reads says that what prepare made serves all rounds, conditional that the plain client runs with
	// the condition of a vault, too.
	reads, conditional bool
}

// prepare does what goes before, and returns what is timed.
type prepare func(ctx context.Context, s side, prefix string) (work, error)

type work func(ctx context.Context) error

// speed is that of the median round.
func (c *raceCase) speed(runs []took) string {
	var times []time.Duration
	for _, r := range runs {
		times = append(times, r.elapsed)
	}
	seconds := median(times).Seconds()
	if c.bytes >= 1<<20 {
		return fmt.Sprintf("%.0f MB/s", float64(c.bytes)*float64(c.count)/1e6/seconds)
	}
	return fmt.Sprintf("%.0f/s", float64(c.count)/seconds)
}

func cases(s settings) []*raceCase {
	n := func(count int) int { return max(int(float64(count)*s.scale), 4) }
	return []*raceCase{
		puts("put 1 KiB", 1, n(400), 1<<10),
		puts("put 1 KiB", 16, n(2000), 1<<10),
		puts("put 64 KiB", 16, n(800), 64<<10),
		puts("put 1 MiB", 4, n(80), 1<<20),
		gets("get 1 KiB", 1, n(1500), 1<<10),
		gets("get 1 KiB", 16, n(4000), 1<<10),
		gets("get 64 KiB", 16, n(2000), 64<<10),
		gets("get 1 MiB", 4, n(200), 1<<20),
		{name: "stream in", parallel: 1, count: 1, bytes: s.stream, prepare: func(_ context.Context, d side, prefix string) (work, error) {
			return func(ctx context.Context) error { return d.streamIn(ctx, prefix+"stream", newSource(s.stream)) }, nil
		}},
		{name: "stream out", parallel: 1, count: 1, bytes: s.stream, prepare: streamOut(s.stream), reads: true},
		{name: "list keys", parallel: 1, count: n(5000), prepare: listing(n(5000), side.keys), reads: true},
		{name: "list entries with metadata", parallel: 32, count: n(1000), prepare: listing(n(1000), side.entries), reads: true},
		{name: "clear", parallel: 1, count: n(1000), prepare: clearing(n(1000))},
		{name: "flush of the cache, 1 KiB each", parallel: 1, count: n(1000), bytes: 1 << 10, prepare: flush(n(1000))},
	}
}

func names(prefix string, count int) []string {
	list := make([]string, count)
	for i := range list {
		list[i] = fmt.Sprintf("%s%06d", prefix, i)
	}
	return list
}

func value(size int) []byte {
	p := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(p)
	return p
}

// each calls fn for every key, so many at once.
func each(ctx context.Context, keys []string, parallel int, fn func(ctx context.Context, key string) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, parallel)
	for i := range parallel {
		wg.Go(func() {
			for errs[i] == nil {
				k := next.Add(1) - 1
				if k >= int64(len(keys)) {
					return
				}
				errs[i] = fn(ctx, keys[k])
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func puts(name string, parallel, count, size int) *raceCase {
	c := &raceCase{name: name, parallel: parallel, count: count, bytes: int64(size), conditional: true}
	c.prepare = func(_ context.Context, s side, prefix string) (work, error) {
		keys, v := names(prefix, count), value(size)
		return func(ctx context.Context) error {
			return each(ctx, keys, parallel, func(ctx context.Context, key string) error { return s.put(ctx, key, v) })
		}, nil
	}
	return c
}

func gets(name string, parallel, count, size int) *raceCase {
	c := &raceCase{name: name, parallel: parallel, count: count, bytes: int64(size), reads: true}
	c.prepare = func(ctx context.Context, s side, prefix string) (work, error) {
		keys, v := names(prefix, min(count, 200)), value(size)
		err := each(ctx, keys, 16, func(ctx context.Context, key string) error { return s.put(ctx, key, v) })
		var all []string
		for i := range count {
			all = append(all, keys[i%len(keys)])
		}
		return func(ctx context.Context) error {
			return each(ctx, all, parallel, func(ctx context.Context, key string) error {
				got, err := s.get(ctx, key)
				if err == nil && !bytes.Equal(got, v) {
					err = errors.New(key + " is not what was put")
				}
				return err
			})
		}, err
	}
	return c
}

func fill(ctx context.Context, s side, prefix string, count int) error {
	return each(ctx, names(prefix, count), 16, func(ctx context.Context, key string) error {
		return s.put(ctx, key, []byte("x"))
	})
}

func clearing(count int) prepare {
	return func(ctx context.Context, s side, prefix string) (work, error) {
		return func(ctx context.Context) error { return s.clear(ctx, prefix) }, fill(ctx, s, prefix, count)
	}
}

func listing(count int, list func(side, context.Context, string) (int, error)) prepare {
	return func(ctx context.Context, s side, prefix string) (work, error) {
		err := fill(ctx, s, prefix, count)
		return func(ctx context.Context) error {
			got, err := list(s, ctx, prefix)
			if err == nil && got != count {
				err = fmt.Errorf("%d keys of %d", got, count)
			}
			return err
		}, err
	}
}

func flush(count int) prepare {
	return func(_ context.Context, s side, prefix string) (work, error) {
		keys, v := names(prefix, count), value(1<<10)
		return func(ctx context.Context) error { return s.putAll(ctx, keys, v) }, nil
	}
}

func streamOut(size int64) prepare {
	return func(ctx context.Context, s side, prefix string) (work, error) {
		err := s.streamIn(ctx, prefix+"stream", newSource(size))
		return func(ctx context.Context) error {
			var w counter
			if err := s.streamOut(ctx, prefix+"stream", &w); err != nil {
				return err
			}
			if int64(w) != size {
				return fmt.Errorf("%d bytes of %d", w, size)
			}
			return nil
		}, err
	}
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// newSource returns a reader of random bytes whose length it does not tell.
func newSource(size int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{1}), size)
}
