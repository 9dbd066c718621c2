package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
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

func apply(t *testing.T, s *s3.Store, op engine.Op) engine.Result {
	t.Helper()
	res, err := s.Apply(context.Background(), []engine.Op{op})
	if err != nil {
		t.Fatal(err)
	}
	return res[0]
}

// onceBefore calls fn before the first call of a kind to a key that has part in it.
func onceBefore(b *memory.Bucket, call, part string, fn func()) {
	var mu sync.Mutex
	done := false
	b.Fault = func(c, key string) memory.Fault {
		mu.Lock()
		now := !done && c == call && strings.Contains(key, part)
		if now {
			done = true
		}
		mu.Unlock()
		if now {
			fn()
		}
		return memory.None
	}
}

// A change that waits for one version must not take another with the same bytes for it.
func TestEqualContent(t *testing.T) {
	value := bytes.Repeat([]byte("same "), 100)
	for _, kind := range []engine.OpKind{engine.Delete, engine.Put, engine.Rename, engine.SetMeta} {
		b := memory.New()
		s, other := s3.NewStore(b, "v/", nil), s3.NewStore(b, "v/", nil)
		first := apply(t, s, engine.Op{Kind: engine.Put, Key: "k", Value: value})
		var second engine.Result
		onceBefore(b, "put", "v/=k", func() {
			second = apply(t, other, engine.Op{Kind: engine.Put, Key: "k", Value: value})
		})
		op := engine.Op{Kind: kind, Key: "k", If: engine.Condition{Tag: first.Entry.Meta.Tag}, Value: []byte("new")}
		if kind == engine.Rename {
			op.To = "to"
		}
		_, err := s.Apply(t.Context(), []engine.Op{op})
		e, statErr := s.Stat(t.Context(), "k")
		if !errors.Is(err, engine.ErrTagMismatch) || statErr != nil || e.Meta.Tag != second.Entry.Meta.Tag {
			t.Errorf("kind %v, %v; then %q has tag %q (%v), want %q", kind, err, "k", e.Meta.Tag, statErr, second.Entry.Meta.Tag)
		}
	}
}

// crashed is a bucket of a program that sent one put of a key, and ended before the server took it.
type crashed struct {
	*memory.Bucket
	end  context.CancelFunc
	late func() error
}

func (b *crashed) Put(ctx context.Context, key string, body []byte, o object.PutOptions) (string, error) {
	if key != "v/=k" {
		return b.Bucket.Put(ctx, key, body, o)
	}
	b.late = func() error { _, err := b.Bucket.Put(context.Background(), key, body, o); return err }
	b.end()
	return "", object.ErrUnknown
}

// TestLateAfterEqualContent: a request that the server carries out only after another version, and
// then one with the bytes of that which it was meant for, does nothing.
func TestLateAfterEqualContent(t *testing.T) {
	long, short := bytes.Repeat([]byte("same "), 100), []byte("same")
	for name, late := range map[string]engine.Op{
		"put":     {Kind: engine.Put, Key: "k", Value: bytes.Repeat([]byte("late "), 100)},
		"delete":  {Kind: engine.Delete, Key: "k"},
		"setmeta": {Kind: engine.SetMeta, Key: "k", Meta: engine.Meta{ContentType: "late/late"}},
		"rename":  {Kind: engine.Rename, Key: "k", To: "to"},
	} {
		for between, op := range map[string]engine.Op{
			"put":     {Kind: engine.Put, Key: "k", Value: []byte("between")},
			"delete":  {Kind: engine.Delete, Key: "k"},
			"setmeta": {Kind: engine.SetMeta, Key: "k", Meta: engine.Meta{ContentType: "a/b"}},
		} {
			for _, value := range [][]byte{long, short} {
				t.Run(fmt.Sprintf("%s after %s, %d bytes", name, between, len(value)), func(t *testing.T) {
					b := memory.New()
					s := s3.NewStore(b, "v/", nil)
					apply(t, s, engine.Op{Kind: engine.Put, Key: "k", Value: value})
					ctx, end := context.WithCancel(t.Context())
					c := &crashed{Bucket: b, end: end}
					if _, err := s3.NewStore(c, "v/", nil).Apply(ctx, []engine.Op{late}); err == nil || c.late == nil {
						t.Fatalf("the late change: %v", err)
					}
					apply(t, s, op)
					second := apply(t, s, engine.Op{Kind: engine.Put, Key: "k", Value: value}).Entry
					if err := c.late(); !errors.Is(err, object.ErrPrecondition) {
						t.Errorf("the late request: %v", err)
					}
					got, err := s.Get(t.Context(), "k")
					if e, statErr := s.Stat(t.Context(), "k"); err != nil || statErr != nil || !bytes.Equal(got, value) || e.Meta.Tag != second.Meta.Tag {
						t.Errorf("the key has %.20q, %+v, %v, %v", got, e, err, statErr)
					}
				})
			}
		}
	}
}

