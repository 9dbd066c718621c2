package workload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/engine/mem"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newVault(t *testing.T) *kvault.Vault {
	t.Helper()
	v, err := kvault.New(mem.New(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// broken is a vault whose calls do something wrong each time that now says so.
type broken struct {
	*kvault.Vault
	put, pop, remove, read, list, flush func(n int64) bool
	// stale is a key that keeps its first value.
	stale string
	calls atomic.Int64
	wrong atomic.Int64 // how many calls did something wrong
}

// faulty tells whether anything is to go wrong while a workload runs. Keys are listed at its end.
func (b *broken) faulty() bool {
	return b.put != nil || b.pop != nil || b.remove != nil || b.read != nil || b.flush != nil ||
		b.stale != ""
}

func every(n int64) func(int64) bool { return func(i int64) bool { return i%n == n-1 } }

// loses tells whether a put is to be lost.
func (b *broken) loses(ctx context.Context, key string) bool {
	if key == b.stale {
		there, err := b.Exists(ctx, key)
		if !there || err != nil {
			return false
		}
		b.wrong.Add(1)
		return true
	}
	return b.now(b.put)
}

func (b *broken) now(is func(int64) bool) bool {
	if is == nil || !is(b.calls.Add(1)) {
		return false
	}
	b.wrong.Add(1)
	return true
}

// Put acknowledges what it does not store.
func (b *broken) Put(ctx context.Context, key string, value []byte) error {
	if b.loses(ctx, key) {
		return nil
	}
	return b.Vault.Put(ctx, key, value)
}

func (b *broken) PutWith(ctx context.Context, key string, value []byte, o *kvault.PutOptions) (kvault.Entry, error) {
	if b.now(b.put) {
		if ok, err := b.Exists(ctx, key); ok || err != nil {
			return b.Vault.PutWith(ctx, key, value, o)
		}
		return kvault.Entry{}, nil
	}
	return b.Vault.PutWith(ctx, key, value, o)
}

func (b *broken) PutReader(ctx context.Context, key string, r io.Reader, o *kvault.PutOptions) (kvault.Entry, error) {
	if b.loses(ctx, key) {
		_, err := io.Copy(io.Discard, r)
		return kvault.Entry{}, err
	}
	return b.Vault.PutReader(ctx, key, r, o)
}

// Pop returns a value that it leaves there.
func (b *broken) Pop(ctx context.Context, key string) ([]byte, error) {
	if b.now(b.pop) {
		return b.Get(ctx, key)
	}
	return b.Vault.Pop(ctx, key)
}

// DeleteIf ignores the condition.
func (b *broken) DeleteIf(ctx context.Context, key, tag string) error {
	if b.now(b.remove) {
		time.Sleep(time.Millisecond)
		_, err := b.Delete(ctx, key)
		return err
	}
	return b.Vault.DeleteIf(ctx, key, tag)
}

// Get returns a damaged value.
func (b *broken) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := b.Vault.Get(ctx, key)
	if err == nil && b.now(b.read) {
		value[len(value)-1]++
	}
	return value, err
}

// GetTo ends early.
func (b *broken) GetTo(ctx context.Context, key string, w io.Writer) (int64, error) {
	if !b.now(b.read) {
		return b.Vault.GetTo(ctx, key, w)
	}
	value, err := b.Vault.Get(ctx, key)
	if err != nil {
		return 0, err
	}
	return io.Copy(w, bytes.NewReader(value[:len(value)-1]))
}

// Keys leaves one out.
func (b *broken) Keys(ctx context.Context, o *kvault.ListOptions) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for key, err := range b.Vault.Keys(ctx, o) {
			if b.now(b.list) {
				continue
			}
			if !yield(key, err) {
				return
			}
		}
	}
}

// FlushCache drops what the cache holds.
func (b *broken) FlushCache(ctx context.Context) (int, error) {
	if b.now(b.flush) {
		return b.DiscardCache(ctx)
	}
	return b.Vault.FlushCache(ctx)
}

