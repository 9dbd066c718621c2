package enginetest

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault/engine"
)

func listTests() []targetTest {
	return []targetTest{
		{"ListRanges", testListRanges},
		{"ListPages", testListPages},
		{"ListPrefixes", testListPrefixes},
		{"ListValues", testListValues},
		{"ListMaxBytes", testMaxBytes},
		{"ListLimit", testListLimit},
		{"Count", testCount},
	}
}

func sortedKeys(keys []string) []string { return slices.Sorted(slices.Values(keys)) }

// putKeys stores each key with itself as the value.
func putKeys(t *testing.T, x target, keys ...string) {
	t.Helper()
	var pairs []string
	for _, key := range keys {
		pairs = append(pairs, key, key)
	}
	put(t, x, pairs...)
}

// within is the naive answer to a query, in its order.
func within(keys []string, q engine.Query) []string {
	out := []string{}
	for _, key := range sortedKeys(keys) {
		if key >= q.Start && (q.End == "" || key < q.End) {
			out = append(out, key)
		}
	}
	if q.Reverse {
		slices.Reverse(out)
	}
	return out
}

func testListRanges(t *testing.T, x target) {
	putKeys(t, x, binaryKeys...)
	bounds := append([]string{"", "a\x00\x00", "aaa", "\xff\xff\xff"}, binaryKeys...)
	for i, start := range bounds {
		for j := i % 4; j < len(bounds); j += 4 {
			end := bounds[j]
			q := engine.Query{Range: engine.Range{Start: start, End: end}, Reverse: (i+j/4)%2 == 0, Limit: len(binaryKeys) + 1}
			page, err := x.List(t.Context(), q)
			if err != nil {
				t.Fatalf("List(%s): %v", show(q), err)
			}
			want := within(binaryKeys, q)
			if got := keysOf(page.Items); !slices.Equal(got, want) {
				t.Fatalf("List(%s): %q, want %q", show(q), got, want)
			}
			wantKeys(t, x, q, want, false)
		}
	}
}

// wantKeys asks for keys alone, if the store can tell them.
func wantKeys(t *testing.T, x target, q engine.Query, want []string, more bool) {
	t.Helper()
	l, ok := x.(engine.KeyLister)
	if !ok {
		return
	}
	got, gotMore, err := l.AppendKeys(t.Context(), []string{"there"}, q)
	if err == nil && (len(got) == 0 || got[0] != "there") {
		t.Fatalf("AppendKeys(%s) to what is there: %q", show(q), got)
	}
	if got = got[min(1, len(got)):]; err != nil || !slices.Equal(got, want) || more && !gotMore || gotMore && len(got) < q.Limit {
		t.Fatalf("AppendKeys(%s): %q, more %v, %v; want %q, more %v", show(q), got, gotMore, err, want, more)
	}
}

func testListPages(t *testing.T, x target) {
	var keys []string
	for i := range 57 {
		keys = append(keys, fmt.Sprintf("k%03d", i))
	}
	putKeys(t, x, keys...)
	for _, limit := range []int{1, 2, 7, 56, 57, 58, 1000, math.MaxInt} {
		for _, reverse := range []bool{false, true} {
			for _, r := range []engine.Range{{}, {Start: "k010", End: "k044"}, {Start: "k010", End: "k011"}, {Start: "x"}} {
				q := engine.Query{Range: r, Limit: limit, Reverse: reverse}
				if got, want := keysOf(listAll(t, x, q)), within(keys, q); !slices.Equal(got, want) {
					t.Errorf("pages of %s: %q, want %q", show(q), got, want)
				}
				page, err := x.List(t.Context(), q)
				if err != nil || len(page.Items) != min(limit, len(within(keys, q))) {
					t.Errorf("List(%s): %d items, error %v", show(q), len(page.Items), err)
				}
				want := within(keys, q)
				wantKeys(t, x, q, want[:min(limit, len(want))], limit < len(want))
			}
		}
	}
}

func testListPrefixes(t *testing.T, x target) {
	putKeys(t, x, binaryKeys...)
	for _, prefix := range []string{"a", "a/", "a\xff", "\xff", "\xff\xff", "\x00", "é", "zz", "\xc3"} {
		q := engine.Query{Range: engine.PrefixRange(prefix), Limit: 5}
		want := []string{}
		for _, key := range sortedKeys(binaryKeys) {
			if len(key) >= len(prefix) && key[:len(prefix)] == prefix {
				want = append(want, key)
			}
		}
		if got := keysOf(listAll(t, x, q)); !slices.Equal(got, want) {
			t.Errorf("keys with prefix %q: %q, want %q", prefix, got, want)
		}
	}
}

