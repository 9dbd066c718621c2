package typed

import (
	"encoding/binary"
	"math"
)

const numberSize = 8

func numberBytes(bits uint64) []byte { return binary.LittleEndian.AppendUint64(nil, bits) }

// pythonReadsInt says whether the Python package takes the eight bytes of a number for an integer.
func pythonReadsInt(bits uint64) bool {
	f := math.Float64frombits(bits)
	_, fraction := math.Modf(f)
	if !math.IsNaN(f) && !math.IsInf(f, 0) && math.Abs(fraction) > 1e-9 {
		return false
	}
	n := int64(bits)
	if n < 0 {
		n = -n // the smallest integer stays negative there too
	}
	return n < 1e12
}

// tiny is a size of floats below which the bytes are more likely to be an integer, such as a time
// in nanoseconds.
const tiny = 1e-60

// guessNumber returns an int64 or a float64. It differs from the Python package's guess where that
// is most likely wrong.
func guessNumber(bits uint64) any {
	n, f := int64(bits), math.Float64frombits(bits)
	switch {
	case f == 0 && n != 0: // -0.0
		return f
	case pythonReadsInt(bits):
		return n
	case n > 0 && f < tiny, math.IsNaN(f) && !plainNaN(bits):
		return n
	}
	return f
}

// plainNaN says that a NaN carries nothing, as those that computations make.
func plainNaN(bits uint64) bool { return bits<<13 == 0 }

// encodeInt returns the bytes of an integer. It reports false if here or in Python they would be
// taken for something else.
func encodeInt(n int64) (b []byte, exact bool) {
	b = numberBytes(uint64(n))
	return b, readBackAs[int64](b) && pythonReadsInt(uint64(n))
}

// encodeFloat returns the bytes of a float. It reports false if here or in Python they would be
// taken for something else: 0.0 is taken for the integer 0, and a few for arrays of one or two
// numbers.
func encodeFloat(f float64) (b []byte, exact bool) {
	bits := math.Float64bits(f)
	if math.IsNaN(f) {
		bits = 0x7FF8 << 48 // Go's own NaN is not plain
	}
	b = numberBytes(bits)
	return b, readBackAs[float64](b) && !pythonReadsInt(bits)
}

func readBackAs[T any](b []byte) bool {
	v, err := decodePacked(b)
	_, same := v.(T)
	return err == nil && same
}

// Int64 returns the number of a DataPacker value whose writer is known to have stored an integer,
// and false for every other value.
func (v Value) Int64() (int64, bool) {
	bits, ok := v.number()
	return int64(bits), ok
}

// Float64 returns the number of a DataPacker value whose writer is known to have stored a float,
// and false for every other value.
func (v Value) Float64() (float64, bool) {
	bits, ok := v.number()
	return math.Float64frombits(bits), ok
}

func (v Value) number() (uint64, bool) {
	if v.Encoding != DataPacker || len(v.Payload) != numberSize {
		return 0, false
	}
	return binary.LittleEndian.Uint64(v.Payload), true
}
