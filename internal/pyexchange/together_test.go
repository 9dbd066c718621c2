//go:build python

package pyexchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

const (
	eachLoads  = 300
	loadSize   = 3000
	sharedKey  = "shared"
	watchLimit = 120 * time.Second
)

func loadKey(name string, i int) string { return fmt.Sprintf("%s/%06d", name, i) }

// loadValue is what both sides put as number i.
func loadValue(i int) []byte { return bytes.Repeat([]byte{byte(i % 251)}, loadSize) }

// loadHere is the load of testdata/driver.py through this package.
func loadHere(ctx context.Context, v *kvault.Vault, name string) error {
	for i := range eachLoads {
		key := loadKey(name, i)
		if err := v.Put(ctx, key, loadValue(i)); err != nil {
			return err
		}
		if got, err := v.Get(ctx, key); err != nil || !bytes.Equal(got, loadValue(i)) {
			return fmt.Errorf("%s is not what was put: %w", key, err)
		}
		if i%7 == 6 {
			if there, err := v.Delete(ctx, loadKey(name, i-3)); err != nil || !there {
				return fmt.Errorf("%s was not there to delete: %w", loadKey(name, i-3), err)
			}
		}
		if err := v.Put(ctx, sharedKey, loadValue(i)); err != nil {
			return err
		}
		numbers, err := column.Open(ctx, v, "numbers of "+name, column.Int64)
		if err != nil {
			return err
		}
		if err := numbers.Append(ctx, int64(i)); err != nil {
			return err
		}
	}
	return nil
}

// watchHere reads what the other side puts and appends, until its last key is there: only whole
// values, and numbers in their order.
func watchHere(ctx context.Context, v *kvault.Vault, name string, columns bool) error {
	ctx, cancel := context.WithTimeout(ctx, watchLimit)
	defer cancel()
	for seen := 0; ; {
		value, err := v.GetOr(ctx, sharedKey, nil)
		if err != nil {
			return err
		}
		if len(value) > 0 && (len(value) != loadSize || !bytes.Equal(value, bytes.Repeat(value[:1], loadSize))) {
			return errors.New("a value that nobody put whole")
		}
		if columns {
			numbers, err := column.Open(ctx, v, "numbers of "+name, column.Int64)
			if err != nil {
				return err
			}
			all, err := numbers.Slice(ctx, 0, 1<<40)
			if err != nil {
				return err
			}
			if len(all) < seen {
				return fmt.Errorf("%d numbers, and there were %d before", len(all), seen)
			}
			seen = len(all)
			for i, x := range all {
				if x != int64(i) {
					return fmt.Errorf("number %d is %d", i, x)
				}
			}
		}
		if there, err := v.Exists(ctx, loadKey(name, eachLoads-1)); err != nil || there {
			return err
		}
	}
}

// loaded checks that a load has left exactly what it put, and nothing else.
func loaded(t *testing.T, v *kvault.Vault, names ...string) {
	t.Helper()
	want := 1
	for _, name := range names {
		for i := range eachLoads {
			there, err := v.Exists(t.Context(), loadKey(name, i))
			must(t, err)
			if gone := i%7 == 3 && i+3 < eachLoads; there == gone {
				t.Errorf("%s: %v", loadKey(name, i), there)
			} else if there {
				want++
				got, err := v.Get(t.Context(), loadKey(name, i))
				must(t, err)
				if !bytes.Equal(got, loadValue(i)) {
					t.Errorf("%s has %d bytes of another", loadKey(name, i), len(got))
				}
			}
		}
	}
	if n, err := v.Len(t.Context()); err != nil || n != int64(want) {
		t.Errorf("%d keys, %v; want %d", n, err, want)
	}
	got, err := v.Get(t.Context(), sharedKey)
	must(t, err)
	if !bytes.Equal(got, loadValue(eachLoads-1)) { // both end with the same
		t.Errorf("the shared value has %d bytes of another", len(got))
	}
}

func numbersOf(t *testing.T, v *kvault.Vault, name string) {
	t.Helper()
	numbers, err := column.Open(t.Context(), v, "numbers of "+name, column.Int64)
	must(t, err)
	all, err := numbers.Slice(t.Context(), 0, 1<<40)
	must(t, err)
	if len(all) != eachLoads {
		t.Errorf("%d numbers of %s, want %d", len(all), name, eachLoads)
	}
	for i, x := range all {
		if x != int64(i) {
			t.Fatalf("number %d of %s is %d", i, name, x)
		}
	}
}

// Two processes work on one file: the package puts, deletes and appends while this side does the
// same, or reads, or it reads what this side does. Each appends to a column of its own: the package
// remembers a column's length, see TestRememberedLength.
func TestBothAtOnce(t *testing.T) {
	eachVersion(t, func(t *testing.T, v *version) {
		for maker, table := range map[string]string{"ours": "kvault", "theirs": "kv"} {
			t.Run(maker, func(t *testing.T) { bothAtOnce(t, v, table, maker) })
		}
	})
}

func bothAtOnce(t *testing.T, v *version, table, maker string) {
	path, d, watcher := newPath(t), v.start(t), v.start(t)
	o := &kvault.Options{Table: table, BusyTimeout: time.Minute}
	if maker == "ours" {
		vault, err := kvault.Open(t.Context(), path, o)
		must(t, err)
		must(t, vault.Close())
	}
	d.do(t, "open", args{"path": path, "table": table}, nil)
	// 128 KiB hold all that is appended: while a chunk grows, the package commits it full of zeros.
	d.do(t, "create", args{"name": "numbers of theirs", "dtype": "i64", "least": 128 << 10, "most": 16 << 20}, nil)
	watcher.do(t, "open", args{"path": path, "table": table}, nil)
	vault := open(t, path, o)
	_, err := column.Create(t.Context(), vault, "numbers of ours", column.Int64, nil)
	must(t, err)

	must(t, d.send("load", args{"name": "theirs", "n": eachLoads, "size": loadSize, "column": "numbers of theirs", "shared": sharedKey}))
	must(t, watcher.send("watch", args{"name": "ours", "n": eachLoads, "size": loadSize, "shared": sharedKey, "seconds": watchLimit.Seconds()}))
	reader := open(t, path, &kvault.Options{Table: table, ReadOnly: true})
	watched := make(chan error, 1)
	go func() { watched <- watchHere(t.Context(), reader, "theirs", !v.blocks) }()
	loadErr, watchErr := loadHere(t.Context(), vault, "ours"), <-watched
	var n, seen int
	if err := errors.Join(loadErr, watchErr, d.receive(&n), watcher.receive(&seen)); err != nil {
		t.Fatal(err)
	}
	if n != eachLoads {
		t.Errorf("%d loads there", n)
	}

	loaded(t, vault, "ours", "theirs")
	numbersOf(t, vault, "ours")
	if !v.blocks {
		numbersOf(t, vault, "theirs")
	}
	check(t, vault, path)
	var told struct{ Len int }
	d.do(t, "reopen_columns", nil, nil)
	d.do(t, "dump", nil, &told)
	if here, err := vault.Len(t.Context()); err != nil || int64(told.Len) != here {
		t.Errorf("%d keys there, %d here: %v", told.Len, here, err)
	}
	if v.blocks {
		var list [][]any
		d.do(t, "list", nil, &list)
		if len(list) != 1 || list[0][2] != float64(eachLoads) {
			t.Errorf("columns there: %v", list)
		}
	}
	d.do(t, "close", nil, nil)
	watcher.do(t, "close", nil, nil)
}