// TestEqualContentAfterASweep: a change that rests for long, while its key is deleted, swept and
// gets the same bytes as a new value, does not take that for the version that it saw.
func TestEqualContentAfterASweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New()
		s, other := s3.NewTinyStore(b, "v/", 1000), s3.NewTinyStore(b, "v/", 1000)
		defer s.Close()
		defer other.Close()
		value := bytes.Repeat([]byte("same "), 100)
		first := apply(t, other, engine.Op{Kind: engine.Put, Key: "k", Value: value})
		var second engine.Result
		onceBefore(b, "put", "v/.r/", func() { // between the look at the key and its write
			apply(t, other, engine.Op{Kind: engine.Delete, Key: "k"})
			time.Sleep(tombstones)
			if err := other.Optimize(t.Context(), nil); err != nil {
				t.Error(err)
			}
			second = apply(t, other, engine.Op{Kind: engine.Put, Key: "k", Value: value})
		})
		op := engine.Op{Kind: engine.Put, Key: "k", Value: bytes.Repeat(value, 3), If: engine.Condition{Tag: first.Entry.Meta.Tag}}
		_, err := s.Apply(t.Context(), []engine.Op{op})
		if e, statErr := s.Stat(t.Context(), "k"); !errors.Is(err, engine.ErrTagMismatch) || statErr != nil || e.Meta.Tag != second.Entry.Meta.Tag {
			t.Errorf("%v; then %+v, %v", err, e, statErr)
		}
	})
}

// tombstones is after how long a sweep removes them.
const tombstones = 21 * time.Minute

// TestRequestsOfReads counts what reading costs: the same, whether or not a value took the place of
// another.
func TestRequestsOfReads(t *testing.T) {
	for _, size := range []int{10, 500, 300 << 10} {
		for _, versions := range []int{1, 2} {
			b := memory.New()
			s := s3.NewStore(b, "v/", nil)
			value := bytes.Repeat([]byte{'v'}, size)
			for range versions {
				apply(t, s, engine.Op{Kind: engine.Put, Key: "k", Value: value})
			}
			n := 0
			b.Fault = func(string, string) memory.Fault { n++; return memory.None }
			requests := func(what string, want int, got []byte, err error) {
				t.Helper()
				if n != want || err != nil || !bytes.Equal(got, value[:len(got)]) {
					t.Errorf("%s of version %d of %d bytes: %d requests, want %d; %d bytes, %v", what, versions, size, n, want, len(got), err)
				}
				n = 0
			}
			got, err := s.Get(t.Context(), "k")
			if len(got) != size {
				t.Errorf("Get: %d bytes of %d", len(got), size)
			}
			requests("Get", 1, got, err)
			e, err := s.Stat(t.Context(), "k")
			if e.Size != int64(size) {
				t.Errorf("Stat: %+v", e)
			}
			requests("Stat", 1, value, err)
			part := make([]byte, 5)
			_, err = s.ReadRange(t.Context(), "k", e.Meta.Tag, part, 3)
			requests("ReadRange", 2, part, err)
		}
	}
}

