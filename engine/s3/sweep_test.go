package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
	"github.com/kohakuvault/kvault/engine/s3/internal/object/memory"
)

// clocked is a bucket with a clock of its own, which runs something else within one of its calls.
type clocked struct {
	*memory.Bucket
	mu     sync.Mutex
	now    time.Time
	at     int    // calls until between runs
	during func() // once
}

func newClocked() *clocked {
	c := &clocked{Bucket: memory.New(), now: time.Unix(1_700_000_000, 0)}
	c.Now = func() time.Time {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.now
	}
	c.Fault = func(string, string) memory.Fault {
		c.mu.Lock()
		run := c.during
		if c.at--; run == nil || c.at > 0 {
			run = nil
		} else {
			c.during = nil
		}
		c.mu.Unlock()
		if run != nil {
			run()
		}
		return memory.None
	}
	return c
}

func (c *clocked) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// within has run happen within the nth call from now on.
func (c *clocked) within(n int, run func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.during = n, run
}

func (c *clocked) count(t *testing.T, prefix string) int {
	t.Helper()
	p, err := c.List(t.Context(), object.Query{Prefix: prefix, Limit: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	return len(p.Objects)
}

func large(n int) []byte { return bytes.Repeat(fmt.Appendf(nil, "large %d ", n), 100) }

func optimize(t *testing.T, s *s3.Store) {
	t.Helper()
	if err := s.Optimize(t.Context(), nil); err != nil {
		t.Errorf("Optimize: %v", err)
	}
}

func do(t *testing.T, s *s3.Store, op engine.Op) engine.Result {
	t.Helper()
	res, err := s.Apply(t.Context(), []engine.Op{op})
	if err != nil {
		t.Fatalf("%+v: %v", op, err)
	}
	return res[0]
}

// TestSweepRemoves: what nothing names leaves after the times that the documentation gives, and not
// before.
func TestSweepRemoves(t *testing.T) {
	c := newClocked()
	s := s3.NewTinyStore(c, "v/", 100)
	do(t, s, engine.Op{Kind: engine.Put, Key: "kept", Value: large(0)})
	do(t, s, engine.Op{Kind: engine.Put, Key: "gone", Value: large(1)})
	b, err := s.Open(t.Context(), "gone")
	if err != nil {
		t.Fatal(err)
	}
	do(t, s, engine.Op{Kind: engine.Put, Key: "gone", Value: []byte("short")})
	do(t, s, engine.Op{Kind: engine.Delete, Key: "gone"})
	st, err := s.Stage(t.Context(), engine.StageOptions{ChunkSize: 50, Size: -1})
	for range 5 {
		err = errors.Join(err, st.WriteChunk(t.Context(), make([]byte, 50)))
	}
	if err != nil {
		t.Fatal(err)
	}
	left := func(what string, data, tombstones, unfinished int) {
		t.Helper()
		optimize(t, s)
		list, err := c.Unfinished(t.Context(), "v/")
		if err != nil || c.count(t, "v/.d/") != data || c.count(t, "v/=")-1 != tombstones || len(list) != unfinished {
			t.Errorf("%s: %d data objects, %d tombstones, %d unfinished, %v; want %d, %d, %d", what,
				c.count(t, "v/.d/"), c.count(t, "v/=")-1, len(list), err, data, tombstones, unfinished)
		}
	}
	left("at once", 2, 1, 1)
	c.pass(19 * time.Minute)
	left("after 19 minutes", 2, 1, 1)
	c.pass(2 * time.Minute)
	left("after 21 minutes", 2, 0, 1)
	c.pass(23 * time.Hour)
	left("after 23 hours", 2, 0, 1)
	c.pass(2 * time.Hour)
	left("after 25 hours", 2, 0, 0)
	left("in the next sweep", 2, 0, 0)
	c.pass(23 * time.Hour)
	left("23 hours after it was marked", 2, 0, 0)
	if _, err := b.ReadAt(t.Context(), make([]byte, 10), 100); err != nil {
		t.Errorf("a reader of what is marked: %v", err)
	}
	c.pass(2 * time.Hour)
	left("25 hours after it was marked", 1, 0, 0)
	if _, err := b.ReadAt(t.Context(), make([]byte, 10), 100); !errors.Is(err, engine.ErrTagMismatch) {
		t.Errorf("a reader of what was removed: %v", err)
	}
	if got, err := s.Get(t.Context(), "kept"); err != nil || !bytes.Equal(got, large(0)) {
		t.Errorf("what is named: %d bytes, %v", len(got), err)
	}
	if n := c.count(t, "v/.r/"); n != 1 {
		t.Errorf("%d references are left, want 1", n)
	}
}

// sweepRun does random ops on few keys with large values, each with another op or a sweep within
// one of its calls, while days pass between them.
type sweepRun struct {
	t   *testing.T
	rng *rand.Rand
	c   *clocked
	s   *s3.Store
	n   int
}

func (r *sweepRun) key() string { return string(rune('a' + r.rng.IntN(4))) }

func (r *sweepRun) op() {
	op := engine.Op{Key: r.key(), To: r.key()}
	switch r.rng.IntN(8) {
	case 0, 1:
		r.n++
		op.Kind, op.Value = engine.Put, large(r.n)
	case 2:
		op.Kind = engine.Delete
	case 3, 4:
		op.Kind = engine.Copy
	case 5, 6:
		op.Kind = engine.Rename
	default:
		op.Kind, op.Meta.ContentType = engine.SetMeta, "a/b"
	}
	_, err := r.s.Apply(r.t.Context(), []engine.Op{op})
	if err != nil && !errors.Is(err, engine.ErrNotFound) {
		r.t.Errorf("%v of %s to %s: %v", op.Kind, op.Key, op.To, err)
	}
}

func (r *sweepRun) sweep() { optimize(r.t, r.s) }

func (r *sweepRun) one() {
	if r.rng.IntN(3) == 0 {
		r.sweep()
	} else {
		r.op()
	}
}

// TestSweepBesideEverything: no key ever leads to data that is gone, and in the end nothing is
// left.
func TestSweepBesideEverything(t *testing.T) {
	for seed := range uint64(60) {
		r := &sweepRun{t: t, rng: rand.New(rand.NewPCG(seed, 2)), c: newClocked()}
		r.s = s3.NewTinyStore(r.c, "v/", 100)
		for range 40 {
			r.c.within(1+r.rng.IntN(14), func() {
				for range 1 + r.rng.IntN(5) {
					r.one()
				}
			})
			r.one()
			r.c.within(0, nil)
			if r.rng.IntN(3) == 0 {
				r.c.pass(time.Duration(r.rng.IntN(30)) * time.Hour)
			}
			if err := r.s.Check(t.Context(), func(p engine.Problem) { t.Errorf("seed %d: %q: %v", seed, p.Key, p.Err) }, nil); err != nil {
				t.Errorf("seed %d: Check: %v", seed, err)
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		do(t, r.s, engine.Op{Kind: engine.DeleteRange})
		for range 4 {
			r.c.pass(25 * time.Hour)
			r.sweep()
		}
		for _, dir := range []string{"v/.d/", "v/.r/", "v/.u/", "v/="} {
			if n := r.c.count(t, dir); n > 0 {
				t.Errorf("seed %d: %d objects are left below %s", seed, n, dir)
			}
		}
	}
}

// TestStreamOfDays: a stream that goes on is kept for as long as it takes; one that pauses for half
// a day fails, and can be written again.
func TestStreamOfDays(t *testing.T) {
	for pause, want := range map[time.Duration]error{2 * time.Hour: nil, 13 * time.Hour: engine.ErrSwept} {
		t.Run(pause.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := memory.New()
				s, sweeper := s3.NewTinyStore(b, "v/", 100), s3.NewTinyStore(b, "v/", 100)
				defer s.Close()
				defer sweeper.Close()
				st, err := s.Stage(t.Context(), engine.StageOptions{ChunkSize: 1000, Size: -1})
				var value []byte
				for i := 0; i < 300 && err == nil; i++ {
					chunk := bytes.Repeat([]byte{byte(i)}, 1000)
					if err = st.WriteChunk(t.Context(), chunk); err == nil {
						value = append(value, chunk...)
					}
					if i%20 == 19 {
						time.Sleep(pause)
						optimize(t, sweeper)
					}
				}
				if err == nil {
					_, err = s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "k", Staged: st}})
				}
				if !errors.Is(err, want) {
					t.Fatalf("the stream: %v, want %v", err, want)
				}
				if want != nil {
					return
				}
				for range 4 {
					time.Sleep(25 * time.Hour)
					optimize(t, sweeper)
				}
				if got, err := s.Get(t.Context(), "k"); err != nil || !bytes.Equal(got, value) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			})
		})
	}
}

