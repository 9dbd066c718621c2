package column_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// rule makes a table of another program with a rule for values.
const rule = `CREATE TABLE kvault(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL CHECK(length(value) < 100))`

// ruled is a vault with the rule, its cache on. What is in the cache includes two keys and a column
// that cannot be written.
func ruled(t *testing.T, o *kvault.Options, cache *kvault.CacheOptions) (*kvault.Vault, string) {
	t.Helper()
	ctx, path := t.Context(), newPath(t)
	script(t, path, rule)
	v, err := kvault.Open(ctx, path, o)
	must(t, err)
	closing(t, v)
	open, shut := create(t, v, "open", column.Int64, nil), create(t, v, "shut", column.Int64, nil)
	must(t, v.Put(ctx, "long", []byte("old")))
	must(t, v.Put(ctx, "gone", []byte("old")))
	cached(t, v, cache)
	must(t, v.Put(ctx, "a", []byte("1")))
	must(t, v.Put(ctx, "long", []byte(strings.Repeat("x", 100))))
	must(t, v.Put(ctx, "more", make([]byte, 200)))
	must(t, v.Put(ctx, "z", []byte("2")))
	_, err = v.Delete(ctx, "gone")
	must(t, err)
	must(t, open.Append(ctx, 1))
	must(t, shut.Append(ctx, 2))
	other := openFile(t, path)
	must(t, column.Drop(ctx, other, "shut"))
	create(t, other, "shut", column.String, nil)
	return v, path
}

// refusedEntries are those that cannot be written, in the order in which a flush comes to them.
var refusedEntries = []kvault.CacheEntry{{Key: "long"}, {Key: "more"}, {Column: "shut"}}

func wantFlushError(t *testing.T, err error, want kvault.CacheEntry) {
	t.Helper()
	f, ok := errors.AsType[*kvault.FlushError](err)
	if !ok || f.Entry != want {
		t.Fatalf("%v does not name %+v", err, want)
	}
	if name := want.Key + want.Column; !strings.Contains(err.Error(), `"`+name+`"`) {
		t.Errorf("the message does not name %q: %v", name, err)
	}
}

func wantRest(t *testing.T, v *kvault.Vault, path string) {
	t.Helper()
	other := openFile(t, path)
	for key, want := range map[string]string{"a": "1", "long": "old", "z": "2"} {
		for _, v := range []*kvault.Vault{v, other} {
			if got, err := v.Get(t.Context(), key); err != nil || string(got) != want {
				t.Errorf("%s: %q, %v; want %q", key, got, err, want)
			}
		}
	}
	holds(t, openColumn(t, other, "open", column.Int64), []int64{1})
	holds(t, openColumn(t, other, "shut", column.String), nil)
	if keys := raw(t, path, `SELECT CAST(key AS TEXT) FROM kvault ORDER BY key`); strings.Join(keys, " ") != "a long z" {
		t.Errorf("the file has %s", keys)
	}
}

func TestFlushNamesTheEntryThatFails(t *testing.T) {
	for name, flush := range map[string]func(ctx context.Context, v *kvault.Vault) error{
		"FlushCache":   func(ctx context.Context, v *kvault.Vault) error { _, err := v.FlushCache(ctx); return err },
		"Close":        func(_ context.Context, v *kvault.Vault) error { return v.Close() },
		"DisableCache": func(ctx context.Context, v *kvault.Vault) error { return v.DisableCache(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			v, path := ruled(t, nil, nil)
			for i, want := range refusedEntries {
				err := flush(ctx, v)
				if !errors.Is(err, kvault.ErrInvalid) {
					t.Fatal(err)
				}
				wantFlushError(t, err, want)
				if e, ok := errors.AsType[*kvault.Error](err); !ok || e.Key != want.Key {
					t.Errorf("the error's key is %q, want %q", e.Key, want.Key)
				}
				if s := v.CacheStats(); s.Entries != 7-i || !errors.Is(err, s.LastError) {
					t.Errorf("%+v", s)
				}
				if got := raw(t, path, `SELECT count(*) FROM kvault`); got[0] != "2" {
					t.Errorf("half of a flush was written: %s keys", got)
				}
				if found, err := v.DiscardCached(ctx, want); !found || err != nil {
					t.Errorf("discard: %t, %v", found, err)
				}
			}
			must(t, flush(ctx, v))
			if name == "Close" {
				v = openFile(t, path)
			}
			wantRest(t, v, path)
		})
	}
}