// TestRequestsOfWrites counts what the documentation promises.
func TestRequestsOfWrites(t *testing.T) {
	b := memory.New()
	s := s3.NewStore(b, "v/", nil)
	put := func(size int) engine.Op { return engine.Op{Kind: engine.Put, Key: "k", Value: make([]byte, size)} }
	for _, step := range []struct {
		what string
		op   engine.Op
		want int
	}{
		{"new", put(1000), 1},
		{"in the place of another", put(1000), 3},
		{"longer", put(100 << 10), 2},
		{"delete", engine.Op{Kind: engine.Delete, Key: "k"}, 2},
		{"in the place of a tombstone", put(1000), 4},
		{"delete again", engine.Op{Kind: engine.Delete, Key: "k"}, 2},
		{"longer, in the place of a tombstone", put(100 << 10), 3},
	} {
		n := 0
		b.Fault = func(string, string) memory.Fault { n++; return memory.None }
		apply(t, s, step.op)
		if n != step.want {
			t.Errorf("%s: %d requests, want %d", step.what, n, step.want)
		}
	}
}

// TestRequestsOfSizes: a listing of sizes asks only for what did not come under a new key, or has a
// size that pointers have, too. It tells the right ones of all.
func TestRequestsOfSizes(t *testing.T) {
	b := memory.New()
	s := s3.NewTinyStore(b, "v/", 5000)
	want := map[string]int64{}
	put := func(key string, size int) {
		apply(t, s, engine.Op{Kind: engine.Put, Key: key, Value: make([]byte, size)})
		want[key] = int64(size)
	}
	asked := 0
	for i := range 200 {
		put(fmt.Sprint("new ", i), 200+i)
		if (200+i)%64 == 63 {
			asked++
		}
	}
	for i, size := range []int{0, 1, 54, 55, 56, 128, 1000, 5000, 5001, 20_000} {
		put(fmt.Sprint("other ", i), 300)
		put(fmt.Sprint("other ", i), size)
		asked++
	}
	apply(t, s, engine.Op{Kind: engine.SetMeta, Key: "new 0", Meta: engine.Meta{User: map[string]string{"m": strings.Repeat("m", 2000)}}})
	asked++
	put("deleted", 300)
	apply(t, s, engine.Op{Kind: engine.Delete, Key: "deleted"})
	delete(want, "deleted")
	var mu sync.Mutex
	requests := map[string]int{}
	b.Fault = func(call, _ string) memory.Fault {
		mu.Lock()
		defer mu.Unlock()
		requests[call]++
		return memory.None
	}
	page, err := s.List(t.Context(), engine.Query{Limit: 1000, Sizes: true})
	if err != nil || len(page.Items) != len(want) {
		t.Errorf("%d items, %v; want %d", len(page.Items), err, len(want))
	}
	for _, it := range page.Items {
		if it.Size != want[it.Key] {
			t.Errorf("%s has %d bytes, want %d", it.Key, it.Size, want[it.Key])
		}
	}
	if requests["head"] != asked || requests["list"] != 1 {
		t.Errorf("requests %v; want %d heads", requests, asked)
	}
}

// TestTakeBackOfWhatWasReplaced: a rename whose write at the new name got no answer, and was replaced
// before it could look, leaves what is there alone when it is given up.
func TestTakeBackOfWhatWasReplaced(t *testing.T) {
	b := &unansweredAt{Bucket: memory.New(), key: "v/=to"}
	s, other := s3.NewStore(b, "v/", nil), s3.NewStore(b.Bucket, "v/", nil)
	apply(t, other, engine.Op{Kind: engine.Put, Key: "k", Value: []byte("value")})
	b.then = func() {
		apply(t, other, engine.Op{Kind: engine.Put, Key: "to", Value: []byte("newer")})
		apply(t, other, engine.Op{Kind: engine.Delete, Key: "k"})
	}
	_, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Rename, Key: "k", To: "to"}})
	got, getErr := s.Get(t.Context(), "to")
	if !errors.Is(err, engine.ErrNotFound) || string(got) != "newer" || getErr != nil {
		t.Errorf("the rename: %v; then %q, %v", err, got, getErr)
	}
}

// unansweredAt carries out the first put of a key without an answer, and runs something then.
type unansweredAt struct {
	*memory.Bucket
	key  string
	then func()
}

func (b *unansweredAt) Put(
	ctx context.Context, key string, body []byte, o object.PutOptions,
) (string, error) {
	etag, err := b.Bucket.Put(ctx, key, body, o)
	if then := b.then; err == nil && key == b.key && then != nil {
		b.then = nil
		then()
		return "", object.ErrUnknown
	}
	return etag, err
}

