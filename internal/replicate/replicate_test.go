package replicate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/replicate"
)

var kinds = map[string]func(testing.TB) *kvault.Vault{
	"file": fileVault, "mem": memVault, "one": singleVault, "keys": keyVault,
}

// TestCopy: whichever kinds of vaults they are, the copy is equal, and there is nothing left to do.
func TestCopy(t *testing.T) {
	for fromKind, open := range kinds {
		for toKind, openTo := range kinds {
			for _, snapshot := range []bool{false, true} {
				if snapshot && (fromKind == "one" || fromKind == "keys") {
					continue
				}
				t.Run(fmt.Sprintf("%s-%s-%t", fromKind, toKind, snapshot), func(t *testing.T) {
					from, to, back := open(t), openTo(t), open(t)
					fillKeys(t, from)
					if fromKind != "keys" && toKind != "keys" {
						fillColumns(t, from)
					}
					o := replicate.Options{Snapshot: snapshot}
					want := contents(t, from)
					n := replica(t, from, to, o)
					if n.Copied != int64(len(want)) || n.Failed+n.Conflicts+n.Unchanged != 0 || n.Bytes < 3<<20 {
						t.Errorf("%+v", n)
					}
					wantEqual(t, contents(t, to), want)
					n = replica(t, from, to, o)
					if n.Unchanged != int64(len(want)) || n.Copied+n.Failed+n.Conflicts != 0 {
						t.Errorf("again: %+v", n)
					}
					replica(t, to, back, replicate.Options{})
					wantEqual(t, contents(t, back), want)
					c := copier(t, from, to, o)
					must(t, c.Verify(t.Context()))
					if n := c.Counts(); n.Verified != int64(len(want)) || n.Different+n.Failed != 0 {
						t.Errorf("verify: %+v", n)
					}
				})
			}
		}
	}
}

func TestCopyOfWhatChanged(t *testing.T) {
	for kind, open := range kinds {
		t.Run(kind, func(t *testing.T) {
			from, to := memVault(t), open(t)
			fillKeys(t, from)
			replica(t, from, to, replicate.Options{})
			put(t, from, "a", "other")
			put(t, from, "large2", strings.Repeat("x", 1<<20+17))
			put(t, from, "new", "v")
			_, err := from.SetMetadata(t.Context(), "q", &kvault.MetadataOptions{User: map[string]string{"a": "b"}})
			must(t, err)
			// What has the same contents and metadata under another tag counts as the same.
			e, err := from.Stat(t.Context(), "p/x")
			must(t, err)
			put(t, to, "p/x", "value of p/x")
			_, err = to.SetMetadata(t.Context(), "p/x", &kvault.MetadataOptions{ModTime: e.ModTime})
			must(t, err)
			// The same size and time alone do not.
			_, err = to.PutWith(t.Context(), "p/y", []byte("VALUE of p/y"), &kvault.PutOptions{ModTime: e.ModTime})
			must(t, err)
			n := replica(t, from, to, replicate.Options{})
			if n.Copied != 5 || n.Conflicts+n.Failed != 0 {
				t.Errorf("%+v", n)
			}
			got, want := contents(t, to), contents(t, from)
			delete(got, "key p/x")
			delete(want, "key p/x")
			wantEqual(t, got, want)
		})
	}
}

