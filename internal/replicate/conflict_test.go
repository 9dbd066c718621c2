package replicate_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/mem"
	"github.com/kohakuvault/kvault/internal/replicate"
	"github.com/kohakuvault/kvault/internal/singletest"
)

// hooked is a store that calls a function before each change, and fails with its error.
type hooked struct {
	engine.Store
	before func(op string) error
	// beforeBegin, if not nil, is called before each transaction that changes something.
	beforeBegin func()
}

func (s *hooked) Apply(ctx context.Context, ops []engine.Op) ([]engine.Result, error) {
	if err := s.before("apply"); err != nil {
		return nil, err
	}
	return s.Store.Apply(ctx, ops)
}

func (s *hooked) Open(ctx context.Context, key string) (engine.Blob, error) {
	if err := s.before("open " + key); err != nil {
		return nil, err
	}
	return s.Store.Open(ctx, key)
}

// hookedTx is a hooked store with transactions.
type hookedTx struct{ *hooked }

func (s hookedTx) Begin(ctx context.Context, writable bool) (engine.Tx, error) {
	if writable && s.beforeBegin != nil {
		s.beforeBegin()
	}
	tx, err := s.Store.(engine.Transactor).Begin(ctx, writable)
	if err != nil || !writable {
		return tx, err
	}
	return hookedChanges{tx, tx.(engine.Arrays), s.before}, nil
}

type arrays = engine.Arrays

type hookedChanges struct {
	engine.Tx
	arrays
	before func(op string) error
}

func (x hookedChanges) Apply(ctx context.Context, ops []engine.Op) ([]engine.Result, error) {
	if err := x.before("apply"); err != nil {
		return nil, err
	}
	return x.Tx.Apply(ctx, ops)
}

func (x hookedChanges) Commit(ctx context.Context) error {
	if err := x.before("commit"); err != nil {
		return err
	}
	return x.Tx.Commit(ctx)
}

// TestInterruptions: a copy that was broken off at any of its steps, by an error or by its context,
// goes on when it is run again.
func TestInterruptions(t *testing.T) {
	from := memVault(t)
	for i := range 12 {
		put(t, from, fmt.Sprint("k", i), fmt.Sprint(i))
	}
	must(t, from.Put(t.Context(), "large", make([]byte, 1<<20+1)))
	for _, typ := range []string{"i64", "str:null"} {
		_, err := column.CreateAny(t.Context(), from, typ, typ, nil)
		must(t, err)
	}
	appendStored(t, from, "i64", "12345678", "abcdefgh")
	appendStored(t, from, "str:null", "a", "bc")
	for _, single := range []bool{false, true} {
		for _, cancels := range []bool{false, true} {
			t.Run(fmt.Sprintf("%t-%t", single, cancels), func(t *testing.T) {
				step := int64(1)
				for interrupted(t, from, step, single, cancels) && !t.Failed() {
					step++
				}
				if step < 8 {
					t.Errorf("there are only %d steps", step)
				}
			})
		}
	}
}

// interrupted breaks a copy off at a step, and copies again. It reports whether there is such a step.
func interrupted(t *testing.T, from *kvault.Vault, step int64, single, cancels bool) bool {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	broken := errors.New("broken off")
	var n atomic.Int64
	h := &hooked{Store: mem.New(), before: func(string) error {
		switch {
		case n.Add(1) < step:
			return nil
		case cancels:
			cancel()
			return ctx.Err()
		}
		return broken
	}}
	var store engine.Store = hookedTx{h}
	if single {
		store = singletest.Of(hookedTx{h})
	}
	to := vaultOf(t, store)
	o := replicate.Options{BatchItems: 5}
	c := copier(t, from, to, o)
	err := c.Copy(ctx)
	reached := n.Load() >= step
	if failed := c.Counts().Failed; reached && err == nil && failed == 0 {
		t.Errorf("step %d: no error", step)
	}
	if !reached && (err != nil || c.Counts().Failed > 0) {
		t.Errorf("step %d: %v, %+v", step, err, c.Counts())
	}
	h.before = func(string) error { return nil }
	if c := replica(t, from, to, o); c.Failed+c.Conflicts > 0 {
		t.Errorf("step %d, again: %+v", step, c)
	}
	sameColumns(t, to, from)
	return reached
}