// overtaken is a bucket in which another program changes a key before each write of ours.
type overtaken struct {
	*memory.Bucket
	at []time.Time
}

func (b *overtaken) Put(ctx context.Context, key string, body []byte, o object.PutOptions) (string, error) {
	if key == "v/=k" {
		b.at = append(b.at, time.Now())
		if _, err := b.Bucket.Put(ctx, key, fmt.Appendf(nil, "faster %d", len(b.at)), object.PutOptions{}); err != nil {
			return "", err
		}
	}
	return b.Bucket.Put(ctx, key, body, o)
}

// TestOvertaken: a change that others are always faster than ends with its context, or after some
// hundred tries, with pauses between that grow.
func TestOvertaken(t *testing.T) {
	for name, op := range map[string]engine.Op{
		"put":     {Kind: engine.Put, Key: "k", Value: []byte("ours")},
		"delete":  {Kind: engine.Delete, Key: "k"},
		"setmeta": {Kind: engine.SetMeta, Key: "k"},
		"rename":  {Kind: engine.Rename, Key: "k", To: "to"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &overtaken{Bucket: memory.New()}
				s := s3.NewStore(b, "v/", nil)
				defer s.Close()
				if _, err := b.Bucket.Put(t.Context(), "v/=k", []byte("first"), object.PutOptions{}); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				began := time.Now()
				_, err := s.Apply(ctx, []engine.Op{op})
				if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != 3*time.Second {
					t.Errorf("after %v: %v", took, err)
				}
				b.at = nil
				if op.To != "" { // as a rename whose context has ended may leave both keys
					op.To = "another"
				}
				_, err = s.Apply(t.Context(), []engine.Op{op})
				if n := len(b.at); !errors.Is(err, engine.ErrConflict) || n < 100 || n > 1000 {
					t.Fatalf("%d tries: %v", n, err)
				}
				if early, late := b.at[5].Sub(b.at[0]), b.at[105].Sub(b.at[100]); early > late || early > 100*time.Millisecond {
					t.Errorf("five tries took %v, and later %v", early, late)
				}
				if _, err := s.Stat(t.Context(), "another"); !errors.Is(err, engine.ErrNotFound) {
					t.Errorf("a rename that was given up: %v", err)
				}
			})
		})
	}
}

type ticking struct {
	mu  sync.Mutex
	now time.Time
}

