//go:build python

package pyexchange

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/column"
)

// What follows pins down faults of the package, on files that no other program has touched, or as
// two of its own handles show them. They are why other tests leave something out.

func i64(x int) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(x)) }

func eachOld(t *testing.T, test func(t *testing.T, v *version, d *driver, path string)) {
	eachVersion(t, func(t *testing.T, v *version) {
		if v.blocks {
			return
		}
		d, path := v.start(t), newPath(t)
		d.do(t, "open", args{"path": path}, nil)
		test(t, v, d, path)
	})
}

// A handle of a column remembers its length. What others append after it has looked is overwritten
// by its next append: two handles of the package do that to each other, and one does it to this
// package. A handle that is made anew loses nothing.
func TestRememberedLength(t *testing.T) {
	eachOld(t, func(t *testing.T, v *version, d *driver, path string) {
		other := v.start(t)
		other.do(t, "open", args{"path": path}, nil)
		number := func(x int) args { return args{"name": "c", "dtype": "i64", "item": i64(x)} }
		d.do(t, "create", args{"name": "c", "dtype": "i64", "least": 80, "most": 800}, nil)
		d.do(t, "append", number(0), nil)
		other.do(t, "append", number(1), nil)
		d.do(t, "append", number(2), nil) // over the 1

		vault := open(t, path, nil)
		c, err := column.Open(t.Context(), vault, "c", column.Int64)
		must(t, err)
		holds := func(want ...int64) {
			t.Helper()
			got, err := c.Slice(t.Context(), 0, 100)
			must(t, err)
			if !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		}
		holds(0, 2)
		must(t, c.Append(t.Context(), 3)) // no length is remembered here
		holds(0, 2, 3)
		d.do(t, "append", number(4), nil)
		holds(0, 2, 4)
		d.do(t, "reopen_columns", nil, nil)
		must(t, c.Append(t.Context(), 5))
		d.do(t, "append", number(6), nil)
		holds(0, 2, 4, 5, 6)
		d.do(t, "close", nil, nil)
		other.do(t, "close", nil, nil)
	})
}

// clear leaves the chunks. If there is more than one, the package cannot append any more; an append
// here takes them away.
func TestAppendAfterClear(t *testing.T) {
	eachOld(t, func(t *testing.T, v *version, d *driver, path string) {
		d.do(t, "create", args{"name": "c", "dtype": "i64", "least": 80, "most": 80}, nil)
		d.do(t, "extend", args{"name": "c", "dtype": "i64", "items": slices.Repeat([][]byte{i64(1)}, 25)}, nil)
		d.do(t, "clear_column", args{"name": "c"}, nil)
		d.refuses(t, "append", args{"name": "c", "dtype": "i64", "item": i64(2)})
		d.do(t, "close", nil, nil)

		vault := open(t, path, nil)
		c, err := column.Open(t.Context(), vault, "c", column.Int64)
		must(t, err)
		must(t, c.Append(t.Context(), 3))
		d.do(t, "open", args{"path": path}, nil)
		d.do(t, "append", args{"name": "c", "dtype": "i64", "item": i64(4)}, nil)
		if got, err := c.Slice(t.Context(), 0, 100); err != nil || !slices.Equal(got, []int64{3, 4}) {
			t.Errorf("%v, %v", got, err)
		}
		check(t, vault, path)
		d.do(t, "close", nil, nil)
	})
}

// From 0.4 on, setting an element of differing size looks for its entry in the index by the bounds
// of the data, which are other ones unless they happen to be whole entries: it changes the entry of
// nobody, or of another. With the usual bounds that concerns elements from number 1398101 on.
func TestFaultsOfTheIndex(t *testing.T) {
	eachOld(t, func(t *testing.T, v *version, d *driver, path string) {
		if v.joined {
			return
		}
		d.do(t, "create", args{"name": "c", "dtype": "bytes", "least": 64, "most": 256}, nil)
		var items [][]byte
		for i := range 40 {
			items = append(items, []byte(fmt.Sprintf("%04d", i)))
		}
		d.do(t, "extend", args{"name": "c", "dtype": "bytes", "items": items}, nil)
		d.do(t, "set", args{"name": "c", "dtype": "bytes", "i": 30, "item": []byte("x")}, nil)
		var got [][]byte
		err := d.try("column", args{"name": "c", "dtype": "bytes"}, &got)
		if err == nil && len(got) == 40 && string(got[30]) == "x" && string(got[29]) == "0029" && string(got[31]) == "0031" {
			t.Error("the package sets it right: the other tests may use any bounds")
		}
		d.do(t, "close", nil, nil)
	})
}

// From 0.4 on, extend cannot take an element longer than a chunk may be, and leaves a chunk that it
// did not fill. Compact removes that.
func TestLongElements(t *testing.T) {
	eachOld(t, func(t *testing.T, v *version, d *driver, path string) {
		if v.joined {
			return
		}
		d.do(t, "create", args{"name": "c", "dtype": "bytes", "least": 60, "most": 240}, nil)
		d.do(t, "append", args{"name": "c", "dtype": "bytes", "item": make([]byte, 300)}, nil)
		if text := d.refuses(t, "extend", args{"name": "c", "dtype": "bytes", "items": [][]byte{make([]byte, 301)}}); !strings.Contains(text, "Blob size") {
			t.Errorf("it says %s", text)
		}
		d.do(t, "close", nil, nil)
		vault := open(t, path, nil)
		c, err := column.Open(t.Context(), vault, "c", column.Bytes)
		must(t, err)
		must(t, c.Append(t.Context(), make([]byte, 302)))
		must(t, c.Compact(t.Context()))
		if got, err := c.Slice(t.Context(), 0, 9); err != nil || len(got) != 2 || len(got[0]) != 300 || len(got[1]) != 302 {
			t.Errorf("%d elements, %v", len(got), err)
		}
		check(t, vault, path)
	})
}

