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

// faultsAmong chooses which of n operations fail: the first or the last, and one of all; with the
// race detector only that.
func faultsAmong(n int64) iter.Seq[int64] {
	if n == 0 {
		return slices.Values([]int64{})
	}
	chosen := []int64{1 + rand.Int64N(n)}
	if race.Slowdown == 1 {
		chosen = append(chosen, []int64{1, n}[rand.IntN(2)])
	}
	slices.Sort(chosen)
	return slices.Values(slices.Compact(chosen))
}

// amongLayouts chooses the layout of a vault that meets faults.
func amongLayouts() []int { return []int{1 + rand.IntN(2)} }
