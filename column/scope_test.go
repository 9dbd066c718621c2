package column_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/unexported"
)

func TestCreateInTransaction(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		wantErr(t, v.Update(ctx, func(tx *kvault.Tx) error {
			names, err := column.Create(ctx, tx, "names", column.String, nil)
			must(t, err)
			must(t, names.Append(ctx, "lost"))
			return &kvault.Error{Op: "test", Err: errBoom}
		}), errBoom)
		list, err := column.List(ctx, v)
		must(t, err)
		wantSlice(t, list)

		must(t, v.Update(ctx, func(tx *kvault.Tx) error {
			names, err := column.Ensure(ctx, tx, "names", column.String, nil)
			must(t, err)
			must(t, names.Append(ctx, "kept"))
			_, err = column.Create(ctx, tx, "names", column.String, nil)
			wantErr(t, err, kvault.ErrExists)
			_, err = column.Create(ctx, tx, "gone", column.Int64, nil)
			must(t, err)
			must(t, column.Rename(ctx, tx, "gone", "goner"))
			must(t, column.Drop(ctx, tx, "goner"))
			list, err := column.List(ctx, tx)
			wantSlice(t, list, column.Info{Name: "names", Type: "str:utf8", Len: 1})
			return err
		}))
		holds(t, openColumn(t, v, "names", column.String), []string{"kept"})
		var after *column.Column[string]
		must(t, v.View(ctx, func(tx *kvault.Tx) (err error) {
			after, err = column.Open(ctx, tx, "names", column.String)
			must(t, err)
			_, err = column.Create(ctx, tx, "more", column.Int64, nil)
			wantErr(t, err, kvault.ErrReadOnly)
			return nil
		}))
		_, err = after.Len(ctx)
		wantErr(t, err, kvault.ErrTxDone)
	})
}

func TestRename(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		must(t, create(t, v, "ints", column.Int64, tiny).Extend(ctx, numbers(0, 10)))
		must(t, create(t, v, "texts", column.String, tiny).Append(ctx, "one"))
		create(t, v, "t_idx", column.Int64, nil)
		wantErr(t, column.Rename(ctx, v, "nothing", "x"), kvault.ErrNotFound)
		wantErr(t, column.Rename(ctx, v, "ints", "texts"), kvault.ErrExists)
		wantErr(t, column.Rename(ctx, v, "ints", "texts_data"), kvault.ErrInvalid)
		wantErr(t, column.Rename(ctx, v, "texts", "ints"), kvault.ErrExists)
		wantErr(t, column.Rename(ctx, v, "texts", "t"), kvault.ErrExists)
		wantErr(t, column.Rename(ctx, v, "texts", ""), kvault.ErrInvalid)
		must(t, column.Rename(ctx, v, "texts", "texts"))
		must(t, column.Rename(ctx, v, "texts", "words"))
		must(t, column.Rename(ctx, v, "ints", "texts"))
		holds(t, openColumn(t, v, "words", column.String), []string{"one"})
		holds(t, openColumn(t, v, "texts", column.Int64), numbers(0, 10))
	})
}

func TestMigrate(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		old := makeJoined(t, v, "old", 48)
		want := []string{}
		for i := range 500 {
			want = append(want, strings.Repeat("x", i%70))
		}
		must(t, old.Extend(ctx, want))
		type outcome struct {
			name string
			did  bool
		}
		create(t, v, "ints", column.Int64, nil)
		for _, step := range []outcome{{"ints", false}, {"old", true}, {"old", false}} {
			did, err := column.Migrate(ctx, v, step.name)
			must(t, err)
			if did != step.did {
				t.Errorf("migrating %s: %v", step.name, did)
			}
		}
		holds(t, old, want)
		list, err := column.List(ctx, v)
		must(t, err)
		if len(list) != 2 {
			t.Errorf("columns %v", list)
		}
		must(t, v.View(ctx, func(tx *kvault.Tx) error {
			a, err := unexported.Arrays(tx)
			must(t, err)
			index, err := a.Array(ctx, "old_idx")
			if index.Type != "adaptive_idx" || index.ElemSize != 12 || index.Length != 500 {
				t.Errorf("index %+v", index)
			}
			return err
		}))
		modelOf(t, v, old, want, 5, func(r *rand.Rand) string { return strings.Repeat("y", r.IntN(50)) })
		_, err = column.Migrate(ctx, v, "nothing")
		wantErr(t, err, kvault.ErrNotFound)
		makeJoined(t, v, "empty", 48)
		if did, err := column.Migrate(ctx, v, "empty"); err != nil || !did {
			t.Errorf("%v, %v", did, err)
		}
	})
}

// A migration that fails leaves the column as it was.
func TestMigrateFails(t *testing.T) {
	v := openFile(t, newPath(t))
	ctx := t.Context()
	old := makeJoined(t, v, "old", 48)
	must(t, old.Extend(ctx, []string{"one", "two"}))
	create(t, v, "old_data migrated", column.Int64, nil)
	did, err := column.Migrate(ctx, v, "old")
	wantErr(t, err, kvault.ErrExists)
	if did {
		t.Error("it says that it did it")
	}
	holds(t, old, []string{"one", "two"})
}