func testListValues(t *testing.T, x target) {
	put(t, x, "a", "1", "b", "", "c", "333")
	apply(t, x, engine.Op{Kind: engine.Put, Key: "d", Value: noise(100_000), Meta: newMeta()})
	for _, values := range []bool{false, true} {
		page, err := x.List(t.Context(), engine.Query{Limit: 10, Values: values})
		if err != nil || len(page.Items) != 4 || page.More {
			t.Fatalf("List: %d items, more %v, %v", len(page.Items), page.More, err)
		}
		for _, it := range page.Items {
			if diff := cmp.Diff(stat(t, x, it.Key), it.Entry); diff != "" {
				t.Errorf("entry of %q (-Stat +List):\n%s", it.Key, diff)
			}
			if !values && it.Value != nil {
				t.Errorf("List without values gave one for %q", it.Key)
			}
			if values && (it.Value == nil || int64(len(it.Value)) != it.Size) {
				t.Errorf("List gave %d bytes (nil %v) for %q, want %d", len(it.Value), it.Value == nil, it.Key, it.Size)
			}
			if values {
				holds(t, x, it.Key, it.Value)
			}
		}
		sizes, err := x.List(t.Context(), engine.Query{Limit: 3, Values: values, Sizes: true})
		if err != nil || len(sizes.Items) != 3 || !sizes.More {
			t.Fatalf("List of sizes: %d items, more %v, %v", len(sizes.Items), sizes.More, err)
		}
		for i, it := range sizes.Items {
			if want := page.Items[i]; it.Key != want.Key || it.Size != want.Size || string(it.Value) != string(want.Value) {
				t.Errorf("List of sizes: %+v, want %+v", it, want)
			}
		}
	}
}

func testMaxBytes(t *testing.T, x target) {
	put(t, x, "a", "4444", "b", "333", "c", "", "d", "55555", "e", "1", "f", "1")
	tests := []struct {
		max     int64
		reverse bool
		values  bool
		limit   int
		want    []string
		more    bool
	}{
		{1, false, true, 10, []string{"a"}, true},
		{4, false, true, 10, []string{"a"}, true},
		{6, false, true, 10, []string{"a"}, true},
		{7, false, true, 10, []string{"a", "b", "c"}, true},
		{11, false, true, 10, []string{"a", "b", "c"}, true},
		{12, false, true, 10, []string{"a", "b", "c", "d"}, true},
		{12, false, true, 2, []string{"a", "b"}, true},
		{14, false, true, 10, []string{"a", "b", "c", "d", "e", "f"}, false},
		{2, true, true, 10, []string{"f", "e"}, true},
		{7, true, true, 10, []string{"f", "e", "d", "c"}, true},
		{0, false, true, 10, []string{"a", "b", "c", "d", "e", "f"}, false},
		{-1, false, true, 10, []string{"a", "b", "c", "d", "e", "f"}, false},
		{1, false, false, 10, []string{"a", "b", "c", "d", "e", "f"}, false},
	}
	for _, tt := range tests {
		q := engine.Query{Limit: tt.limit, Reverse: tt.reverse, Values: tt.values, MaxBytes: tt.max}
		page, err := x.List(t.Context(), q)
		if err != nil {
			t.Fatalf("List(%s): %v", show(q), err)
		}
		if got := keysOf(page.Items); !slices.Equal(got, tt.want) {
			t.Errorf("List(%s): %q, want %q", show(q), got, tt.want)
		}
		if tt.more && !page.More {
			t.Errorf("List(%s): no more after %q", show(q), tt.want)
		}
		if got := listAll(t, x, q); len(got) != 6 {
			t.Errorf("pages of %s: %q", show(q), keysOf(got))
		}
	}
}

func testListLimit(t *testing.T, x target) {
	put(t, x, "a", "1")
	for _, limit := range []int{0, -1} {
		_, err := x.List(t.Context(), engine.Query{Limit: limit})
		wantErr(t, fmt.Sprintf("List with limit %d", limit), err, engine.ErrInvalid)
		if l, ok := x.(engine.KeyLister); ok {
			_, _, err := l.AppendKeys(t.Context(), nil, engine.Query{Limit: limit})
			wantErr(t, fmt.Sprintf("AppendKeys with limit %d", limit), err, engine.ErrInvalid)
		}
	}
}

func testCount(t *testing.T, x target) {
	check := func(keys []string) {
		t.Helper()
		bounds := append([]string{"", "aaa", "\xff\xff\xff"}, binaryKeys...)
		for _, start := range bounds {
			for _, end := range []string{"", "a", "a\x00", "b", "\xff", start} {
				r := engine.Range{Start: start, End: end}
				n, err := x.Count(t.Context(), r)
				if want := len(within(keys, engine.Query{Range: r})); err != nil || n != int64(want) {
					t.Fatalf("Count(%q) = %d, %v; want %d", r, n, err, want)
				}
			}
		}
	}
	check(nil)
	putKeys(t, x, binaryKeys...)
	check(binaryKeys)
}
