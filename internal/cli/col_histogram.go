package cli

import (
	"fmt"
	"math"
	"strings"

	"github.com/kohakuvault/kvault/internal/describe"
)

// drawBins draws a line for each range, of as many characters as there are columns if its bar can
// be so short.
func drawBins(list []describe.Bin, columns int) string {
	const shortest, longest = 8, 40
	largest, from, to, counts := int64(1), 0, 0, 0
	rows := make([][3]string, len(list))
	for i, b := range list {
		rows[i] = [3]string{numberInWords(b.From), numberInWords(b.To), numberInWords(b.Count)}
		largest = max(largest, b.Count)
		from, to, counts = max(from, len(rows[i][0])), max(to, len(rows[i][1])), max(counts, len(rows[i][2]))
	}
	width := float64(min(max(columns-from-to-counts-len(" to ")-2*len("  "), shortest), longest))
	var text strings.Builder
	for i, b := range list {
		eighths := int(math.Ceil(float64(b.Count) / float64(largest) * width * 8))
		bar := strings.Repeat("\u2588", eighths/8)
		if rest := eighths % 8; rest > 0 {
			bar += string(rune(0x2590 - rest)) // left block of rest eighths
		}
		line := fmt.Sprintf("%*s to %*s  %*s  %s", from, rows[i][0], to, rows[i][1], counts, rows[i][2], bar)
		text.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return text.String()
}
