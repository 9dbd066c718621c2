package exchange

import (
	"strconv"
	"strings"
	"time"

	"github.com/kohakuvault/kvault/column"
)

// textGuess is what all the texts of a column can be so far. Each text takes away what it is not.
type textGuess struct {
	some                        bool
	notBool, notInt, notFloat   bool
	notDate, notNaive, notUTC   bool
	numeral, nanoseconds, early bool
}

func (g *textGuess) see(text string) {
	g.some = true
	if !g.notBool {
		_, err := parseBool(text)
		g.notBool = err != nil
	}
	if !g.notInt || !g.notFloat {
		g.seeNumber(text)
	}
	if !g.notDate || !g.notNaive || !g.notUTC {
		g.seeTime(text)
	}
}

// seeNumber looks at text without the spaces around it, as Import does. Text that begins with
// zeros, an integer with a plus, as a telephone number has one, and an integer that is too large
// are no numbers: they would not come back.
func (g *textGuess) seeNumber(text string) {
	text = unpadded(text)
	digits := strings.TrimLeft(text, "+-")
	switch {
	case text != "" && text[0] == '+' && strings.Trim(digits, "0123456789") == "", len(digits) < len(text)-1, len(digits) > 1 && digits[0] == '0' && isDigit(digits[1]):
		g.notInt, g.notFloat = true, true
	case digits != "" && strings.Trim(digits, "0123456789") == "":
		_, err := strconv.ParseInt(text, 10, 64)
		g.numeral = true
		g.notInt = g.notInt || err != nil || text == "-0"
		g.notFloat = g.notFloat || err != nil
	case isWordOfFloat(digits):
		g.notInt = true
	default:
		_, err := strconv.ParseFloat(text, 64)
		g.notInt, g.numeral = true, true
		g.notFloat = g.notFloat || err != nil || strings.ContainsAny(text, "xXpP_")
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isWordOfFloat says whether a float may be written so. Such words alone make no column of floats.
func isWordOfFloat(text string) bool {
	switch strings.ToLower(text) {
	case "nan", "inf", "infinity":
		return true
	}
	return false
}

var (
	aDate    = timeKindOf(column.Date.Type())
	aClock   = timeKindOf(column.Timestamp(time.Nanosecond).Type())
	aInstant = timeKindOf(column.TimestampUTC(time.Nanosecond).Type())
)

// seeTime takes a date for a time of day as well, midnight, as Import does.
func (g *textGuess) seeTime(text string) {
	if len(text) < len(time.DateOnly) || text[4] != '-' {
		g.notDate, g.notNaive, g.notUTC = true, true, true
		return
	}
	see := func(not *bool, k timeKind) (x time.Time) {
		if !*not {
			var err error
			x, err = k.parse(text)
			*not = err != nil
		}
		return x
	}
	see(&g.notDate, aDate)
	clock, instant := see(&g.notNaive, aClock), see(&g.notUTC, aInstant)
	for _, x := range []time.Time{clock, instant} {
		g.nanoseconds = g.nanoseconds || x.Nanosecond()%1000 != 0
		_, err := column.Timestamp(time.Nanosecond).Append(nil, x)
		g.early = g.early || err != nil && !x.IsZero()
	}
}

// typ is the type that takes all texts, or empty if there was none.
func (g *textGuess) typ() string {
	unit, fits := "us", !g.nanoseconds || !g.early // in the years that nanoseconds reach
	if g.nanoseconds {
		unit = "ns"
	}
	switch {
	case !g.some:
		return ""
	case !g.notBool:
		return "bool"
	case !g.notInt:
		return "i64"
	case !g.notFloat && g.numeral:
		return "f64"
	case !g.notDate:
		return "date"
	case !g.notNaive && fits:
		return "timestamp:" + unit
	case !g.notUTC && fits:
		return "timestamp:" + unit + ":utc"
	}
	return "str"
}