// TestStageThatRests: a stage of several data objects that rests for more than half of Grace before
// it is published fails, whether or not a sweep has removed them by then, and leaves the key as it
// was. What is in memory can rest for as long as it likes.
func TestStageThatRests(t *testing.T) {
	for _, tt := range []struct {
		size int // in KiB: of parts of 100 bytes, 1,000 to a data object
		rest time.Duration
		want error
	}{
		{250, 11 * time.Hour, nil},
		{250, 13 * time.Hour, engine.ErrSwept},
		{250, 80 * time.Hour, engine.ErrSwept},
		{1, 13 * time.Hour, engine.ErrSwept},
		{0, 80 * time.Hour, nil},
	} {
		t.Run(fmt.Sprintf("%d KiB, %v", tt.size, tt.rest), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := memory.New()
				s, sweeper := s3.NewTinyStore(b, "v/", 100), s3.NewTinyStore(b, "v/", 100)
				defer s.Close()
				defer sweeper.Close()
				do(t, s, engine.Op{Kind: engine.Put, Key: "k", Value: []byte("before")})
				st, err := s.Stage(t.Context(), engine.StageOptions{ChunkSize: 1 << 10, Size: -1})
				if err != nil {
					t.Fatal(err)
				}
				value := []byte("short")
				if tt.size > 0 {
					value = bytes.Repeat([]byte("v"), tt.size<<10)
				}
				for rest := value; len(rest) > 0 && err == nil; {
					n := min(len(rest), 1<<10)
					err = st.WriteChunk(t.Context(), rest[:n])
					rest = rest[n:]
				}
				if err != nil {
					t.Fatal(err)
				}
				for left := tt.rest; left > 0; left -= 20 * time.Hour {
					time.Sleep(min(left, 20*time.Hour))
					optimize(t, sweeper)
				}
				_, err = s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "k", Staged: st}})
				if !errors.Is(err, tt.want) {
					t.Errorf("publishing: %v, want %v", err, tt.want)
				}
				if err := st.Abort(); err != nil {
					t.Error(err)
				}
				if err != nil {
					value = []byte("before")
				}
				for range 4 {
					time.Sleep(25 * time.Hour)
					optimize(t, sweeper)
				}
				if got, err := s.Get(t.Context(), "k"); err != nil || !bytes.Equal(got, value) {
					t.Errorf("%d bytes, %v; want %d", len(got), err, len(value))
				}
			})
		})
	}
}

