package exchange

import (
	"strconv"
	"strings"
	"time"
)

// textGuess is what all the texts of a column can be so far. Each text takes away what it is not.
type textGuess struct {
	some                       bool
	notBool, notInt, notFloat  bool
	notDate, notNaive, notUTC  bool
	numeral, nanoseconds, long bool
}

func (g *textGuess) see(text string) {
	g.some = true
	if !g.notBool {
		g.notBool = text != "true" && text != "false"
	}
	if !g.notInt || !g.notFloat {
		g.seeNumber(text)
	}
	if !g.notDate {
		_, err := time.Parse(time.DateOnly, text)
		g.notDate = err != nil
	}
	if !g.notNaive || !g.notUTC {
		g.seeTimestamp(text)
	}
}

// seeNumber takes text that has leading zeros, or an integer that is too large, for no number: it would not come back.
func (g *textGuess) seeNumber(text string) {
	digits := strings.TrimLeft(text, "+-")
	switch {
	case len(digits) < len(text)-1, len(digits) > 1 && digits[0] == '0' && isDigit(digits[1]):
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

func (g *textGuess) seeTimestamp(text string) {
	_, naive := parseNaive(text)
	_, utc := parseZoned(text)
	g.notNaive, g.notUTC = g.notNaive || !naive, g.notUTC || !utc
	if naive || utc {
		_, fraction, _ := strings.Cut(text, ".")
		n := len(fraction) - len(strings.TrimLeft(fraction, "0123456789"))
		g.nanoseconds, g.long = g.nanoseconds || n > 6, g.long || n > 9
	}
}

// parseNaive reads the time of a clock on a wall, and parseZoned an instant.
func parseNaive(text string) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

func parseZoned(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// typ is the type that takes all texts, or empty if there was none.
func (g *textGuess) typ() string {
	unit := "us"
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
	case !g.notNaive && !g.long:
		return "timestamp:" + unit
	case !g.notUTC && !g.long:
		return "timestamp:" + unit + ":utc"
	}
	return "str"
}