// TestConflicts: what another writer puts into the target after it was listed stays, whether the key
// was there or not.
func TestConflicts(t *testing.T) {
	for _, single := range []bool{false, true} {
		from := memVault(t)
		for i := range 20 {
			put(t, from, fmt.Sprint("k", i), fmt.Sprint(i))
		}
		must(t, from.Put(t.Context(), "large", make([]byte, 1<<20+1)))
		store := mem.New()
		var to, other *kvault.Vault
		other = vaultOf(t, store)
		to = other
		if single {
			to = vaultOf(t, oneOp{store})
		}
		for i := range 10 {
			put(t, to, fmt.Sprint("k", i), "old")
		}
		put(t, to, "large", "old")
		// The source calls back while its values are read, which is after the listing.
		var once sync.Once
		source := &hooked{Store: mem.New(), before: func(string) error { return nil }}
		src := vaultOf(t, source)
		replica(t, from, src, replicate.Options{})
		source.before = func(string) error {
			once.Do(func() {
				for _, key := range []string{"k3", "k13", "large"} {
					put(t, other, key, "newer")
				}
				must(t, other.DeleteIf(t.Context(), "k4", tagOf(t, other, "k4")))
			})
			return nil
		}
		var conflicts sync.Map
		n := replica(t, src, to, replicate.Options{Report: func(e replicate.Event) error {
			if e.Action == replicate.Conflict {
				conflicts.Store(e.Key, true)
			}
			return nil
		}})
		if n.Conflicts != 4 || n.Copied != 17 || n.Failed != 0 {
			t.Errorf("single %t: %+v", single, n)
		}
		for _, key := range []string{"k3", "k13", "large"} {
			if got, err := other.Get(t.Context(), key); string(got) != "newer" || err != nil {
				t.Errorf("%s: %.20q, %v", key, got, err)
			}
			if _, told := conflicts.Load(key); !told {
				t.Errorf("%s was not reported", key)
			}
		}
		if n := replica(t, src, to, replicate.Options{}); n.Copied != 4 || n.Conflicts != 0 {
			t.Errorf("again: %+v", n)
		}
		wantEqual(t, contents(t, to), contents(t, src))
	}
}

func tagOf(t testing.TB, v *kvault.Vault, key string) string {
	t.Helper()
	e, err := v.Stat(t.Context(), key)
	must(t, err)
	return e.Tag
}

// lossy is a store that says that it does not know, after it has made a change.
type lossy struct{ oneOp }

func (s lossy) Apply(ctx context.Context, ops []engine.Op) ([]engine.Result, error) {
	if _, err := s.oneOp.Apply(ctx, ops); err != nil {
		return nil, err
	}
	return nil, &engine.OpError{Key: ops[0].Key, Err: engine.ErrUnknown}
}

// TestLostReplies: a put that took effect although its reply was lost counts as copied.
func TestLostReplies(t *testing.T) {
	from := memVault(t)
	fillKeys(t, from)
	to := vaultOf(t, lossy{oneOp{mem.New()}})
	if n := replica(t, from, to, replicate.Options{}); n.Copied != int64(len(contents(t, from))) || n.Failed+n.Conflicts != 0 {
		t.Errorf("%+v", n)
	}
	wantEqual(t, contents(t, to), contents(t, from))
}

