// Package batches groups what an iterator yields.
package batches

import "iter"

// Of yields the elements of seq in order, n at a time and the rest at last. The slice is reused for
// the next batch. An error of seq ends it: elements of a batch that is not full are not yielded
// then.
func Of[T any](seq iter.Seq2[T, error], n int) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		batch := make([]T, 0, n)
		for x, err := range seq {
			if err != nil {
				yield(nil, err)
				return
			}
			if batch = append(batch, x); len(batch) < n {
				continue
			}
			if !yield(batch, nil) {
				return
			}
			batch = batch[:0]
		}
		if len(batch) > 0 {
			yield(batch, nil)
		}
	}
}