func TestPrefixes(t *testing.T) {
	from, to := memVault(t), fileVault(t)
	fillKeys(t, from)
	fillColumns(t, from)
	put(t, to, "z/x", "is there")
	put(t, to, "other", "is there")
	for range 2 {
		replica(t, from, to, replicate.Options{Prefix: "p/", ToPrefix: "z/"})
	}
	for key, want := range map[string]string{"z/x": "value of p/x", "z/y": "value of p/y", "other": "is there"} {
		if got, err := to.Get(t.Context(), key); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
	if n, err := to.Len(t.Context()); n != 3 || err != nil {
		t.Error(n, err)
	}
	n := replica(t, from, to, replicate.Options{Prefix: "t/", ToPrefix: "u/", NoKeys: true})
	if want := int64(2 * len(elementsOf)); n.Columns != want {
		t.Errorf("%+v, want %d columns", n, want)
	}
	d, err := column.OpenAny(t.Context(), to, "u/i64")
	must(t, err)
	if n, err := d.Len(t.Context()); n != 6 || err != nil {
		t.Error(n, err)
	}
	if _, err := replicate.New(from, to, replicate.Options{NoKeys: true, NoColumns: true}); !errors.Is(err, kvault.ErrInvalid) {
		t.Error(err)
	}
}

func TestDryRun(t *testing.T) {
	from, to := memVault(t), fileVault(t)
	fillKeys(t, from)
	fillColumns(t, from)
	put(t, to, "surplus", "v")
	put(t, to, "a", "v")
	before := contents(t, to)
	c := copier(t, from, to, replicate.Options{DryRun: true})
	must(t, c.Copy(t.Context()))
	list, err := c.Surplus(false)
	must(t, err)
	_, err = c.Delete(t.Context(), list)
	must(t, err)
	if n, want := c.Counts(), int64(len(contents(t, from))); n.Copied != want || n.Deleted != 1 {
		t.Errorf("%+v, want %d", n, want)
	}
	wantEqual(t, contents(t, to), before)
}

func TestManyKeys(t *testing.T) {
	from, to, single := fileVault(t), fileVault(t), singleVault(t)
	must(t, from.PutAll(t.Context(), func(yield func(string, []byte) bool) {
		for i := range 10_000 {
			if !yield(fmt.Sprintf("%x", i*7919), fmt.Append(nil, i)) {
				return
			}
		}
	}))
	for _, v := range []*kvault.Vault{to, single} {
		if n := replica(t, from, v, replicate.Options{BatchItems: 333}); n.Copied != 10_000 {
			t.Errorf("%+v", n)
		}
		wantEqual(t, contents(t, v), contents(t, from))
	}
}

// TestColumnsThatDiffer: a longer column gets the rest, any other is built anew.
func TestColumnsThatDiffer(t *testing.T) {
	for _, openTo := range []func(testing.TB) *kvault.Vault{fileVault, memVault, singleVault} {
		from, to := memVault(t), openTo(t)
		fillColumns(t, from)
		replica(t, from, to, replicate.Options{})
		appendStored(t, from, "t/str", "more", "and more")
		appendStored(t, to, "t/i64", "too-much")
		appendStored(t, from, "none", "12345678")
		appendStored(t, to, "none", "otherone")
		must(t, column.Drop(t.Context(), to, "t/bytes"))
		_, err := column.CreateAny(t.Context(), to, "t/bytes", "f64", nil)
		must(t, err)
		appendStored(t, to, "t/bytes", "12345678")
		must(t, column.Drop(t.Context(), to, "t/cbor:null"))
		n := replica(t, from, to, replicate.Options{})
		// Two appended; 6, 1, 9 and 12 elements built anew.
		if n.Columns != 5 || n.Elements != 2+6+1+9+12 || n.Conflicts+n.Failed != 0 {
			t.Errorf("%+v", n)
		}
		sameColumns(t, to, from)
	}
}

// sameColumns compares columns without the order in which they were made.
func sameColumns(t *testing.T, got, want *kvault.Vault) {
	t.Helper()
	plain := func(v *kvault.Vault) map[string]any {
		all := contents(t, v)
		for _, x := range all {
			if l, ok := x.([]any); ok {
				l[0] = 0
			}
		}
		return all
	}
	wantEqual(t, plain(got), plain(want))
}

func TestTargetWithoutColumns(t *testing.T) {
	from, to := memVault(t), keyVault(t)
	put(t, from, "k", "v")
	fillColumns(t, from)
	c := copier(t, from, to, replicate.Options{})
	must(t, c.Copy(t.Context()))
	if n := c.Counts(); n.Failed != int64(len(contents(t, from)))-1 || n.Copied != 1 {
		t.Errorf("%+v", n)
	}
	if n := replica(t, from, to, replicate.Options{NoColumns: true}); n.Failed != 0 || n.Unchanged != 1 {
		t.Errorf("%+v", n)
	}
}

func TestSnapshotOfAVaultWithoutTransactions(t *testing.T) {
	c := copier(t, singleVault(t), memVault(t), replicate.Options{Snapshot: true})
	if err := c.Copy(t.Context()); !errors.Is(err, kvault.ErrUnsupported) {
		t.Error(err)
	}
}

// TestSnapshot: what is written to the source meanwhile is not copied.
func TestSnapshot(t *testing.T) {
	from, to := fileVault(t), memVault(t)
	fillKeys(t, from)
	want := contents(t, from)
	first := true
	replica(t, from, to, replicate.Options{Snapshot: true, BatchItems: 1, Report: func(replicate.Event) error {
		if first {
			first = false
			for key := range want {
				put(t, from, strings.TrimPrefix(key, "key "), "changed")
			}
		}
		return nil
	}})
	wantEqual(t, contents(t, to), want)
}

func TestReportEndsACopy(t *testing.T) {
	from, to := memVault(t), memVault(t)
	fillKeys(t, from)
	want := errors.New("closed pipe")
	c := copier(t, from, to, replicate.Options{Report: func(replicate.Event) error { return want }})
	if err := c.Copy(t.Context()); !errors.Is(err, want) {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	if err := copier(t, from, to, replicate.Options{}).Copy(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