// TestDamagedValues: each is reported by its key, nothing else is missing, and nothing is deleted.
func TestDamagedValues(t *testing.T) {
	source := &hooked{Store: mem.New(), before: func(string) error { return nil }}
	from, to := vaultOf(t, source), memVault(t)
	fillKeys(t, from)
	put(t, to, "surplus", "v")
	source.before = func(op string) error {
		if op == "open a" || op == "open large2" {
			return engine.ErrCorrupt
		}
		return nil
	}
	var mu sync.Mutex
	failed := map[string]error{}
	c := copier(t, from, to, replicate.Options{Report: func(e replicate.Event) error {
		mu.Lock()
		defer mu.Unlock()
		if e.Err != nil {
			failed[e.Key] = e.Err
		}
		return nil
	}})
	must(t, c.Copy(t.Context()))
	if len(failed) != 2 || !errors.Is(failed["a"], kvault.ErrCorrupt) || !errors.Is(failed["large2"], kvault.ErrCorrupt) {
		t.Errorf("%v", failed)
	}
	if n := c.Counts(); n.Failed != 2 || n.Copied != int64(len(contents(t, from)))-2 {
		t.Errorf("%+v", n)
	}
	if _, err := c.Surplus(true); err == nil {
		t.Error("the surplus may be deleted after a failure")
	}
	source.before = func(string) error { return errors.New("no route to host") }
	to = memVault(t)
	put(t, to, "\x00\x00", "surplus that the walk meets early")
	c = copier(t, from, to, replicate.Options{})
	if err := c.Copy(t.Context()); err == nil {
		t.Error("a source that fails again and again ends the copy")
	}
	if _, err := c.Surplus(true); err == nil {
		t.Error("the surplus may be deleted after a copy that ended early")
	}
}

// TestDelete: what is no longer what was listed, or what the source has got, stays.
func TestDelete(t *testing.T) {
	for kind, open := range kinds {
		from, to := memVault(t), open(t)
		put(t, from, "k", "v")
		for i := range 30 {
			put(t, to, fmt.Sprint("surplus", i), "v")
		}
		c := copier(t, from, to, replicate.Options{})
		must(t, c.Copy(t.Context()))
		list, err := c.Surplus(false)
		if err != nil || len(list) != 30 {
			t.Fatalf("%s: %d, %v", kind, len(list), err)
		}
		put(t, to, "surplus1", "changed")
		put(t, from, "surplus2", "appeared")
		must(t, to.DeleteIf(t.Context(), "surplus3", tagOf(t, to, "surplus3")))
		left, err := c.Delete(t.Context(), list)
		if err != nil || left != 3 || c.Counts().Deleted != 27 {
			t.Errorf("%s: %d left, %+v, %v", kind, left, c.Counts(), err)
		}
		for key, want := range map[string]bool{"k": true, "surplus0": false, "surplus1": true, "surplus2": true} {
			if got, err := to.Exists(t.Context(), key); got != want || err != nil {
				t.Errorf("%s: %s: %t, %v", kind, key, got, err)
			}
		}
		empty := copier(t, memVault(t), to, replicate.Options{})
		must(t, empty.Copy(t.Context()))
		if _, err := empty.Surplus(false); !errors.Is(err, replicate.ErrEmpty) {
			t.Errorf("%s: %v", kind, err)
		}
		if list, err := empty.Surplus(true); err != nil || len(list) != 3 {
			t.Errorf("%s: %d, %v", kind, len(list), err)
		}
	}
}

// TestVerifyFindsDifferences in values, metadata and columns.
func TestVerifyFindsDifferences(t *testing.T) {
	from, to := memVault(t), memVault(t)
	fillKeys(t, from)
	fillColumns(t, from)
	replica(t, from, to, replicate.Options{})
	put(t, to, "a", "VALUE of a")
	must(t, to.DeleteIf(t.Context(), "q", tagOf(t, to, "q")))
	_, err := to.SetMetadata(t.Context(), "p/x", &kvault.MetadataOptions{ContentType: "text/other"})
	must(t, err)
	appendStored(t, to, "none", "12345678")
	must(t, column.Drop(t.Context(), to, "t/str"))
	c := copier(t, from, to, replicate.Options{})
	must(t, c.Verify(t.Context()))
	if n := c.Counts(); n.Different != 5 || n.Failed != 0 || n.Verified != int64(len(contents(t, from)))-5 {
		t.Errorf("%+v", n)
	}
}
