package workload

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
)

// Column is what Appends calls of a *column.Column[int64].
type Column interface {
	Extend(ctx context.Context, xs []int64) error
	All(ctx context.Context) iter.Seq2[int64, error]
}

// Appends has writers that append to one column. Each element must be there once, those of one
// writer in their order, and those of one call together or not at all.
type Appends struct {
	Writers int
	// Flush, if not nil, must succeed before what was appended counts as acknowledged: the column then
	// waits in a cache.
	Flush func(ctx context.Context) error
	Report

	mu sync.Mutex
	// acked and maybe hold the elements of each writer, whose numbers count up from 0: those of calls
	// that returned nil, and those of calls that failed.
	acked, maybe []map[int64]bool
	batch        map[int64]int64 // the first element of the call that appended an element
}

// elements of writer w have w in the upper bits.
func element(writer int, n int64) int64 { return int64(writer)<<40 | n }

// Run goes on until ctx ends.
func (a *Appends) Run(ctx context.Context, c Column) {
	a.acked, a.maybe = make([]map[int64]bool, a.Writers), make([]map[int64]bool, a.Writers)
	a.batch = map[int64]int64{}
	parallel(a.Writers, func(w int) {
		acked, maybe, next := map[int64]bool{}, map[int64]bool{}, int64(0)
		for ctx.Err() == nil {
			xs := make([]int64, 1+rand.N(20))
			for i := range xs {
				xs[i] = element(w, next)
				next++
			}
			into := acked
			if a.call(ctx, func(ctx context.Context) error { return c.Extend(ctx, xs) }) != nil {
				into = maybe
			}
			a.mu.Lock()
			for _, x := range xs {
				into[x], a.batch[x] = true, xs[0]
			}
			a.mu.Unlock()
		}
		a.mu.Lock()
		a.acked[w], a.maybe[w] = acked, maybe
		a.mu.Unlock()
	})
}

// Elements returns how many were acknowledged, and how many belong to calls that failed.
func (a *Appends) Elements() (acked, maybe int) {
	for w := range a.Writers {
		acked, maybe = acked+len(a.acked[w]), maybe+len(a.maybe[w])
	}
	return acked, maybe
}

// Verify reads the column, when all faults have ended.
func (a *Appends) Verify(ctx context.Context, c Column) error {
	if a.Flush != nil {
		if err := a.Flush(ctx); err != nil {
			return err
		}
	}
	last := make([]int64, a.Writers)
	for w := range last {
		last[w] = -1
	}
	found := map[int64]bool{}
	for x, err := range c.All(ctx) {
		if err != nil {
			return err
		}
		w := int(x >> 40)
		switch {
		case x < 0 || w >= a.Writers || !a.acked[w][x] && !a.maybe[w][x]:
			a.wrong("element %d, which nobody appended", x)
			continue
		case found[x]:
			a.wrong("element %d of writer %d is there twice", x&(1<<40-1), w)
		case x <= last[w]:
			a.wrong("element %d of writer %d comes after %d", x&(1<<40-1), w, last[w]&(1<<40-1))
		}
		found[x], last[w] = true, max(x, last[w])
		a.Reads++
	}
	for w := range a.Writers {
		for x := range a.acked[w] {
			if !found[x] {
				a.wrong("element %d of writer %d is lost", x&(1<<40-1), w)
			}
		}
		for x := range a.maybe[w] {
			if found[x] != found[a.batch[x]] {
				a.wrong("element %d of writer %d: a part of its call took effect", x&(1<<40-1), w)
			}
		}
	}
	return nil
}

// String adds the elements to the counts of calls.
func (a *Appends) String() string {
	acked, maybe := a.Elements()
	return fmt.Sprintf("%d elements acknowledged, %d not known; %s", acked, maybe, a.Report.String())
}
