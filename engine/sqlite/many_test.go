//go:build reliability

package sqlite

import (
	"iter"
	"time"
)

// Amounts with the tag reliability.
const (
	// PowerCuts is how many cuts TestPowerCut makes of each kind.
	PowerCuts = 4000
	// Storm is for how long goroutines call things at random.
	Storm = 3 * time.Second
)

// Amount is how much of something there is.
func Amount(_, many int) int { return many }

// Some are all cases.
func Some[T any](_ int, cases []T) []T { return cases }

// faultsAmong goes through every operation that can fail, without an end: their number is not
// always the same.
func faultsAmong(int64) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for n := int64(1); yield(n); n++ {
		}
	}
}

// amongLayouts are the layouts of a vault that meets faults.
func amongLayouts() []int { return []int{1, 2} }
