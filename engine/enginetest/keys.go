package enginetest

import (
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

// testLongKey: what no store takes is not found, as any other key that is not there.
func testLongKey(t *testing.T, x target) {
	longest := strings.Repeat("k", engine.MaxKey)
	put(t, x, longest, "1")
	longer := longest + "k"
	lacks(t, x, longer)
	for what, call := range readCalls(t.Context(), x, longer) {
		if what != "List" && what != "Count" {
			wantErr(t, what, call(), engine.ErrNotFound)
		}
	}
	applyFails(t, x, engine.ErrTooLarge, 1, putOp("b", "1"), putOp(longer, "1"))
	applyFails(t, x, engine.ErrTooLarge, 0, renameOp(longest, longer))
	applyFails(t, x, engine.ErrTooLarge, 0, copyOp(longest, longer))
	for _, op := range []engine.Op{renameOp(longer, "b"), copyOp(longer, "b"), metaOp(longer)} {
		applyFails(t, x, engine.ErrNotFound, 0, op)
	}
	if res := apply(t, x, deleteOp(longer)); res[0].Found {
		t.Error("Delete found a key that is too long")
	}
	has(t, x, longest, "1")
}

// testShortKeys is testLongKey for a store that takes short keys alone.
func testShortKeys(t *testing.T, x target) {
	fits := strings.Repeat("k", 300)
	put(t, x, fits, "1")
	for name, long := range map[string]string{
		"1,025 letters":       strings.Repeat("k", 1025),
		"1,025 bytes of zero": strings.Repeat("\x00", 1025),
		"the longest key":     strings.Repeat("k", engine.MaxKey),
		"a longer one":        strings.Repeat("k", engine.MaxKey+1),
	} {
		t.Run(name, func(t *testing.T) {
			for what, call := range readCalls(t.Context(), x, long) {
				if what != "List" && what != "Count" {
					wantErr(t, what, call(), engine.ErrNotFound)
				}
			}
			for _, op := range []engine.Op{putOp(long, "1"), renameOp(fits, long), copyOp(fits, long)} {
				applyFails(t, x, engine.ErrTooLarge, 0, op)
			}
			applyFails(t, x, engine.ErrTooLarge, 0, stagedOp(long, stage(t, x, 10, noise(25))))
			for _, op := range []engine.Op{renameOp(long, "b"), copyOp(long, "b"), metaOp(long)} {
				applyFails(t, x, engine.ErrNotFound, 0, op)
			}
			if res := apply(t, x, deleteOp(long)); res[0].Found {
				t.Error("Delete found a key that is too long")
			}
			for _, r := range []engine.Range{{Start: long}, {End: long}, {Start: "k", End: long}} {
				want := int64(len(within([]string{fits}, engine.Query{Range: r})))
				if n, err := x.Count(t.Context(), r); n != want || err != nil {
					t.Errorf("Count with a bound that is too long: %d, %v; want %d", n, err, want)
				}
				for _, reverse := range []bool{false, true} {
					q := engine.Query{Range: r, Limit: 10, Reverse: reverse}
					if got := listAll(t, x, q); int64(len(got)) != want {
						t.Errorf("List with a bound that is too long, reverse %v: %d items, want %d",
							reverse, len(got), want)
					}
				}
			}
			has(t, x, fits, "1")
		})
	}
}
