package jsonform

import (
	"bytes"
	"math"
	"strconv"
)

// AppendFloat appends a number of 32 or 64 bits that is finite. It is as short as it can be to come
// back bit for bit, and has a point or an exponent always, by which readers know that it is no
// integer: 1.0, -0.0, 1e+21.
func AppendFloat(dst []byte, x float64, bits int) []byte {
	before := len(dst)
	if abs := math.Abs(x); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(dst, x, 'e', -1, bits)
	}
	dst = strconv.AppendFloat(dst, x, 'f', -1, bits)
	if bytes.IndexByte(dst[before:], '.') < 0 {
		dst = append(dst, ".0"...)
	}
	return dst
}
