package replicate_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/engine/mem"
	"github.com/kohakuvault/kvault/internal/replicate"
	"github.com/kohakuvault/kvault/internal/singletest"
)

// TestWritersAtTheTarget: no value and no element that others write to the target while a copy runs
// is lost, and each that kept the copy from an item is reported.
func TestWritersAtTheTarget(t *testing.T) {
	const keys = 400
	for _, single := range []bool{false, true} {
		t.Run(fmt.Sprint(single), func(t *testing.T) {
			from, store := memVault(t), mem.New()
			to := vaultOf(t, store)
			if single {
				to = vaultOf(t, singletest.Of(store))
			}
			for i := range keys {
				put(t, from, fmt.Sprint("k", i), "source")
			}
			_, err := column.CreateAny(t.Context(), from, "c", "i64", nil)
			must(t, err)
			appendStored(t, from, "c", "12345678", "abcdefgh")
			conflicts := map[string]bool{}
			// written are the keys that a writer made while the copy did not have them yet: its put was
			// refused for those that the copy made first.
			var written sync.Map
			var writers sync.WaitGroup
			for w := range 4 {
				writers.Go(func() {
					random := rand.New(rand.NewPCG(uint64(w), 1))
					for range keys {
						key := fmt.Sprint("k", random.IntN(keys))
						_, err := to.PutWith(t.Context(), key, []byte("writer"), &kvault.PutOptions{IfAbsent: true})
						if err == nil {
							written.Store(key, true)
						} else if !errors.Is(err, kvault.ErrExists) {
							t.Error(err)
						}
					}
				})
			}
			writers.Go(func() {
				c, err := column.CreateAny(t.Context(), to, "c", "i64", nil)
				if err == nil {
					err = c.(*column.Column[int64]).Extend(t.Context(), []int64{1, 2, 3})
				}
				if err != nil && !errors.Is(err, kvault.ErrExists) {
					t.Error(err)
				}
			})
			n := replica(t, from, to, replicate.Options{BatchItems: 7, Report: func(e replicate.Event) error {
				if e.Action == replicate.Conflict {
					conflicts[e.Key] = true
				}
				return nil
			}})
			writers.Wait()
			if n.Failed != 0 || n.Conflicts != int64(len(conflicts)) || n.Copied+n.Conflicts != keys+1 {
				t.Errorf("%+v, %d reported", n, len(conflicts))
			}
			// What a writer made is there unless the copy replaced it as what it had listed.
			for i := range keys {
				key := fmt.Sprint("k", i)
				got, err := to.Get(t.Context(), key)
				must(t, err)
				_, made := written.Load(key)
				switch {
				case conflicts[key] && (!made || string(got) != "writer"),
					!conflicts[key] && string(got) != "source":
					t.Errorf("%s is %q; made by a writer: %t; in conflict: %t", key, got, made, conflicts[key])
				}
			}
			if n := replica(t, from, to, replicate.Options{}); n.Conflicts+n.Failed != 0 {
				t.Errorf("again: %+v", n)
			}
			sameColumns(t, to, from)
		})
	}
}

// TestAppendersAtTheTarget: elements that others append while a column is extended stay, and the
// column is reported.
func TestAppendersAtTheTarget(t *testing.T) {
	for _, single := range []bool{false, true} {
		from, h := memVault(t), &hooked{Store: mem.New(), before: func(string) error { return nil }}
		to, other := vaultOf(t, hookedTx{h}), vaultOf(t, h.Store)
		if single {
			to = vaultOf(t, singletest.Of(hookedTx{h}))
		}
		_, err := column.CreateAny(t.Context(), from, "c", "i64", nil)
		must(t, err)
		appendStored(t, from, "c", "12345678")
		replica(t, from, to, replicate.Options{})
		appendStored(t, from, "c", "abcdefgh")
		begins := 0
		h.beforeBegin = func() {
			// With transactions, the first one asks whether there are any.
			if begins++; single && begins == 1 || !single && begins == 2 {
				appendStored(t, other, "c", "appended")
			}
		}
		if n := replica(t, from, to, replicate.Options{NoKeys: true}); n.Conflicts != 1 || n.Copied+n.Failed != 0 {
			t.Errorf("single %t: %+v", single, n)
		}
		d, err := column.OpenStored(t.Context(), other, "c")
		must(t, err)
		got, err := d.(*column.Column[[]byte]).Slice(t.Context(), 0, 9)
		if err != nil || string(bytes.Join(got, []byte(","))) != "12345678,appended" {
			t.Errorf("single %t: %q, %v", single, got, err)
		}
	}
}

// TestLargeValues of many parts, which a copy streams, between all kinds of vaults.
func TestLargeValues(t *testing.T) {
	value := bytes.Repeat([]byte("0123456789abcdefg"), 20<<20/17)
	from := fileVault(t)
	must(t, from.Put(t.Context(), "large", value))
	want, err := from.Stat(t.Context(), "large")
	must(t, err)
	for kind, open := range kinds {
		to := open(t)
		if n := replica(t, from, to, replicate.Options{}); n.Copied != 1 || n.Bytes != int64(len(value)) {
			t.Errorf("%s: %+v", kind, n)
		}
		got, err := to.Get(t.Context(), "large")
		if err != nil || !bytes.Equal(got, value) {
			t.Errorf("%s: %d bytes, %v", kind, len(got), err)
		}
		if e, err := to.Stat(t.Context(), "large"); err != nil || e.Tag != want.Tag {
			t.Errorf("%s: tag %q, want %q, %v", kind, e.Tag, want.Tag, err)
		}
	}
}
