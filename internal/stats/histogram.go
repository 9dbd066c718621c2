package stats

import (
	"math"
	"math/bits"
)

// MaxBins is the most ranges that a histogram can have.
const MaxBins = 200

// slots is a power of two above MaxBins, by which the compiler sees that an index is within bounds.
const slots = 256

// IntBins are ranges of integers as equal as can be; range i is from Starts[i] up to the number
// before Starts[i+1], or High.
type IntBins struct {
	Starts    []int64
	High      int64
	Counts    []int64
	low       uint64
	factor    uint64   // the number of ranges over that of integers, in units of 2^-64; 0 if each integer has a range
	distances []uint64 // of the starts from low; one more ends them
}

// NewIntBins divides what lies from low to high, both included, into bins ranges, or into fewer if
// there are not so many integers. There are 1 to MaxBins.
func NewIntBins(low, high int64, bins int) *IntBins {
	width := uint64(high) - uint64(low) // one less than there are integers, which might be 2^64
	n := uint64(bins)
	if width < n {
		n = width + 1
	}
	h := &IntBins{High: high, low: uint64(low), Counts: make([]int64, n)}
	switch {
	case width == math.MaxUint64:
		h.factor = n
	case n <= width:
		h.factor, _ = bits.Div64(n, 0, width+1)
	}
	for i := range n {
		over, under := bits.Mul64(i, width)
		under, carry := bits.Add64(under, i+n-1, 0) // i * (width+1), to be rounded up
		distance, _ := bits.Div64(over+carry, under, n)
		h.distances = append(h.distances, distance)
		h.Starts = append(h.Starts, int64(uint64(low)+distance))
	}
	h.distances = append(h.distances, math.MaxUint64)
	return h
}

// End is the last integer of range i.
func (h *IntBins) End(i int) int64 {
	if i == len(h.Starts)-1 {
		return h.High
	}
	return h.Starts[i+1] - 1
}

// Add counts the numbers of block in; none is outside of the ranges.
func (h *IntBins) Add(block []int64) {
	if h.factor == 0 {
		for _, x := range block {
			h.Counts[uint64(x)-h.low]++
		}
		return
	}
	// Two sets of counters, so that equal numbers one after the other need not wait for each other.
	var counts [2][slots]int64
	var distances [slots]uint64
	for i := range distances {
		distances[i] = math.MaxUint64
	}
	copy(distances[:], h.distances)
	for i, x := range block {
		distance := uint64(x) - h.low
		at, _ := bits.Mul64(distance, h.factor) // rounded down, as the factor is: one too low at times
		_, below := bits.Sub64(distance, distances[(at+1)%slots], 0)
		at += 1 - below
		counts[i&1][at%slots]++
	}
	for i := range h.Counts {
		h.Counts[i] += counts[0][i] + counts[1][i]
	}
	// Only the largest distance of all, 2^64-1, is not below the end that follows the last range.
	last := len(h.Counts) - 1
	h.Counts[last] += counts[0][last+1] + counts[1][last+1]
}

// FloatBins are ranges of floating-point numbers: range i is from Edges[i] up to but not including
// Edges[i+1], which the last one includes.
type FloatBins struct {
	Edges  []float64
	Counts []int64
	shrink float64 // keeps the distance of the extremes finite
	scale  float64
}

// NewFloatBins divides what lies from low to high into bins ranges, or into one if that is a single
// number. The edges are those of numpy.histogram, where that has any.
func NewFloatBins(low, high float64, bins int) *FloatBins {
	if low == high {
		return &FloatBins{Edges: []float64{low, high}, Counts: make([]int64, 1)}
	}
	h := &FloatBins{Edges: make([]float64, bins+1), Counts: make([]int64, bins), shrink: 1}
	if math.IsInf(high-low, 0) {
		h.shrink = 0.5
	}
	width := high*h.shrink - low*h.shrink
	n := float64(bins)
	step := width / n
	for i := range h.Edges {
		part := float64(float64(i) * step) // the conversion keeps it from being fused with the addition
		if step == 0 {                     // the distance is subnormal
			part = float64(float64(i)/n) * width
		}
		h.Edges[i] = (part + low*h.shrink) / h.shrink
	}
	h.Edges[0], h.Edges[bins] = low, high
	h.scale = n / width
	return h
}

// Add counts the finite numbers of block in; none is outside of the ranges. It guesses the range by
// a multiplication and then compares with the edges, so that a number is in the range that names
// it.
func (h *FloatBins) Add(block []float64) {
	last := len(h.Counts) - 1
	for _, x := range block {
		if x-x != 0 { // infinite, or not a number
			continue
		}
		at := 0
		if last > 0 {
			at = min(max(int((x*h.shrink-h.Edges[0]*h.shrink)*h.scale), 0), last)
			for at > 0 && x < h.Edges[at] {
				at--
			}
			for at < last && x >= h.Edges[at+1] {
				at++
			}
		}
		h.Counts[at]++
	}
}
