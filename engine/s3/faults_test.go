package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
	"github.com/kohakuvault/kvault/engine/s3/internal/object/memory"
)

// faulty is a bucket of which one call in n fails, before or after it takes effect.
type faulty struct {
	*memory.Bucket
	mu  sync.Mutex
	rng *rand.Rand
	n   int // 0 for no faults
	// late is one in how many conditional puts gets no answer, and is carried out later, if ever.
	late    int
	pending []func()
}

// Put may put the object later, as a gateway that was stopped for a while.
func (f *faulty) Put(ctx context.Context, key string, body []byte, o object.PutOptions) (string, error) {
	f.mu.Lock()
	delay := f.late > 0 && (o.IfAbsent || o.IfMatch != "") && f.rng.IntN(f.late) == 0
	var run func()
	if n := len(f.pending); n > 0 && f.rng.IntN(4) == 0 {
		i := f.rng.IntN(n)
		run = f.pending[i]
		f.pending = slices.Delete(f.pending, i, i+1)
	}
	if delay {
		body := bytes.Clone(body)
		f.pending = append(f.pending, func() { _, _ = f.Bucket.Put(context.Background(), key, body, o) })
	}
	f.mu.Unlock()
	if run != nil {
		run()
	}
	if delay {
		return "", fmt.Errorf("a stopped gateway: %w", object.ErrUnknown)
	}
	return f.Bucket.Put(ctx, key, body, o)
}

func newFaulty(seed uint64, n int) *faulty {
	f := &faulty{Bucket: memory.New(), rng: rand.New(rand.NewPCG(seed, 0)), n: n}
	f.Fault = func(call, key string) memory.Fault {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.n == 0 || f.rng.IntN(f.n) > 0 {
			return memory.None
		}
		if reads := call == "get" || call == "head" || call == "list"; reads || f.rng.IntN(2) == 0 {
			return memory.Before
		}
		return memory.After
	}
	return f
}

// faults says that one call in n fails from now on.
func (f *faulty) faults(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n = n
}

// tiny makes large values of what is more than 5 MiB.
var tiny = &s3.Options{PartSize: 5 << 20}

// versions are what a key may have: "" stands for none.
type versions map[string]bool

