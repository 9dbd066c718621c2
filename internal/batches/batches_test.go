package batches_test

import (
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/kohakuvault/kvault/internal/batches"
)

var errEnd = errors.New("end")

// upTo yields the numbers below n, and then err unless it is nil.
func upTo(n int, err error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
		if err != nil {
			yield(0, err)
		}
	}
}

func TestOf(t *testing.T) {
	for _, tt := range []struct {
		n    int
		err  error
		want [][]int
	}{
		{0, nil, nil},
		{2, nil, [][]int{{0, 1}}},
		{3, nil, [][]int{{0, 1, 2}}},
		{7, nil, [][]int{{0, 1, 2}, {3, 4, 5}, {6}}},
		{0, errEnd, nil},
		{4, errEnd, [][]int{{0, 1, 2}}},
	} {
		var got [][]int
		var failed error
		for batch, err := range batches.Of(upTo(tt.n, tt.err), 3) {
			if failed = err; err == nil {
				got = append(got, slices.Clone(batch))
			}
		}
		if failed != tt.err || !slices.EqualFunc(got, tt.want, slices.Equal) {
			t.Errorf("%d numbers, then %v: %v, %v", tt.n, tt.err, got, failed)
		}
	}
	for batch := range batches.Of(upTo(7, nil), 3) {
		if len(batch) != 3 {
			t.Errorf("%v after the first", batch)
		}
		break
	}
}