// Calls that need a flush give its error with the entry in it, though they are about another key.
func TestCallsThatFlushNameTheEntryThatFails(t *testing.T) {
	v, _ := ruled(t, nil, nil)
	err := v.Update(t.Context(), func(*kvault.Tx) error { return nil })
	wantFlushError(t, err, refusedEntries[0])
	_, err = v.PutWith(t.Context(), "other", nil, &kvault.PutOptions{IfAbsent: true})
	wantFlushError(t, err, refusedEntries[0])
	if e, ok := errors.AsType[*kvault.Error](err); !ok || e.Key != "other" {
		t.Errorf("the error's key is %q", e.Key)
	}
	must(t, v.EnableCache(t.Context(), &kvault.CacheOptions{Threshold: 1}))
	err = v.Put(t.Context(), "other", nil)
	wantFlushError(t, err, refusedEntries[0])
	_, err = v.DiscardCache(t.Context())
	must(t, err)
}

// A cause that lies with no entry must not name one: who discards it loses it for nothing.
func TestFlushThatNoEntryIsToBlameFor(t *testing.T) {
	v, path := ruled(t, &kvault.Options{BusyTimeout: -1, Attempts: 1}, nil)
	other := openFile(t, path)
	must(t, other.Update(t.Context(), func(tx *kvault.Tx) error {
		_, err := v.FlushCache(t.Context())
		wantErr(t, err, kvault.ErrBusy)
		if f, ok := errors.AsType[*kvault.FlushError](err); !ok || f.Entry != (kvault.CacheEntry{}) {
			t.Errorf("%v names %+v", err, f)
		}
		return nil
	}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := v.FlushCache(ctx)
	wantErr(t, err, context.Canceled)
	if f, ok := errors.AsType[*kvault.FlushError](err); ok && f.Entry != (kvault.CacheEntry{}) {
		t.Errorf("%v names %+v", err, f)
	}
	_, err = v.DiscardCache(t.Context())
	must(t, err)
}

// OnError may discard what the error names; the background then writes the rest.
func TestDiscardInOnError(t *testing.T) {
	var v *kvault.Vault
	ready := make(chan struct{})
	v, path := ruled(t, &kvault.Options{OnError: func(err error) {
		<-ready
		if f, ok := errors.AsType[*kvault.FlushError](err); ok {
			_, err := v.DiscardCached(context.Background(), f.Entry)
			must(t, err)
		}
	}}, &kvault.CacheOptions{IdleFlush: time.Millisecond})
	close(ready)
	for v.CacheStats().Entries > 0 {
		time.Sleep(time.Millisecond)
	}
	if s := v.CacheStats(); s.LastError != nil || s.FailedFlushes < 3 {
		t.Errorf("%+v", s)
	}
	wantRest(t, v, path)
}

func TestDiscardCached(t *testing.T) {
	ctx := t.Context()
	v, path := ruled(t, nil, nil)
	for _, e := range []kvault.CacheEntry{{}, {Key: "a", Column: "open"}} {
		_, err := v.DiscardCached(ctx, e)
		wantErr(t, err, kvault.ErrInvalid)
	}
	for _, e := range []kvault.CacheEntry{{Key: "open"}, {Column: "a"}, {Column: "ope"}} {
		if found, err := v.DiscardCached(ctx, e); found || err != nil {
			t.Errorf("%+v: %t, %v", e, found, err)
		}
	}
	_, err := v.DiscardCached(canceled(t), kvault.CacheEntry{Key: "a"})
	wantErr(t, err, context.Canceled)
	unlock, err := v.LockCache()
	if err != nil {
		t.Fatal(err)
	}
	before := v.CacheStats()
	for i, e := range refusedEntries {
		if found, err := v.DiscardCached(ctx, e); !found || err != nil {
			t.Errorf("%+v: %t, %v", e, found, err)
		}
		if s := v.CacheStats(); s.Entries != before.Entries-i-1 || s.Bytes >= before.Bytes || !s.Locked {
			t.Errorf("%+v after %+v", s, before)
		}
	}
	holds(t, openColumn(t, v, "shut", column.String), nil) // what the file holds counts again
	if got, err := v.Get(ctx, "long"); err != nil || string(got) != "old" {
		t.Errorf("%q, %v", got, err)
	}
	unlock()
	_, err = v.FlushCache(ctx)
	must(t, err)
	wantRest(t, v, path)
	must(t, v.Close())
	_, err = v.DiscardCached(ctx, kvault.CacheEntry{Key: "a"})
	wantErr(t, err, kvault.ErrClosed)
}
