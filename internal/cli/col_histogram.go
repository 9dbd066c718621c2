package cli

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"strings"

	"github.com/kohakuvault/kvault/column"
)

// bins is how many ranges a histogram has, unless there are fewer integers to tell apart.
const bins = 10

// bin is a range of a histogram, both ends included for integers; of floating-point numbers only the last range includes its end.
type bin struct {
	From  any   `json:"from"`
	To    any   `json:"to"`
	Count int64 `json:"count"`
}

type number interface{ int64 | float64 }

// histogramOf counts the numbers that of finds in the elements of a column, between their extremes, and those that are not finite.
func histogramOf[T any, N number](ctx context.Context, c *column.Column[T], of func(x T, count func(N))) (list []bin, outside int64, err error) {
	var low, high N
	some := false
	extremes := func(n N) {
		switch {
		case finite(n) == nil:
			outside++
		case !some:
			low, high, some = n, n, true
		default:
			low, high = min(low, n), max(high, n)
		}
	}
	if err := each(ctx, c, func(x T) { of(x, extremes) }); err != nil || !some {
		return nil, outside, err
	}
	list, which := ranges(low, high)
	count := func(n N) {
		if finite(n) != nil {
			list[which(n)].Count++
		}
	}
	return list, outside, each(ctx, c, func(x T) { of(x, count) })
}

// ranges divides what lies from low to high, and tells which range a number is in.
func ranges[N number](low, high N) (list []bin, which func(N) int) {
	if low, ints := any(low).(int64); ints {
		list, index := intRanges(low, any(high).(int64))
		return list, func(n N) int { return index(int64(n)) }
	}
	list, index := floatRanges(float64(low), float64(high))
	return list, func(n N) int { return index(float64(n)) }
}

func intRanges(low, high int64) ([]bin, func(int64) int) {
	width := uint64(high) - uint64(low) // one less than there are numbers, which might be 2^64
	n := uint64(bins)
	if width < bins {
		n = width + 1
	}
	index := func(x int64) int {
		over, under := bits.Mul64(uint64(x)-uint64(low), n)
		if width == math.MaxUint64 {
			return int(over)
		}
		q, _ := bits.Div64(over, under, width+1)
		return int(q)
	}
	// Range i begins with the first number whose index is i.
	start := func(i uint64) int64 {
		over, under := bits.Mul64(i, width)
		under, carry := bits.Add64(under, i+n-1, 0) // i * (width+1), to be rounded up
		q, _ := bits.Div64(over+carry, under, n)
		return low + int64(q)
	}
	list := make([]bin, n)
	for i := range list {
		end := high
		if i < len(list)-1 {
			end = start(uint64(i)+1) - 1
		}
		list[i] = bin{From: start(uint64(i)), To: end}
	}
	return list, index
}

func floatRanges(low, high float64) ([]bin, func(float64) int) {
	if low == high {
		return []bin{{From: low, To: high}}, func(float64) int { return 0 }
	}
	list := make([]bin, bins)
	edge := func(i int) float64 {
		part := float64(i) / bins
		return low*(1-part) + high*part
	}
	for i := range list {
		list[i] = bin{From: edge(i), To: edge(i + 1)}
	}
	list[bins-1].To = high
	return list, func(x float64) int {
		part := (x - low) / (high - low)
		if math.IsInf(high-low, 0) {
			part = (x/2 - low/2) / (high/2 - low/2)
		}
		return min(int(part*bins), bins-1)
	}
}

// drawBins draws a line for each range.
func drawBins(list []bin) string {
	const width = 40
	largest, from, to, counts := int64(1), 0, 0, 0
	rows := make([][3]string, len(list))
	for i, b := range list {
		rows[i] = [3]string{numberInWords(b.From), numberInWords(b.To), numberInWords(b.Count)}
		largest = max(largest, b.Count)
		from, to, counts = max(from, len(rows[i][0])), max(to, len(rows[i][1])), max(counts, len(rows[i][2]))
	}
	var text strings.Builder
	for i, b := range list {
		eighths := int(math.Ceil(float64(b.Count) / float64(largest) * width * 8))
		bar := strings.Repeat("\u2588", eighths/8)
		if rest := eighths % 8; rest > 0 {
			bar += string(rune(0x2590 - rest)) // left block of so many eighths
		}
		line := fmt.Sprintf("%*s to %*s  %*s  %s", from, rows[i][0], to, rows[i][1], counts, rows[i][2], bar)
		text.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return text.String()
}