// Before 1.0, a listing stops at 10000 keys and misses those of a prefix that go on with FF. All
// are here.
func TestListings(t *testing.T) {
	eachVersion(t, func(t *testing.T, v *version) {
		d, path := v.start(t), newPath(t)
		vault := open(t, path, nil)
		const n = 10_010
		must(t, vault.PutAll(t.Context(), func(yield func(string, []byte) bool) {
			for i := range n {
				if !yield(fmt.Sprintf("%05d", i), nil) {
					return
				}
			}
		}))
		d.do(t, "open", args{"path": path, "table": "kvault"}, nil)
		d.do(t, "put", args{"key": []byte("p\xff\xff"), "value": []byte{}}, nil)
		var keys, prefixed [][]byte
		d.do(t, "keys", nil, &keys)
		d.do(t, "keys", args{"prefix": []byte("p")}, &prefixed)
		want, wantPrefixed := 10_000, 0
		if v.blocks {
			want, wantPrefixed = n+1, 1
		}
		if len(keys) != want || len(prefixed) != wantPrefixed {
			t.Errorf("%d keys and %d with the prefix, want %d and %d", len(keys), len(prefixed), want, wantPrefixed)
		}
		if len, err := vault.Len(t.Context()); err != nil || len != n+1 {
			t.Errorf("%d keys here, %v", len, err)
		}
		d.do(t, "close", nil, nil)
	})
}

// A file of ours with columns of differing element size is read wrongly by 0.2, which knows no
// other layout than its own: its own later versions do that to it as well.
func TestLaterLayoutIn02(t *testing.T) {
	for _, maker := range []string{"ours", "0.5.0"} {
		t.Run(maker, func(t *testing.T) {
			path, d := newPath(t), versions[0].start(t)
			if maker == "ours" {
				vault := open(t, path, nil)
				c, err := column.Create(t.Context(), vault, "c", column.Bytes, nil)
				must(t, err)
				must(t, c.Extend(t.Context(), [][]byte{[]byte("ab"), []byte("cde")}))
			} else {
				later := versions[1].start(t)
				later.do(t, "open", args{"path": path, "table": "kvault"}, nil)
				later.do(t, "create", args{"name": "c", "dtype": "bytes", "least": 128 << 10, "most": 16 << 20}, nil)
				later.do(t, "extend", args{"name": "c", "dtype": "bytes", "items": [][]byte{[]byte("ab"), []byte("cde")}}, nil)
				later.do(t, "close", nil, nil)
			}
			d.do(t, "open", args{"path": path, "table": "kvault"}, nil)
			var got [][]byte
			if err := d.try("column", args{"name": "c", "dtype": "bytes"}, &got); err == nil && slices.EqualFunc(got, []string{"ab", "cde"},
				func(b []byte, s string) bool { return string(b) == s }) {
				t.Error("0.2 reads it right: docs/format.md says otherwise")
			}
			d.do(t, "close", nil, nil)
		})
	}
}

// From 0.4 on, setting an element writes all of its chunk anew if it has no room. If that is more
// than one and a half times what a chunk may hold, the package has destroyed the chunk by the time
// it fails.
func TestDestroyedChunk(t *testing.T) {
	eachOld(t, func(t *testing.T, v *version, d *driver, path string) {
		if v.joined {
			return
		}
		d.do(t, "create", args{"name": "c", "dtype": "bytes", "least": 60, "most": 240}, nil)
		item := func(n int) []byte { return []byte(strings.Repeat("x", n)) }
		d.do(t, "extend", args{"name": "c", "dtype": "bytes", "items": [][]byte{item(100), item(100), item(40)}}, nil)
		d.refuses(t, "set", args{"name": "c", "dtype": "bytes", "i": 1, "item": item(250)})
		var got [][]byte
		d.do(t, "column", args{"name": "c", "dtype": "bytes"}, &got)
		if string(got[2]) == string(item(40)) {
			t.Error("the package leaves the other elements alone: canSet need not look at it")
		}
		d.do(t, "close", nil, nil)
	})
}

// An insert of 0.2 fails halfway where the last chunk is full, and has overwritten an element by
// then.
func TestInsertOf02(t *testing.T) {
	d, path := versions[0].start(t), newPath(t)
	d.do(t, "open", args{"path": path}, nil)
	d.do(t, "create", args{"name": "c", "dtype": "i64", "least": 16, "most": 160}, nil)
	d.do(t, "extend", args{"name": "c", "dtype": "i64", "items": [][]byte{i64(1), i64(2)}}, nil)
	d.refuses(t, "insert", args{"name": "c", "dtype": "i64", "i": 0, "item": i64(7)})
	d.do(t, "close", nil, nil)
	c, err := column.Open(t.Context(), open(t, path, nil), "c", column.Int64)
	must(t, err)
	if got, err := c.Slice(t.Context(), 0, 9); err != nil || !slices.Equal(got, []int64{7, 2}) {
		t.Errorf("%d, %v: it did not overwrite the first", got, err)
	}
}