// TestDetection runs each workload on a vault that keeps its promises, where nothing may be wrong, and
// on ones that break one of them.
func TestDetection(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    *broken
		// run returns what the workload found wrong, and a complaint if it did too little to find out.
		run  func(t *testing.T, v *broken) (wrong []string, idle string)
		want string // what one complaint must have; none if empty
	}{
		{"mixed", &broken{}, mixed, ""},
		{"mixed, lost puts", &broken{put: every(7)}, mixed, "was acknowledged"},
		{"mixed, one key that stays as it was", &broken{stale: "m/1/3"}, mixed, "was acknowledged"},
		{"mixed, damaged reads", &broken{read: every(20)}, mixed, "are not those that were written"},
		{"mixed, gaps in listings", &broken{list: every(5)}, mixed, "is not listed"},
		{"streams", &broken{}, streams, ""},
		{"streams, lost", &broken{put: every(2)}, streams, "was acknowledged"},
		{"streams, cut short", &broken{read: every(2)}, streams, "which has"},
		{"queue", &broken{}, queue, ""},
		{"queue, popped twice", &broken{pop: every(7)}, queue, "came out 2 times"},
		{"queue, lost puts", &broken{put: every(20)}, queue, "acknowledged values are missing"},
		{"deletes", &broken{}, deletes, ""},
		{"deletes of a later version", &broken{remove: every(2)}, deletes, "is missing"},
		{"deletes, lost puts", &broken{put: every(7)}, deletes, "acknowledged"},
		{"cached", &broken{}, cached, ""},
		{"cached, lost flush", &broken{flush: every(2)}, cached, "was flushed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.b.Vault = newVault(t)
			wrong, idle := tt.run(t, tt.b)
			if idle != "" {
				t.Error(idle)
			}
			expect(t, wrong, tt.want)
		})
	}
}

func expect(t *testing.T, wrong []string, want string) {
	t.Helper()
	all := strings.Join(wrong, "\n")
	if all = all[:min(len(all), 500)]; want == "" && all != "" {
		t.Errorf("found wrong: %s", all)
	} else if !strings.Contains(all, want) {
		t.Errorf("found wrong: %q; want %q", all, want)
	}
}

func idle(ok bool, r fmt.Stringer) string {
	if ok {
		return ""
	}
	return "did too little: " + r.String()
}

func mixed(t *testing.T, v *broken) ([]string, string) {
	m := &Mixed{Prefix: "m/", Writers: 3, Readers: 2, Keys: 5, MaxSize: 20_000}
	run(t, v, &m.Report, 1500, func(ctx context.Context) { m.Run(ctx, v) })
	if err := m.Verify(t.Context(), v); err != nil {
		t.Error(err)
	}
	return m.Wrong, idle(m.Acked >= 1500 && m.Reads > 50, m)
}

func streams(t *testing.T, v *broken) ([]string, string) {
	var midway atomic.Int64
	s := &Streams{Key: "s", Size: 300_000, Midway: func() { midway.Add(1) }}
	s.Run(t.Context(), v, 4)
	if err := s.Verify(t.Context(), v); err != nil {
		t.Error(err)
	}
	return s.Wrong, idle(s.Acked == 4 && midway.Load() > 4, s)
}

func queue(t *testing.T, v *broken) ([]string, string) {
	q := &Queue{Prefix: "q/", Writers: 2, Poppers: 8, Slots: 10}
	run(t, v, &q.Report, 300, func(ctx context.Context) { q.Run(ctx, v) })
	if err := q.Drain(t.Context(), v); err != nil {
		t.Error(err)
	}
	return q.Wrong, idle(q.Acked >= 300 && q.Popped() > 50, q)
}

func deletes(t *testing.T, v *broken) ([]string, string) {
	d := &Deletes{Prefix: "d/", Workers: 3, Keys: 4, Sweep: func(ctx context.Context) error {
		time.Sleep(time.Millisecond)
		return nil
	}}
	run(t, v, &d.Report, 200, func(ctx context.Context) { d.Run(ctx, v) })
	if err := d.Verify(t.Context(), v); err != nil {
		t.Error(err)
	}
	return d.Wrong, idle(d.Acked >= 200 && d.Swept > 0, d)
}

