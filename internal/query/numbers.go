package query

import (
	"cmp"
	"math/big"
	"strconv"
	"strings"
)

// intOrder compares integers with a number of a condition, without rounding either.
func intOrder(text string) func(int64) order {
	whole, fits, beyond := truncated(text)
	return func(e int64) order {
		if !fits {
			return -beyond
		}
		if o := orderOf(e, whole); o != 0 {
			return o
		}
		return -beyond
	}
}

// truncated is a number without its fraction, if that fits. The number lies beyond it, on the side
// of the order beyond, unless that is 0.
func truncated(text string) (whole int64, fits bool, beyond order) {
	text, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	before, after, _ := strings.Cut(strings.TrimLeft(text, "+-"), ".")
	digits := strings.TrimRight(before+after, "0")
	point := shifted(len(before), exponent)
	for strings.HasPrefix(digits, "0") {
		digits, point = digits[1:], point-1
	}
	if digits == "" {
		return 0, true, 0
	}
	sign := ""
	if beyond = 1; strings.HasPrefix(text, "-") {
		sign, beyond = "-", -1
	}
	const longest = 19 // digits that 64 bits may have room for
	switch {
	case point <= 0:
		return 0, true, beyond
	case point > longest:
		return 0, false, beyond
	case len(digits) <= point:
		digits += strings.Repeat("0", point-len(digits))
	}
	whole, err := strconv.ParseInt(sign+digits[:point], 10, 64)
	if len(digits) == point && err == nil {
		beyond = 0
	}
	return whole, err == nil, beyond
}

// shifted is where the decimal point is once the exponent has moved it, or a place far off.
func shifted(point int, exponent string) int {
	const far = 1 << 30
	n, _ := strconv.Atoi(cmp.Or(exponent, "0")) // the nearest int if it is beyond all
	return point + min(max(n, -far), far)
}

// floatOrder compares floating-point numbers with one of a condition. Digits alone are exactly that
// integer, which the nearest floating-point number may not be. With a point or an exponent they are
// that nearest one, so that 0.1 finds what 0.1 was stored as.
func floatOrder(text string) func(float64) order {
	x, _ := strconv.ParseFloat(text, 64) // an infinity if it is beyond all numbers
	atX := order(0)
	if exact, integer := new(big.Int).SetString(text, 10); integer {
		atX = order(big.NewFloat(x).Cmp(new(big.Float).SetInt(exact)))
	}
	return func(e float64) order {
		if o := orderOf(e, x); o != 0 {
			return o
		}
		return atX
	}
}