// TestShrinkWithinABudget: Shrink ends when its time is up, and goes on later.
func TestShrinkWithinABudget(t *testing.T) {
	c := newClocked()
	s := s3.NewTinyStore(c, "v/", 100)
	for i := range 20 {
		do(t, s, engine.Op{Kind: engine.Put, Key: fmt.Sprint(i), Value: large(i)})
	}
	do(t, s, engine.Op{Kind: engine.DeleteRange})
	total := int64(0)
	for range 4 {
		c.pass(25 * time.Hour)
		if n, err := s.Shrink(t.Context(), -time.Second); err != nil || n > 0 {
			t.Errorf("Shrink without time: %d, %v", n, err)
		}
		n, err := s.Shrink(t.Context(), time.Minute)
		if err != nil {
			t.Error(err)
		}
		total += n
	}
	if want := int64(0); total <= want {
		t.Errorf("%d bytes were given back", total)
	}
}

// TestSweepWithoutConditionalDelete: where no delete is conditional, tombstones stay.
func TestSweepWithoutConditionalDelete(t *testing.T) {
	c := newClocked()
	c.Can = object.Abilities{}
	s := s3.NewTinyStore(c, "v/", 100)
	do(t, s, engine.Op{Kind: engine.Put, Key: "k", Value: large(1)})
	do(t, s, engine.Op{Kind: engine.Delete, Key: "k"})
	for range 4 {
		c.pass(25 * time.Hour)
		optimize(t, s)
	}
	if n := c.count(t, "v/="); n != 1 {
		t.Errorf("%d tombstones, want 1", n)
	}
	if n := c.count(t, "v/.d/") + c.count(t, "v/.r/"); n != 0 {
		t.Errorf("%d objects of data are left", n)
	}
}