func cached(t *testing.T, v *broken) ([]string, string) {
	if err := v.EnableCache(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	c := &Cached{Prefix: "c/", Keys: 2000, Batch: 50}
	run(t, v, &c.Report, 10, func(ctx context.Context) {
		if err := c.Run(ctx, v); err != nil {
			t.Error(err)
		}
	})
	if err := v.DisableCache(t.Context()); err != nil {
		t.Error(err)
	}
	if err := c.Verify(t.Context(), v); err != nil {
		t.Error(err)
	}
	return c.Wrong, idle(c.Flushes > 3, c)
}

// run ends a workload when it has done enough and v, if not nil, has done wrong, or after some
// minutes. With one processor a goroutine may do all that is acknowledged before others have a turn.
func run(t *testing.T, v *broken, r *Report, enough int64, fn func(ctx context.Context)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	go func() {
		for ctx.Err() == nil && !(r.did(enough) && (v == nil || !v.faulty() || v.wrong.Load() >= 5)) {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	fn(ctx)
}

func (r *Report) did(enough int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Acked >= enough
}

// brokenColumn does something else with each hundredth call.
type brokenColumn struct {
	*column.Column[int64]
	instead func(c *column.Column[int64], ctx context.Context, xs []int64) error
	calls   atomic.Int64
}

func (b *brokenColumn) Extend(ctx context.Context, xs []int64) error {
	if b.calls.Add(1)%20 == 0 && b.instead != nil {
		return b.instead(b.Column, ctx, xs)
	}
	return b.Column.Extend(ctx, xs)
}

var errTest = errors.New("a failure of the test")

func TestDetectionInColumns(t *testing.T) {
	type col = column.Column[int64]
	for _, tt := range []struct {
		name    string
		instead func(c *col, ctx context.Context, xs []int64) error
		want    string
	}{
		{"right", nil, ""},
		{"lost", func(*col, context.Context, []int64) error { return nil }, "is lost"},
		{"twice", func(c *col, ctx context.Context, xs []int64) error {
			return errors.Join(c.Extend(ctx, xs), c.Extend(ctx, xs))
		}, "is there twice"},
		{"later", func(c *col, ctx context.Context, xs []int64) error {
			return c.Insert(ctx, 0, xs[0])
		}, "comes after"},
		{"invented", func(c *col, ctx context.Context, xs []int64) error {
			return c.Extend(ctx, append(xs, 12<<40))
		}, "which nobody appended"},
		{"failed, not there", func(*col, context.Context, []int64) error { return errTest }, ""},
		{"failed, there", func(c *col, ctx context.Context, xs []int64) error {
			return errors.Join(c.Extend(ctx, xs), errTest)
		}, ""},
		{"failed, a part", func(c *col, ctx context.Context, xs []int64) error {
			return errors.Join(c.Extend(ctx, append([]int64{}, xs[:(len(xs)+1)/2]...)), errTest)
		}, "a part of its call"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := column.Create(t.Context(), newVault(t), "c", column.Int64, nil)
			if err != nil {
				t.Fatal(err)
			}
			a, b := &Appends{Writers: 3}, &brokenColumn{Column: c, instead: tt.instead}
			run(t, nil, &a.Report, 80, func(ctx context.Context) { a.Run(ctx, b) })
			if err := a.Verify(t.Context(), b); err != nil {
				t.Error(err)
			}
			if acked, _ := a.Elements(); acked < 100 {
				t.Errorf("did too little: %s", a)
			}
			expect(t, a.Wrong, tt.want)
		})
	}
}

func TestValues(t *testing.T) {
	value := newValue("k", 7, 100_000)
	for _, tt := range []struct {
		name, key string
		value     []byte
		want      string
	}{
		{"right", "k", value, ""},
		{"of another key", "l", value, "are not those"},
		{"cut short", "k", value[:50_000], "which has"},
		{"in the head", "k", value[:7], "nobody wrote"},
		{"empty", "k", nil, "nobody wrote"},
		{"another version's head", "k", append(newValue("k", 8, 100_000)[:16:16], value[16:]...), "are not those"},
		{"longer", "k", append(value[:100_000:100_000], 0), "are not those"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			version, err := checkValue(tt.key, tt.value)
			if tt.want == "" && (err != nil || version != 7) {
				t.Errorf("version %d, %v", version, err)
			} else if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
