// Package stats computes with the numbers of a column as they stream by: exact sums, deviations,
// ranges of a histogram, quantiles and distinct values. It knows no columns and no vaults, and
// holds a bounded amount of memory.
package stats

import (
	"math"
	"math/big"
	"math/bits"
)

// Ints summarizes integers. The zero value has seen none.
type Ints struct {
	N        int64
	Min, Max int64
	sum      wide
}

// wide is a signed integer of 128 bits, which the sum of 2^63 integers of 64 bits cannot exceed.
type wide struct {
	high int64
	low  uint64
}

func (w *wide) big() *big.Int {
	x := new(big.Int).Lsh(big.NewInt(w.high), 64)
	return x.Add(x, new(big.Int).SetUint64(w.low))
}

// Add counts the numbers of block in.
func (s *Ints) Add(block []int64) {
	if len(block) == 0 {
		return
	}
	if s.N == 0 {
		s.Min, s.Max = block[0], block[0]
	}
	s.N += int64(len(block))
	low, high, sum := s.Min, s.Max, s.sum
	for _, x := range block {
		var carry uint64
		sum.low, carry = bits.Add64(sum.low, uint64(x), 0)
		sum.high += x>>63 + int64(carry)
		low, high = min(low, x), max(high, x)
	}
	s.Min, s.Max, s.sum = low, high, sum
}

// Sum returns the exact sum.
func (s *Ints) Sum() *big.Int { return s.sum.big() }

// Int64 returns the sum, and false if it needs more than 64 bits.
func (s *Ints) Int64() (int64, bool) {
	return int64(s.sum.low), s.sum.high == int64(s.sum.low)>>63
}

// Mean returns the exact sum over the count, rounded once; it is not a number if there are none.
func (s *Ints) Mean() float64 { return MeanOf(s.Sum(), s.N) }

// MeanOf returns sum over n, rounded once; it is not a number if n is 0.
func MeanOf(sum *big.Int, n int64) float64 {
	if n == 0 {
		return math.NaN()
	}
	mean, _ := new(big.Rat).SetFrac(sum, big.NewInt(n)).Float64()
	return mean
}

// IntSquares sums the squares of integers, without rounding.
type IntSquares struct{ limbs [3]uint64 }

// Add adds the squares of the numbers of block.
func (s *IntSquares) Add(block []int64) {
	a, b, c := s.limbs[0], s.limbs[1], s.limbs[2]
	for _, x := range block {
		size := uint64(x)
		if x < 0 {
			size = -size
		}
		high, low := bits.Mul64(size, size)
		var carry uint64
		a, carry = bits.Add64(a, low, 0)
		b, carry = bits.Add64(b, high, carry)
		c += carry
	}
	s.limbs = [3]uint64{a, b, c}
}

// Rat returns the sum.
func (s *IntSquares) Rat() *big.Rat {
	x := new(big.Int)
	for i := len(s.limbs) - 1; i >= 0; i-- {
		x.Lsh(x, 64).Add(x, new(big.Int).SetUint64(s.limbs[i]))
	}
	return new(big.Rat).SetInt(x)
}

// Deviation returns the standard deviation of a sample of n numbers with that sum and sum of
// squares: the root of the sum of squared distances from the mean over n-1. It is not a number for
// less than two.
func Deviation(n int64, sum, squares *big.Rat) float64 {
	if n < 2 {
		return math.NaN()
	}
	count := new(big.Rat).SetInt64(n)
	v := new(big.Rat).Mul(count, squares)
	v.Sub(v, new(big.Rat).Mul(sum, sum))
	v.Quo(v, count.Mul(count, new(big.Rat).SetInt64(n-1)))
	const precision = 160 // well over twice that of a float64, so that the root is as good as rounded once
	root := new(big.Float).SetPrec(precision).SetRat(v)
	f, _ := root.Sqrt(root).Float64()
	return f
}