// TestModelWithFaults does random things to a bucket of which one call in ten fails. What was
// acknowledged is there; what failed has not happened; what is not known is one of both.
func TestModelWithFaults(t *testing.T) {
	for seed := range uint64(12) {
		f := newFaulty(seed, 0)
		s := s3.NewStore(f, "v/", tiny)
		r := &modelRun{t: t, rng: rand.New(rand.NewPCG(seed, 1)), f: f, s: s, may: map[string]versions{}}
		for range 80 {
			r.step()
		}
		r.compare()
		if err := s.Check(t.Context(), func(p engine.Problem) { t.Errorf("seed %d: Check: %q: %v", seed, p.Key, p.Err) }, nil); err != nil {
			t.Errorf("seed %d: Check: %v", seed, err)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

type modelRun struct {
	t       *testing.T
	rng     *rand.Rand
	f       *faulty
	s       *s3.Store
	may     map[string]versions
	n       int
	unknown int
}

func (r *modelRun) key() string { return []string{"a", "a/b", "b", "c\x00"}[r.rng.IntN(4)] }

func (r *modelRun) of(key string) versions {
	if r.may[key] == nil {
		r.may[key] = versions{"": true}
	}
	return r.may[key]
}

// value is a new one, sometimes a large one.
func (r *modelRun) value() string {
	r.n++
	v := fmt.Sprintf("value %d ", r.n)
	switch r.rng.IntN(12) {
	case 0:
		return strings.Repeat(v, (6<<20)/len(v))
	case 1, 2, 3:
		return strings.Repeat(v, 100)
	}
	return v
}

func (r *modelRun) step() {
	key, to := r.key(), r.key()
	was := maps.Clone(r.of(key))
	op := engine.Op{Key: key}
	var will func() // what it does to the model
	switch r.rng.IntN(8) {
	case 0, 1, 2:
		v := r.value()
		op.Kind, op.Value = engine.Put, []byte(v)
		if r.rng.IntN(3) == 0 {
			op.If.Absent = true
		}
		if r.rng.IntN(3) == 0 {
			op.Staged, op.Value = r.staged(v), nil
		}
		will = func() { r.may[key] = versions{v: true} }
	case 3, 4:
		op.Kind, op.Take = engine.Delete, true
		will = func() { r.may[key] = versions{"": true} }
	case 5:
		op.Kind, op.To = engine.Rename, to
	case 6:
		op.Kind, op.To = engine.Copy, to
	case 7:
		op.Kind, op.Meta.ContentType = engine.SetMeta, "a/b"
		will = func() {}
	}
	r.f.faults(10)
	res, err := r.s.Apply(r.t.Context(), []engine.Op{op})
	r.f.faults(0)
	if op.To != "" {
		r.moved(op, was, err)
		return
	}
	switch {
	case err == nil:
		if op.Take && !was[string(res[0].Value)] {
			r.t.Errorf("taking %q gave %.20q, want one of %.60q", key, res[0].Value, slices.Collect(maps.Keys(was)))
		}
		will()
	case errors.Is(err, engine.ErrExists):
		delete(r.may[key], "")
	case errors.Is(err, engine.ErrNotFound):
		r.may[key] = versions{"": true}
	case errors.Is(err, engine.ErrUnknown):
		r.unknown++
		will()
		maps.Copy(r.may[key], was)
	}
	r.look(key)
}

// moved is what a rename or a copy leads to. One that failed may have left both keys.
func (r *modelRun) moved(op engine.Op, was versions, err error) {
	there := maps.Clone(was)
	delete(there, "")
	switch {
	case op.Key == op.To:
	case err == nil:
		r.may[op.To] = there
		if op.Kind == engine.Rename {
			r.may[op.Key] = versions{"": true}
		}
	case errors.Is(err, engine.ErrNotFound):
		r.may[op.Key] = versions{"": true}
	default:
		maps.Copy(r.of(op.To), there)
		if op.Kind == engine.Rename {
			// Only if To has it may it be gone.
			from, to := r.look(op.Key), r.look(op.To)
			if from == "" && !was[""] && !there[to] {
				r.t.Errorf("%q is gone, and %q has %.20q", op.Key, op.To, to)
			}
			if from == "" {
				r.may[op.Key] = versions{"": true}
			}
			return
		}
	}
	r.look(op.Key)
	r.look(op.To)
}

func (r *modelRun) staged(v string) engine.Stage {
	st, err := r.s.Stage(r.t.Context(), engine.StageOptions{ChunkSize: 1 << 20, Size: -1})
	if err != nil {
		r.t.Fatal(err)
	}
	r.f.faults(10)
	defer r.f.faults(0)
	for rest := []byte(v); len(rest) > 0; {
		n := min(len(rest), 1<<20)
		if err := st.WriteChunk(r.t.Context(), rest[:n]); err == nil {
			rest = rest[n:]
		}
	}
	return st
}

// look reads a key, which has one of what it may have, and from now on that.
func (r *modelRun) look(key string) string {
	r.t.Helper()
	got, err := r.s.Get(r.t.Context(), key)
	if errors.Is(err, engine.ErrNotFound) {
		got, err = nil, nil
	}
	if err != nil || !r.of(key)[string(got)] && !(errors.Is(err, nil) && len(r.of(key)) == 0) {
		r.t.Errorf("%q is %.20q, %v; want one of %.60q", key, got, err, slices.Collect(maps.Keys(r.of(key))))
	}
	r.may[key] = versions{string(got): true}
	return string(got)
}

func (r *modelRun) compare() {
	var want []string
	for key, may := range r.may {
		if !may[""] {
			want = append(want, key)
		}
		r.look(key)
	}
	slices.Sort(want)
	for _, reverse := range []bool{false, true} {
		got, _, err := r.s.AppendKeys(r.t.Context(), nil, engine.Query{Limit: 100, Reverse: reverse})
		if reverse {
			slices.Reverse(got)
		}
		if err != nil || !slices.Equal(got, want) {
			r.t.Errorf("keys %q, %v; want %q", got, err, want)
		}
	}
}

// TestPoppersWithFaults has producers put values under few keys and poppers take them, on several
// stores of one bucket. Each value is taken once at most, and each that was acknowledged is taken,
// but for those of which a call could not find out.
func TestPoppersWithFaults(t *testing.T) {
	t.Run("lost answers", func(t *testing.T) { testPoppers(t, newFaulty(7, 8)) })
	t.Run("late requests", func(t *testing.T) {
		f := newFaulty(8, 0)
		f.late = 4
		testPoppers(t, f)
	})
}

func testPoppers(t *testing.T, f *faulty) {
	const producers, poppers, each, keys = 3, 8, 60, 12
	var mu sync.Mutex
	acknowledged, taken, doubtful, unknownTakes := map[string]bool{}, map[string]int{}, map[string]bool{}, 0
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var producing, popping sync.WaitGroup
	for p := range producers {
		s := s3.NewStore(f, "v/", nil)
		producing.Go(func() {
			for i := range each {
				value := fmt.Sprintf("%d/%d", p, i)
				for ctx.Err() == nil {
					op := engine.Op{Kind: engine.Put, Key: fmt.Sprint("k", (p*each+i)%keys), Value: []byte(value), If: engine.Condition{Absent: true}}
					_, err := s.Apply(ctx, []engine.Op{op})
					mu.Lock()
					if err == nil {
						acknowledged[value] = true
					} else if errors.Is(err, engine.ErrUnknown) {
						doubtful[value] = true
					}
					mu.Unlock()
					if err == nil || errors.Is(err, engine.ErrUnknown) {
						break
					}
				}
			}
		})
	}
	done := make(chan struct{})
	for p := range poppers {
		s := s3.NewStore(f, "v/", nil)
		popping.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					if n%keys == 0 {
						return
					}
				default:
				}
				res, err := s.Apply(ctx, []engine.Op{{Kind: engine.Delete, Take: true, Key: fmt.Sprint("k", (p+n)%keys)}})
				mu.Lock()
				if err == nil && res[0].Found {
					taken[string(res[0].Value)]++
				} else if errors.Is(err, engine.ErrUnknown) {
					unknownTakes++
				}
				mu.Unlock()
			}
		})
	}
	producing.Wait()
	close(done)
	popping.Wait()
	f.faults(0)
	f.late = 0
	for _, run := range f.pending {
		run()
	}
	last := s3.NewStore(f, "v/", nil)
	for k := range keys {
		if res, err := last.Apply(t.Context(), []engine.Op{{Kind: engine.Delete, Take: true, Key: fmt.Sprint("k", k)}}); err == nil && res[0].Found {
			taken[string(res[0].Value)]++
		} else if err != nil {
			t.Error(err)
		}
	}
	lost := 0
	for value := range acknowledged {
		if taken[value] == 0 {
			lost++
		}
	}
	for value, n := range taken {
		if n > 1 || !acknowledged[value] && !doubtful[value] {
			t.Errorf("%s was taken %d times, acknowledged %v", value, n, acknowledged[value])
		}
	}
	if lost > unknownTakes {
		t.Errorf("%d acknowledged values were not taken, and %d takes could not find out", lost, unknownTakes)
	}
	t.Logf("%d acknowledged, %d in doubt, %d taken, %d takes in doubt", len(acknowledged), len(doubtful), len(taken), unknownTakes)
}

