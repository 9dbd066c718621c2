package stats

import "math/bits"

// Merge counts in what o has seen.
func (s *Ints) Merge(o *Ints) {
	switch {
	case o.N == 0:
		return
	case s.N == 0:
		*s = *o
		return
	}
	s.N, s.Min, s.Max = s.N+o.N, min(s.Min, o.Min), max(s.Max, o.Max)
	var carry uint64
	s.sum.low, carry = bits.Add64(s.sum.low, o.sum.low, 0)
	s.sum.high += o.sum.high + int64(carry)
}

// Merge adds what o has added.
func (s *IntSquares) Merge(o *IntSquares) {
	carry := uint64(0)
	for i := range s.limbs {
		s.limbs[i], carry = bits.Add64(s.limbs[i], o.limbs[i], carry)
	}
}

// Merge counts in what o has seen.
func (s *Floats) Merge(o *Floats) {
	switch {
	case s.N == 0:
		s.low, s.high = o.low, o.high
	case o.N > 0:
		s.low, s.high = min(s.low, o.low), max(s.high, o.high)
	}
	s.N, s.NaN, s.Infinite = s.N+o.N, s.NaN+o.NaN, s.Infinite+o.Infinite
	for i := range s.sum {
		s.sum[i] += o.sum[i]
	}
	s.sum.carry()
}

// Merge adds what o has added.
func (s *FloatSquares) Merge(o *FloatSquares) {
	o.carry()
	s.carry()
	for i := range s.limbs {
		s.limbs[i] += o.limbs[i]
	}
}

// Merge counts in what o, of the same ranges, has counted.
func (h *IntBins) Merge(o *IntBins) { mergeCounts(h.Counts, o.Counts) }

// Merge counts in what o, of the same ranges, has counted.
func (h *FloatBins) Merge(o *FloatBins) { mergeCounts(h.Counts, o.Counts) }

func mergeCounts(to, from []int64) {
	for i := range to {
		to[i] += from[i]
	}
}

// Merge counts in what o has seen.
func (d *Distinct) Merge(o *Distinct) {
	for h := range o.few {
		d.addHash(h)
	}
	if o.registers == nil {
		return
	}
	if d.registers == nil {
		d.estimate()
	}
	for i, r := range o.registers {
		d.registers[i] = max(d.registers[i], r)
	}
}
