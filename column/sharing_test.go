package column_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func TestTwoVaultsAppendInTurn(t *testing.T) {
	path := newPath(t)
	a, b := openFile(t, path), openFile(t, path)
	ctx := t.Context()
	ids := []*column.Column[int64]{create(t, a, "ids", column.Int64, tiny), nil}
	names := []*column.Column[string]{create(t, a, "names", column.String, tiny), nil}
	var err error
	ids[1], err = column.Open(ctx, b, "ids", column.Int64)
	must(t, err)
	names[1], err = column.Open(ctx, b, "names", column.String)
	must(t, err)
	var want []int64
	var wantNames []string
	for i := range 30 {
		must(t, ids[i%2].Append(ctx, int64(i)))
		must(t, names[i%2].Append(ctx, strings.Repeat("x", i)))
		want, wantNames = append(want, int64(i)), append(wantNames, strings.Repeat("x", i))
	}
	for i := range 2 {
		holds(t, ids[i], want)
		holds(t, names[i], wantNames)
	}
}

// Writers of several vaults on one file, several goroutines each, lose nothing and keep the order
// of each.
func TestManyWriters(t *testing.T) {
	path := newPath(t)
	vaults := []*kvault.Vault{openFile(t, path), openFile(t, path)}
	ids := create(t, vaults[0], "ids", column.Int64, tiny)
	texts := create(t, vaults[0], "texts", column.Bytes, tiny)
	const writers, each = 6, 20
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			ctx, v := t.Context(), vaults[w%2]
			for i := range each {
				err := v.Update(ctx, func(tx *kvault.Tx) error {
					i64, err := column.Open(ctx, v, "ids", column.Int64)
					if err != nil {
						return err
					}
					bytes, err := column.Open(ctx, v, "texts", column.Bytes)
					if err != nil {
						return err
					}
					return errors.Join(i64.In(tx).Append(ctx, int64(w*1000+i)), bytes.In(tx).Append(ctx, make([]byte, w*10+i%10)))
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	got, err := ids.Slice(t.Context(), 0, writers*each)
	must(t, err)
	blobs, err := texts.Slice(t.Context(), 0, writers*each)
	must(t, err)
	if len(got) != writers*each || len(blobs) != len(got) {
		t.Fatalf("%d and %d elements, want %d", len(got), len(blobs), writers*each)
	}
	last := map[int64]int64{}
	for n, x := range got {
		w, i := x/1000, x%1000
		if i != last[w] || int64(len(blobs[n])) != w*10+i%10 {
			t.Errorf("element %d is %d, and %d bytes", n, x, len(blobs[n]))
		}
		last[w]++
	}
}

func TestBlobAndMetadataTogether(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		sizes := create(t, v, "sizes", column.Int64, tiny)
		names := create(t, v, "names", column.String, tiny)
		ingest := func(name string, blob []byte, fails error) error {
			return v.Update(ctx, func(tx *kvault.Tx) error {
				return errors.Join(
					sizes.In(tx).Append(ctx, int64(len(blob))),
					tx.Put(ctx, "blob/"+name, blob),
					names.In(tx).Append(ctx, name),
					fails,
				)
			})
		}
		must(t, ingest("cat", make([]byte, 100), nil))
		wantIs(t, ingest("dog", make([]byte, 200), errBoom), errBoom)
		must(t, ingest("eel", make([]byte, 300), nil))
		holds(t, sizes, []int64{100, 300})
		holds(t, names, []string{"cat", "eel"})
		if found, err := v.Exists(ctx, "blob/dog"); found || err != nil {
			t.Errorf("Exists: %t, %v", found, err)
		}
		keys, err := collect(v, ctx)
		must(t, err)
		wantSlice(t, keys, "blob/cat", "blob/eel")
	})
}

func wantIs(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func collect(v *kvault.Vault, ctx context.Context) (keys []string, err error) {
	for key, err := range v.Keys(ctx, nil) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return slices.Clip(keys), nil
}

func TestFailedTransactionLeavesNothing(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		ids, texts := create(t, v, "ids", column.Int64, tiny), create(t, v, "texts", column.String, tiny)
		must(t, ids.Extend(ctx, numbers(0, 20)))
		must(t, texts.Extend(ctx, []string{"a", "bb", "ccc"}))
		wantIs(t, v.Update(ctx, func(tx *kvault.Tx) error {
			i, s := ids.In(tx), texts.In(tx)
			return errors.Join(i.Extend(ctx, numbers(20, 60)), i.Delete(ctx, 0), i.Set(ctx, 1, 7), i.Insert(ctx, 0, -1),
				s.Set(ctx, 0, strings.Repeat("x", 100)), s.Delete(ctx, 1), s.Append(ctx, "d"), s.Compact(ctx), i.Clear(ctx), errBoom)
		}), errBoom)
		holds(t, ids, numbers(0, 20))
		holds(t, texts, []string{"a", "bb", "ccc"})
		wantErr(t, ids.Append(canceled(t), 1), context.Canceled)
		wantErr(t, texts.Append(canceled(t), "x"), context.Canceled)
		holds(t, ids, numbers(0, 20))
	})
}

func TestColumnOfATransaction(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		ids := create(t, v, "ids", column.Int64, tiny)
		must(t, ids.Extend(ctx, numbers(0, 3)))
		var kept *column.Column[int64]
		err := v.View(ctx, func(tx *kvault.Tx) error {
			kept = ids.In(tx)
			must(t, ids.Append(ctx, 3))
			holds(t, kept, numbers(0, 3)) // the snapshot
			wantErr(t, kept.Append(ctx, 3), kvault.ErrReadOnly)
			wantErr(t, kept.Clear(ctx), kvault.ErrReadOnly)
			return nil
		})
		must(t, err)
		wantErr(t, kept.Append(ctx, 4), kvault.ErrTxDone)
		_, err = kept.Len(ctx)
		wantErr(t, err, kvault.ErrTxDone)
		must(t, v.Update(ctx, func(tx *kvault.Tx) error {
			in := ids.In(tx)
			must(t, in.Append(ctx, 4))
			holds(t, in, numbers(0, 5)) // its own changes
			return nil
		}))
		holds(t, ids, numbers(0, 5))
	})
}

func TestColumnsBesideTheCache(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		ids := create(t, v, "ids", column.Int64, nil)
		must(t, v.WithCache(ctx, nil, func() error {
			for i := range int64(5) {
				must(t, v.Put(ctx, "k", []byte{byte(i)}))
				must(t, ids.Append(ctx, i))
			}
			return nil
		}))
		holds(t, ids, numbers(0, 5))
	})
}