// TestReverse compares listings from the end with a sorted slice, and counts their requests.
func TestReverse(t *testing.T) {
	c := newClocked()
	requests := 0
	c.Fault = func(call, _ string) memory.Fault {
		if call == "list" {
			requests++
		}
		return memory.None
	}
	s := s3.NewStore(c, "v/", nil)
	var ops []engine.Op
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 6000 {
		key := fmt.Sprintf("a long prefix/of many/%08d", i*7)
		switch i % 3 {
		case 1:
			key = strings.Repeat("z\xff", i%40) + fmt.Sprint(rng.IntN(1000))
		case 2:
			key = fmt.Sprintf("mail/%x/%d.eml", rng.IntN(50), i)
		}
		ops = append(ops, engine.Op{Kind: engine.Put, Key: key, Value: []byte("v")})
	}
	seen := map[string]bool{}
	var distinct []engine.Op
	for _, op := range ops {
		if !seen[op.Key] {
			seen[op.Key] = true
			distinct = append(distinct, op)
		}
	}
	if _, errs := s.ApplyEach(t.Context(), distinct); errors.Join(errs...) != nil {
		t.Fatal(errors.Join(errs...))
	}
	forward, _, err := s.AppendKeys(t.Context(), nil, engine.Query{Limit: 10_000})
	if err != nil || len(forward) != len(distinct) {
		t.Fatalf("%d keys, %v; want %d", len(forward), err, len(distinct))
	}
	for _, r := range []engine.Range{{}, {End: "mail/5"}, engine.PrefixRange("a long prefix/"), {Start: "mail/3/", End: "z"}, {Start: "zz"}} {
		for _, limit := range []int{1, 10, 1000} {
			requests = 0
			got, more, err := s.AppendKeys(t.Context(), nil, engine.Query{Range: r, Limit: limit, Reverse: true})
			var want []string
			for i := len(forward) - 1; i >= 0 && len(want) < limit; i-- {
				if r.Contains(forward[i]) {
					want = append(want, forward[i])
				}
			}
			if err != nil || fmt.Sprint(got) != fmt.Sprint(want) || len(got) == limit && !more && limit < 1000 {
				t.Errorf("%q, limit %d: %d keys, more %v, %v; want %d", r, limit, len(got), more, err, len(want))
			}
			if requests > 80 {
				t.Errorf("%q, limit %d: %d requests", r, limit, requests)
			}
			t.Logf("%q, limit %d: %d requests", r, limit, requests)
		}
	}
}