// TestDeleterBesideWriters deletes and sweeps while others write: each acknowledged put is there,
// or a delete that began before it ended has taken it.
func TestDeleterBesideWriters(t *testing.T) {
	f := newFaulty(3, 20)
	now := time.Now()
	var clock sync.Mutex
	f.Now = func() time.Time { // 10 seconds for each call, so that tombstones are soon old
		clock.Lock()
		defer clock.Unlock()
		now = now.Add(10 * time.Second)
		return now
	}
	done := make(chan struct{})
	var others sync.WaitGroup
	for range 2 {
		s := s3.NewStore(f, "v/", nil)
		others.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				_, _ = s.Apply(t.Context(), []engine.Op{{Kind: engine.DeleteRange, Range: engine.PrefixRange("shared/")}})
				_ = s.Optimize(t.Context(), nil)
			}
		})
	}
	var writers sync.WaitGroup
	for w := range 4 {
		s := s3.NewStore(f, "v/", nil)
		writers.Go(func() {
			for i := range 60 {
				mine, value := fmt.Sprint("mine/", w), fmt.Appendf(nil, "%d", i)
				_, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: mine, Value: value}})
				_, _ = s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: fmt.Sprint("shared/", i%5), Value: value}})
				if err != nil {
					continue
				}
				for tries := range 20 {
					got, err := s.Get(t.Context(), mine)
					if bytes.Equal(got, value) {
						break
					}
					if err == nil || errors.Is(err, engine.ErrNotFound) || tries == 19 {
						t.Errorf("%s is %q, %v; want %q", mine, got, err, value)
						break
					}
				}
				if i%7 == 0 {
					_, _ = s.Apply(t.Context(), []engine.Op{{Kind: engine.Delete, Key: mine}})
				}
			}
		})
	}
	writers.Wait()
	close(done)
	others.Wait()
}

