//go:build !reliability

package sqlite

import (
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/kohakuvault/kvault/internal/race"
)

// Amounts of a plain test run; with the tag reliability there is more of everything. Those with a
// capital are for package sqlite_test, too.
const (
	// PowerCuts is how many cuts TestPowerCut makes of each kind.
	PowerCuts = 40 - 4*(race.Slowdown-1)
	// Storm is for how long goroutines call things at random.
	Storm = 400 * time.Millisecond
)

// Amount is how much of something there is.
func Amount(few, _ int) int { return few }

// Some chooses n cases, with the race detector half as many. Each run has others.
func Some[T any](n int, cases []T) []T {
	if race.Slowdown > 1 {
		n = (n + 1) / 2
	}
	chosen := slices.Clone(cases)
	rand.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	return chosen[:min(n, len(chosen))]
}

// faultsAmong chooses which of n operations fails: the first, the last, or any.
func faultsAmong(n int64) iter.Seq[int64] {
	if n == 0 {
		return slices.Values([]int64{})
	}
	return slices.Values(Some(1, []int64{1, n, 1 + rand.Int64N(n), 1 + rand.Int64N(n)}))
}

// amongLayouts chooses the layout of a vault that meets faults.
func amongLayouts() []int { return []int{1 + rand.IntN(2)} }
