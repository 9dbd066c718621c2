package stats

import (
	"math"
	"math/bits"
	"slices"
)

// What a pass holds in memory: at most heldKeys numbers, or 2^rangeBits counters for each range
// that an order statistic lies in.
const (
	heldKeys  = 1 << 18
	rangeBits = 14
)

// span is a range of integers that an order statistic lies in.
type span struct {
	low, high int64
	rank      int64 // among those of the range, from 0
	count     int64 // of those in the range
}

func (s *span) found() bool { return s.low == s.high }

func (s *span) shift() int {
	return max(0, bits.Len64(uint64(s.high)-uint64(s.low))-rangeBits)
}

// Ranks returns the numbers that would have those ranks, counted from 0, if the n integers from low
// to high were sorted. Scan passes all of them to add, block by block; it is called until what is
// left to choose from fits in memory: at most six times, and twice for most columns.
func Ranks(n, low, high int64, ranks []int64, scan func(add func(block []int64)) error) ([]int64, error) {
	spans := make([]span, len(ranks))
	for i, r := range ranks {
		spans[i] = span{low, high, r, n}
	}
	for {
		open, total := openSpans(spans)
		if len(open) == 0 {
			break
		}
		pass := narrow
		if total <= heldKeys {
			pass = choose
		}
		if err := pass(spans, open, scan); err != nil {
			return nil, err
		}
	}
	found := make([]int64, len(spans))
	for i, s := range spans {
		found[i] = s.low
	}
	return found, nil
}

// openSpans returns the different ranges that hold what is still to be found, and how many numbers
// are in them.
func openSpans(spans []span) (open []span, total int64) {
	for _, s := range spans {
		s.rank = 0
		if !s.found() && !slices.Contains(open, s) {
			open = append(open, s)
			total += s.count
		}
	}
	return open, total
}

// narrow counts the numbers of parts of each range, and keeps the part that has the rank.
func narrow(spans, open []span, scan func(func([]int64)) error) error {
	counts := make([][]int64, len(open))
	for i := range counts {
		counts[i] = make([]int64, 1<<rangeBits)
	}
	err := scan(func(block []int64) {
		for i := range open {
			low, width, shift, parts := uint64(open[i].low), uint64(open[i].high)-uint64(open[i].low), open[i].shift(), counts[i]
			for _, x := range block {
				if distance := uint64(x) - low; distance <= width {
					parts[distance>>shift]++
				}
			}
		}
	})
	if err != nil {
		return err
	}
	for i := range spans {
		s := &spans[i]
		if s.found() {
			continue
		}
		shift := s.shift()
		for part, count := range counts[indexOf(open, s)] {
			if s.rank < count {
				first, width := uint64(part)<<shift, uint64(s.high)-uint64(s.low)
				last := min(first+(1<<shift-1), width)
				s.low, s.high, s.count = int64(uint64(s.low)+first), int64(uint64(s.low)+last), count
				break
			}
			s.rank -= count
		}
	}
	return nil
}

func indexOf(open []span, s *span) int {
	return slices.IndexFunc(open, func(o span) bool { return o.low == s.low && o.high == s.high })
}

// choose gathers the numbers of the ranges and sorts them.
func choose(spans, open []span, scan func(func([]int64)) error) error {
	keys := make([][]int64, len(open))
	err := scan(func(block []int64) {
		for i := range open {
			low, width := uint64(open[i].low), uint64(open[i].high)-uint64(open[i].low)
			for _, x := range block {
				if uint64(x)-low <= width {
					keys[i] = append(keys[i], x)
				}
			}
		}
	})
	if err != nil {
		return err
	}
	for _, k := range keys {
		slices.Sort(k)
	}
	for i := range spans {
		if s := &spans[i]; !s.found() {
			s.low = keys[indexOf(open, s)][s.rank]
			s.high = s.low
		}
	}
	return nil
}

// Quartile returns the ranks of the two of n numbers that quartile k, from 1 to 3, lies between,
// and how far it is from the first to the second: that of numpy and pandas, and "type 7" elsewhere.
func Quartile(n, k int64) (before, behind int64, part float64) {
	whole, rest := (n-1)/4*k, (n-1)%4*k
	before = whole + rest/4
	return before, min(before+1, n-1), float64(rest%4) / 4
}

// Between returns the number that is that part of the way from a to b.
func Between(a, b, part float64) float64 {
	switch {
	case part == 0 || a == b:
		return a
	case math.IsInf(b-a, 0):
		return a*(1-part) + b*part
	case part >= 0.5: // as numpy does, so that the result never is beyond b
		return b - (b-a)*(1-part)
	}
	return a + (b-a)*part
}