// TestOutcomes has one write get no answer, and others change the key before it can look: it finds
// out what became of it by the versions that follow, or says that it cannot.
func TestOutcomes(t *testing.T) {
	put := func(s *s3.Store, v string) {
		do(t, s, engine.Op{Kind: engine.Put, Key: "k", Value: []byte(v)})
	}
	for name, tt := range map[string]struct {
		effect  bool // of the write
		between int  // versions
		want    error
	}{
		"took effect":                     {true, 0, nil},
		"took effect, was replaced":       {true, 1, nil},
		"took effect, was replaced often": {true, 8, nil},
		"took effect, too long ago":       {true, 9, engine.ErrUnknown},
		"took no effect":                  {false, 0, nil},
		"took no effect, others did":      {false, 1, engine.ErrTagMismatch},
		"took no effect, many others did": {false, 8, engine.ErrTagMismatch},
		"took no effect, too many did":    {false, 9, engine.ErrUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			b := &unanswered{Bucket: memory.New()}
			s := s3.NewStore(b, "v/", nil)
			put(s, "first")
			first, err := s.Stat(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			b.effect, b.then = tt.effect, func() {
				for i := range tt.between {
					put(s, fmt.Sprint("another ", i))
				}
			}
			op := engine.Op{Kind: engine.Put, Key: "k", Value: []byte("mine"), If: engine.Condition{Tag: first.Meta.Tag}}
			_, err = s.Apply(t.Context(), []engine.Op{op})
			if !errors.Is(err, tt.want) {
				t.Errorf("the write: %v, want %v", err, tt.want)
			}
			got, err := s.Get(t.Context(), "k")
			if want := "another"; err != nil || tt.between > 0 && !strings.HasPrefix(string(got), want) || tt.between == 0 && string(got) != "mine" {
				t.Errorf("the key has %q, %v", got, err)
			}
		})
	}
}

// unanswered gives one put no answer, and runs something before anybody can look.
type unanswered struct {
	*memory.Bucket
	effect bool
	then   func()
}

func (b *unanswered) Put(ctx context.Context, key string, body []byte, o object.PutOptions) (string, error) {
	then := b.then
	if then == nil {
		return b.Bucket.Put(ctx, key, body, o)
	}
	b.then = nil
	if b.effect {
		if _, err := b.Bucket.Put(ctx, key, body, o); err != nil {
			return "", err
		}
	}
	then()
	return "", object.ErrUnknown
}

// TestStreamsTakeLittleMemory writes and reads 100 MB.
func TestStreamsTakeLittleMemory(t *testing.T) {
	b := &discarding{Bucket: memory.New()}
	s := s3.NewStore(b, "v/", nil)
	before := heap()
	st, err := s.Stage(t.Context(), engine.StageOptions{ChunkSize: 1 << 20, Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 1<<20)
	most := uint64(0)
	for range 100 {
		if err := st.WriteChunk(t.Context(), chunk); err != nil {
			t.Fatal(err)
		}
		most = max(most, heap())
	}
	if err := st.Abort(); err != nil {
		t.Error(err)
	}
	if used := (most - min(most, before)) >> 20; used > 60 {
		t.Errorf("the stream took %d MiB of memory", used)
	}
}

// discarding forgets parts.
type discarding struct{ *memory.Bucket }

type forgetting struct{ object.Multipart }

func (b *discarding) Begin(ctx context.Context, key string) (object.Multipart, error) {
	m, err := b.Bucket.Begin(ctx, key)
	return forgetting{m}, err
}

func (forgetting) Part(context.Context, int, []byte) error { return nil }

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