func (c *ticking) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }
func (c *ticking) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// A copy notes its reference once more between the sweep's look and its delete: the sweep goes on,
// and the copy keeps its data, whatever conditions of deletes the server knows.
func TestSweepBesideCopy(t *testing.T) {
	for _, can := range []object.Abilities{{DeleteIfMatch: true, DeleteIfUnmodified: true}, {DeleteIfUnmodified: true}, {DeleteIfMatch: true}, {}} {
		t.Run(fmt.Sprint(can), func(t *testing.T) {
			b := memory.New()
			b.Can = can
			c := &ticking{now: time.Now()}
			b.Now = c.Now
			s, other := s3.NewStore(b, "v/", tiny), s3.NewStore(b, "v/", tiny)
			value := bytes.Repeat([]byte("large "), 1<<20)
			apply(t, s, engine.Op{Kind: engine.Put, Key: "k", Value: value})
			apply(t, s, engine.Op{Kind: engine.Copy, Key: "k", To: "to"})
			apply(t, s, engine.Op{Kind: engine.Put, Key: "to", Value: []byte("short")})
			c.add(48 * time.Hour)
			copied := false
			onceBefore(b, "delete", "v/.r/", func() {
				apply(t, other, engine.Op{Kind: engine.Copy, Key: "k", To: "to"})
				copied = true
			})
			if err := s.Optimize(t.Context(), nil); err != nil {
				t.Error("sweep:", err)
			}
			if !copied { // no reference is deleted without a condition
				apply(t, other, engine.Op{Kind: engine.Copy, Key: "k", To: "to"})
			}
			apply(t, s, engine.Op{Kind: engine.Delete, Key: "k"})
			for range 4 {
				c.add(48 * time.Hour)
				if err := s.Optimize(t.Context(), nil); err != nil {
					t.Error("sweep:", err)
				}
			}
			if got, err := s.Get(t.Context(), "to"); err != nil || !bytes.Equal(got, value) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

// A change of metadata stores the value in a pointer, however large parts may be.
func TestLargestPart(t *testing.T) {
	b := memory.New()
	s := s3.NewStore(b, "v/", &s3.Options{PartSize: 128 << 20})
	value := make([]byte, 65<<20)
	apply(t, s, engine.Op{Kind: engine.Put, Key: "k", Value: value})
	apply(t, s, engine.Op{Kind: engine.SetMeta, Key: "k", Meta: engine.Meta{ContentType: "a/b"}})
	got, err := s.Get(t.Context(), "k")
	if err != nil || len(got) != len(value) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// A range whose bounds are longer than any name asks the server for none of such a length.
func TestLongBounds(t *testing.T) {
	b := memory.New()
	s := s3.NewStore(b, "v/", nil)
	longest := strings.Repeat("b", 1024-len("v/="))
	keys := []string{"a", longest[1:], longest, longest[1:] + "c", "c"}
	for _, key := range keys {
		apply(t, s, engine.Op{Kind: engine.Put, Key: key})
	}
	b.Fault = func(call, prefix string) memory.Fault {
		if len(prefix) > 1024 {
			t.Errorf("%s of a prefix of %d bytes", call, len(prefix))
		}
		return memory.None
	}
	bounds := []string{"", longest, longest + "a", longest + "\xff", longest + longest, longest[1:] + "cc", longest[1:] + "\xff", strings.Repeat("\xff", 600)}
	for _, start := range bounds {
		for _, end := range bounds {
			for _, reverse := range []bool{false, true} {
				r := engine.Range{Start: start, End: end}
				var want []string
				for _, key := range keys {
					if r.Contains(key) {
						want = append(want, key)
					}
				}
				got, _, err := s.AppendKeys(t.Context(), nil, engine.Query{Range: r, Limit: 10, Reverse: reverse})
				if reverse {
					slices.Reverse(got)
				}
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%d bytes to %d: %d keys, %v, want %d", len(start), len(end), len(got), err, len(want))
				}
			}
		}
	}
}

// Listing from the end takes few requests, however long what many names have in common.
func TestReverseOfLongNames(t *testing.T) {
	b := memory.New()
	s := s3.NewStore(b, "v/", nil)
	var want []string
	for i := range 1500 {
		want = append(want, fmt.Sprintf("%s%04d", strings.Repeat("b", 900), i))
	}
	for _, key := range append(want, "c") {
		apply(t, s, engine.Op{Kind: engine.Put, Key: key})
	}
	want = append(want, "c")
	slices.Reverse(want)
	requests := 0
	b.Fault = func(string, string) memory.Fault { requests++; return memory.None }
	for _, limit := range []int{1, 10, 1000, 1400} {
		requests = 0
		got, more, err := s.AppendKeys(t.Context(), nil, engine.Query{Limit: limit, Reverse: true})
		if err != nil || !more || !slices.Equal(got, want[:limit]) || requests > 100 {
			t.Errorf("limit %d: %d keys, more %v, %v, in %d requests", limit, len(got), more, err, requests)
		}
	}
}

// Pages bounded in bytes read each large value once, not those that do not fit again and again.
func TestPagesOfLargeValues(t *testing.T) {
	b := memory.New()
	s := s3.NewStore(b, "v/", tiny)
	v := bytes.Repeat([]byte("x"), 6<<20)
	for _, k := range strings.Split("abcdefghijklmnop", "") {
		apply(t, s, engine.Op{Kind: engine.Put, Key: k, Value: v})
	}
	data := 0
	var mu sync.Mutex
	b.Fault = func(c, key string) memory.Fault {
		mu.Lock()
		defer mu.Unlock()
		if c == "get" && strings.Contains(key, "/.d/") {
			data++
		}
		return memory.None
	}
	q := engine.Query{Limit: 100, Values: true, MaxBytes: 7 << 20}
	n := 0
	for {
		p, err := s.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		n += len(p.Items)
		if !p.More {
			break
		}
		q.Range = q.After(p.Items[len(p.Items)-1].Key, false)
	}
	if n != 16 || data != 16 {
		t.Errorf("%d values, %d reads of data objects; want 16 of each", n, data)
	}
}
