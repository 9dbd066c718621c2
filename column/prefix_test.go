package column_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// flights makes a table of two columns, and one that has nothing to do with it.
func openFlights(ctx context.Context, v *kvault.Vault) error {
	return v.Update(ctx, func(tx *kvault.Tx) error {
		for _, name := range []string{"flights/year", "flights/carrier", "notes"} {
			typ := "str"
			if name == "flights/year" {
				typ = "i64"
			}
			if _, err := column.CreateAny(ctx, tx, name, typ, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func ExampleRenamePrefix() {
	ctx := context.Background()
	v, done := openExample()
	defer done()
	if err := openFlights(ctx, v); err != nil {
		log.Fatal(err)
	}

	n, err := column.RenamePrefix(ctx, v, "flights/", "trips/")
	if err != nil {
		log.Fatal(err)
	}
	list, err := column.List(ctx, v)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, list[0].Name, list[1].Name, list[2].Name)
	// Output: 2 trips/year trips/carrier notes
}

func ExampleDropPrefix() {
	ctx := context.Background()
	v, done := openExample()
	defer done()
	if err := openFlights(ctx, v); err != nil {
		log.Fatal(err)
	}

	n, err := column.DropPrefix(ctx, v, "flights/")
	if err != nil {
		log.Fatal(err)
	}
	list, err := column.List(ctx, v)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, list[0].Name)
	// Output: 2 notes
}

// names are those of all columns with their types and lengths.
func names(t *testing.T, v *kvault.Vault) (list []string) {
	t.Helper()
	infos, err := column.List(t.Context(), v)
	must(t, err)
	for _, info := range infos {
		list = append(list, fmt.Sprint(info.Name, " ", info.Type, " ", info.Len))
	}
	return list
}

// holding makes columns by name, with elements of one size if the name has a "#", each with its
// number of elements.
func holding(t *testing.T, v *kvault.Vault, columns ...string) {
	t.Helper()
	for i, name := range columns {
		if strings.Contains(name, "#") {
			must(t, create(t, v, name, column.Int64, nil).Extend(t.Context(), make([]int64, i)))
		} else {
			must(t, create(t, v, name, column.String, nil).Extend(t.Context(), make([]string, i)))
		}
	}
}

func TestRenamePrefix(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		holding(t, v, "a/x#", "b", "a/y", "a/a/x#", "a/a/y", "a_data#")
		for _, tt := range []struct {
			from, to string
			n        int
			want     []string
		}{
			{"a/", "c/", 4, []string{"c/x# i64 0", "b str:utf8 1", "c/y str:utf8 2", "c/a/x# i64 3", "c/a/y str:utf8 4", "a_data# i64 5"}},
			// Each new name is the old one of another column.
			{"c/", "c/a/", 4, []string{"c/a/x# i64 0", "b str:utf8 1", "c/a/y str:utf8 2", "c/a/a/x# i64 3", "c/a/a/y str:utf8 4", "a_data# i64 5"}},
			{"c/a/", "c/", 4, []string{"c/x# i64 0", "b str:utf8 1", "c/y str:utf8 2", "c/a/x# i64 3", "c/a/y str:utf8 4", "a_data# i64 5"}},
			{"c/", "c/", 4, []string{"c/x# i64 0", "b str:utf8 1", "c/y str:utf8 2", "c/a/x# i64 3", "c/a/y str:utf8 4", "a_data# i64 5"}},
			// A prefix of a column's part is none of the column.
			{"a_", "a-", 1, []string{"c/x# i64 0", "b str:utf8 1", "c/y str:utf8 2", "c/a/x# i64 3", "c/a/y str:utf8 4", "a-data# i64 5"}},
			{"", "t/", 6, []string{"t/c/x# i64 0", "t/b str:utf8 1", "t/c/y str:utf8 2", "t/c/a/x# i64 3", "t/c/a/y str:utf8 4", "t/a-data# i64 5"}},
		} {
			n, err := column.RenamePrefix(t.Context(), v, tt.from, tt.to)
			must(t, err)
			if diff := cmp.Diff(tt.want, names(t, v)); diff != "" || n != tt.n {
				t.Fatalf("%q to %q: %d renamed; %s", tt.from, tt.to, n, diff)
			}
		}
	})
}

// A rename that is refused changes nothing, and the transaction in which it was tried can go on.
func TestRenamePrefixRefused(t *testing.T) {
	long := strings.Repeat("n", 250) + "/"
	for _, tt := range []struct {
		name     string
		columns  []string
		from, to string
		want     error
		says     string
	}{
		{"none", []string{"a/x#"}, "b/", "c/", kvault.ErrNotFound, "no columns"},
		{"the part of one", []string{"ab"}, "ab_", "c", kvault.ErrNotFound, "no columns"},
		{"taken", []string{"a/x#", "a/y", "b/y"}, "a/", "b/", kvault.ErrExists, "b/y"},
		{"taken by one of another kind", []string{"a/x#", "a/y", "b/y_data"}, "a/", "b/", kvault.ErrExists, "b/y_data"},
		{"taken the other way round", []string{"a/y_data", "b/y"}, "a/", "b/", kvault.ErrExists, "b/y_data"},
		{"taken partly", []string{"a/b/x#", "a/x#", "b/x#"}, "a/", "", kvault.ErrExists, "b/x#"},
		{"empty", []string{"a/"}, "a/", "", kvault.ErrInvalid, "0 bytes"},
		{"too long", []string{"a/xxxxxxxx#"}, "a/", long, kvault.ErrInvalid, "255"},
		{"no UTF-8", []string{"a/x#"}, "a/", "\xff/", kvault.ErrInvalid, "UTF-8"},
		{"NUL", []string{"a/x#"}, "a/", "\x00", kvault.ErrInvalid, "NUL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onEngines(t, func(t *testing.T, v *kvault.Vault) {
				holding(t, v, tt.columns...)
				before := names(t, v)
				_, err := column.RenamePrefix(t.Context(), v, tt.from, tt.to)
				wantErr(t, err, tt.want)
				if err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%v, want %q", err, tt.says)
				}
				must(t, v.Update(t.Context(), func(tx *kvault.Tx) error {
					if _, err := column.RenamePrefix(t.Context(), tx, tt.from, tt.to); err == nil {
						t.Error("no error in a transaction")
					}
					return tx.Put(t.Context(), "k", nil)
				}))
				if diff := cmp.Diff(before, names(t, v)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// A nullable column goes with its companion.
func TestPrefixAndNulls(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		for _, name := range []string{"a/n", "a/s", "b/n_valid"} {
			typ := "i64:null"
			if name == "a/s" {
				typ = "str:null"
			}
			_, err := column.CreateAny(t.Context(), v, name, typ, nil)
			must(t, err)
		}
		c := openColumn(t, v, "a/n", column.Nullable(column.Int64))
		want := []column.Null[int64]{{V: 7, Valid: true}, {}}
		must(t, c.Extend(t.Context(), want))
		_, err := column.RenamePrefix(t.Context(), v, "a/", "b/")
		wantErr(t, err, kvault.ErrExists) // the companion would be another column
		n, err := column.RenamePrefix(t.Context(), v, "a/", "c/")
		must(t, err)
		if diff := cmp.Diff([]string{"c/n i64:null 2", "c/s str:utf8:null 0", "b/n_valid i64:null 0"}, names(t, v)); diff != "" || n != 2 {
			t.Errorf("%d renamed; %s", n, diff)
		}
		holds(t, openColumn(t, v, "c/n", column.Nullable(column.Int64)), want)
		n, err = column.DropPrefix(t.Context(), v, "c/")
		must(t, err)
		if diff := cmp.Diff([]string{"b/n_valid i64:null 0"}, names(t, v)); diff != "" || n != 2 {
			t.Errorf("%d dropped; %s", n, diff)
		}
		create(t, v, "c/n_valid", column.Int64, nil) // nothing is left of the companion
	})
}

// Two columns that would be taken for the two parts of one of version 0.2 stay apart.
func TestRenamePrefixMakesNoParts(t *testing.T) {
	v := openFile(t, newPath(t))
	create(t, v, "a/n_data", column.FixedBytes(1), nil)
	create(t, v, "b/n_idx", column.Int64, nil)
	_, err := column.RenamePrefix(t.Context(), v, "a/", "b/")
	wantErr(t, err, kvault.ErrInvalid)
	if diff := cmp.Diff([]string{"a/n_data bytes:1 0", "b/n_idx i64 0"}, names(t, v)); diff != "" {
		t.Error(diff)
	}
}

func TestDropPrefix(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		holding(t, v, "a/x#", "b", "a/y", "ab#", "b_idx#")
		for _, tt := range []struct {
			prefix string
			n      int
			want   error
		}{
			{"", 0, kvault.ErrInvalid}, {"c/", 0, kvault.ErrNotFound}, {"b_d", 0, kvault.ErrNotFound}, {"a/", 2, nil}, {"a/", 0, kvault.ErrNotFound},
			{"b_", 1, nil},
		} {
			n, err := column.DropPrefix(t.Context(), v, tt.prefix)
			wantErr(t, err, tt.want)
			if n != tt.n {
				t.Errorf("%q: %d dropped", tt.prefix, n)
			}
		}
		if diff := cmp.Diff([]string{"b str:utf8 1", "ab# i64 3"}, names(t, v)); diff != "" {
			t.Error(diff)
		}
	})
}

// What waits in the cache goes with its column.
func TestPrefixAndCache(t *testing.T) {
	v := openFile(t, newPath(t))
	holding(t, v, "a/x#", "a/y")
	must(t, v.EnableCache(t.Context(), &kvault.CacheOptions{Capacity: 1 << 20}))
	must(t, openColumn(t, v, "a/x#", column.Int64).Append(t.Context(), 7))
	_, err := column.RenamePrefix(t.Context(), v, "a/", "b/")
	must(t, err)
	holds(t, openColumn(t, v, "b/x#", column.Int64), []int64{7})
	must(t, openColumn(t, v, "b/y", column.String).Append(t.Context(), "z"))
	_, err = column.DropPrefix(t.Context(), v, "b/")
	must(t, err)
	if list := names(t, v); len(list) > 0 {
		t.Errorf("left: %q", list)
	}
}
