package stats

import (
	"math"
	"math/bits"
)

// Distinct estimates how many different values there are: HyperLogLog with 2^14 registers, a
// standard error of 0.8 %, by O. Ertl's estimator, "New cardinality estimation algorithms for
// HyperLogLog sketches" (2017), which needs no tables. Up to fewValues it is exact, but for two
// values of one hash of 64 bits. The zero value has seen none.
type Distinct struct {
	few       map[uint64]struct{}
	registers []uint8
	last      uint64
}

const (
	indexBits = 14
	restBits  = 64 - indexBits
	fewValues = 4096
)

// AddInts counts the numbers of block in.
func (d *Distinct) AddInts(block []int64) {
	for _, x := range block {
		d.addHash(mix(uint64(x)))
	}
}

// AddFloats counts the numbers of block in; 0 and -0 are one, and so are all that are not numbers.
func (d *Distinct) AddFloats(block []float64) {
	for _, x := range block {
		switch {
		case x == 0:
			x = 0
		case x != x:
			x = math.NaN()
		}
		d.addHash(mix(math.Float64bits(x)))
	}
}

// AddBytes counts one value in, by its encoding.
func (d *Distinct) AddBytes(b []byte) {
	const offset, prime = 14695981039346656037, 1099511628211 // FNV-1a, whose weak high bits mix mends
	h := uint64(offset)
	for _, c := range b {
		h = (h ^ uint64(c)) * prime
	}
	d.addHash(mix(h))
}

// mix is the finalizer of SplitMix64: a permutation of the integers that spreads every bit.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (d *Distinct) addHash(h uint64) {
	if d.registers != nil {
		d.register(h)
		return
	}
	if d.few == nil {
		d.few = map[uint64]struct{}{}
	} else if h == d.last { // runs of one value are common
		return
	}
	d.last = h
	if d.few[h] = struct{}{}; len(d.few) > fewValues {
		d.estimate()
	}
}

// estimate goes over from what is exact.
func (d *Distinct) estimate() {
	d.registers = make([]uint8, 1<<indexBits)
	for h := range d.few {
		d.register(h)
	}
	d.few = nil
}

func (d *Distinct) register(h uint64) {
	zeros := bits.LeadingZeros64(h<<indexBits | 1<<(indexBits-1))
	r := &d.registers[h>>restBits]
	*r = max(*r, uint8(zeros+1))
}

// Exact says that Count is no estimate.
func (d *Distinct) Exact() bool { return d.registers == nil }

// Count returns how many different values there are.
func (d *Distinct) Count() int64 {
	if d.Exact() {
		return int64(len(d.few))
	}
	const m = 1 << indexBits
	var with [restBits + 2]float64 // how many registers have each value
	for _, r := range d.registers {
		with[r]++
	}
	z := m * tau(1-with[restBits+1]/m)
	for k := restBits; k >= 1; k-- {
		z = (z + with[k]) / 2
	}
	z += m * sigma(with[0]/m)
	return int64(math.Round(m * m / (2 * math.Ln2 * z)))
}

// sigma is x + the sum of x^(2^k) * 2^(k-1) for k from 1.
func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	z, y := x, 1.0
	for before := -1.0; z != before; y *= 2 {
		x *= x
		before, z = z, z+x*y
	}
	return z
}

// tau is a third of 1 - x - the sum of (1-x^(2^-k))^2 * 2^-k for k from 1.
func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	z, y := 1-x, 1.0
	for before := -1.0; z != before; {
		x = math.Sqrt(x)
		y /= 2
		before, z = z, z-(1-x)*(1-x)*y
	}
	return z / 3
}
