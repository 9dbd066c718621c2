package stats

import (
	"math"
	"math/big"
	"math/bits"
)

// Floats summarizes the finite ones of floating-point numbers, and counts the others. The zero
// value has seen none.
type Floats struct {
	// N counts the finite ones.
	N             int64
	NaN, Infinite int64
	// low and high are the ordered forms of the extremes.
	low, high int64
	sum       exact
}

const (
	mantissaBits = 52
	mantissaMask = 1<<mantissaBits - 1
	exponentMask = 1<<11 - 1
	limbBits     = 32
)

// exact is a sum of floating-point numbers in fixed point: limb i counts units of 2^(32i-1075). A
// number is added to two limbs, so limbs grow beyond 32 bits and are carried before they can
// overflow. This is the small superaccumulator of R. M. Neal, "Fast exact summation using small and
// large superaccumulators" (2015).
type exact [exponentMask>>5 + 3]int64

// addsBeforeCarry is how many additions of less than 2^52 fit on top of a limb of 32 bits.
const addsBeforeCarry = 1 << 10

func (e *exact) carry() {
	for i := range len(e) - 1 {
		e[i+1] += e[i] >> limbBits
		e[i] &= math.MaxUint32
	}
}

func (e *exact) rat() *big.Rat { return ratOf(e[:], 1075) }

// ratOf returns the value of limbs of 32 bits, the lowest in units of 2^-scale.
func ratOf(limbs []int64, scale uint) *big.Rat {
	x := new(big.Int)
	for i := len(limbs) - 1; i >= 0; i-- {
		x.Lsh(x, limbBits).Add(x, big.NewInt(limbs[i]))
	}
	return new(big.Rat).SetFrac(x, new(big.Int).Lsh(big.NewInt(1), scale))
}

// Ordered returns an integer that is larger for a larger number, and lower for -0 than for 0.
func Ordered(x float64) int64 {
	b := int64(math.Float64bits(x))
	return b ^ int64(uint64(b>>63)>>1)
}

// Unordered returns the number that Ordered has made key of.
func Unordered(key int64) float64 {
	return math.Float64frombits(uint64(key ^ int64(uint64(key>>63)>>1)))
}

// Add counts the numbers of block in.
func (s *Floats) Add(block []float64) {
	if s.N == 0 {
		s.low, s.high = math.MaxInt64, math.MinInt64
	}
	for len(block) > 0 {
		n := min(len(block), addsBeforeCarry)
		s.addSome(block[:n])
		s.sum.carry()
		block = block[n:]
	}
}

func (s *Floats) addSome(block []float64) {
	low, high, others := s.low, s.high, int64(0)
	for _, x := range block {
		b := math.Float64bits(x)
		exponent := b >> mantissaBits & exponentMask
		if exponent == exponentMask {
			others++
			if b&mantissaMask != 0 {
				s.NaN++
			} else {
				s.Infinite++
			}
			continue
		}
		mantissa := b&mantissaMask | 1<<mantissaBits
		if exponent == 0 { // subnormal: no leading bit, and the exponent of the smallest normal ones
			mantissa, exponent = b&mantissaMask, 1
		}
		sign := int64(b) >> 63
		i, shift := exponent>>5, exponent&31
		s.sum[i] += (int64(mantissa<<shift&math.MaxUint32) ^ sign) - sign
		s.sum[i+1] += (int64(mantissa>>(limbBits-shift)) ^ sign) - sign
		key := Ordered(x)
		low, high = min(low, key), max(high, key)
	}
	s.low, s.high = low, high
	s.N += int64(len(block)) - others
}

// Min and Max are the extremes of the finite numbers, or 0 if there are none.
func (s *Floats) Min() float64 { return s.extreme(s.low) }

// Max is the largest.
func (s *Floats) Max() float64 { return s.extreme(s.high) }

func (s *Floats) extreme(key int64) float64 {
	if s.N == 0 {
		return 0
	}
	return Unordered(key)
}

// Rat returns the exact sum of the finite numbers.
func (s *Floats) Rat() *big.Rat { return s.sum.rat() }

// Sum returns that sum, rounded once; an infinity if it is beyond the largest floating-point
// number.
func (s *Floats) Sum() float64 {
	sum, _ := s.Rat().Float64()
	return sum
}

// Mean returns the exact sum over the count of the finite numbers, rounded once; it is not a number
// if there are none.
func (s *Floats) Mean() float64 {
	if s.N == 0 {
		return math.NaN()
	}
	mean, _ := new(big.Rat).Quo(s.Rat(), new(big.Rat).SetInt64(s.N)).Float64()
	return mean
}

// FloatSquares sums the squares of the finite ones of floating-point numbers, without rounding:
// limb i counts units of 2^(32i-2150).
type FloatSquares struct {
	limbs [2*exponentMask>>5 + 6]int64
	added int
}

// Add adds the squares of the numbers of block.
func (s *FloatSquares) Add(block []float64) {
	for _, x := range block {
		b := math.Float64bits(x)
		exponent := b >> mantissaBits & exponentMask
		if exponent == exponentMask {
			continue
		}
		mantissa := b&mantissaMask | 1<<mantissaBits
		if exponent == 0 {
			mantissa, exponent = b&mantissaMask, 1
		}
		i, shift := 2*exponent>>5, 2*exponent&31
		high, low := bits.Mul64(mantissa, mantissa)
		limbs := s.limbs[i : i+5 : i+5]
		limbs[0] += int64(low << shift & math.MaxUint32)
		limbs[1] += int64(low >> (32 - shift) & math.MaxUint32)
		limbs[2] += int64((low>>(64-shift) | high<<shift) & math.MaxUint32)
		limbs[3] += int64(high >> (32 - shift) & math.MaxUint32)
		limbs[4] += int64(high >> (64 - shift))
		if s.added++; s.added == 1<<30 { // each limb has grown by less than 2^62
			s.carry()
		}
	}
}

func (s *FloatSquares) carry() {
	for i := range len(s.limbs) - 1 {
		s.limbs[i+1] += s.limbs[i] >> limbBits
		s.limbs[i] &= math.MaxUint32
	}
	s.added = 0
}

// Rat returns the sum.
func (s *FloatSquares) Rat() *big.Rat { return ratOf(s.limbs[:], 2150) }
