package exchange_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
)

// parsedAlike imports each text alone, and compares it with what the standard library makes of it.
func parsedAlike[T any](
	t *testing.T, codec column.Codec[T], parse func(string) (T, error), texts ...string,
) {
	t.Helper()
	for _, text := range texts {
		v := inMemory(t)
		_, err := exchange.Import(t.Context(), v, strings.NewReader("x\n"+text+"\n"), exchange.CSV,
			&exchange.ImportOptions{Types: map[string]string{"x": codec.Type()}})
		want, wrong := parse(text)
		if wrong != nil {
			if !errors.Is(err, kvault.ErrInvalid) {
				t.Errorf("%s %q: %v, want ErrInvalid for %v", codec.Type(), text, err, wrong)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %q: %v", codec.Type(), text, err)
		} else if diff := cmp.Diff([]T{want}, content(t, v, "x", codec)); diff != "" {
			t.Errorf("%s %q:\n%s", codec.Type(), text, diff)
		}
	}
}

func TestIntegersAreParsedAsByStrconv(t *testing.T) {
	parse := func(text string) (int64, error) { return strconv.ParseInt(text, 10, 64) }
	parsedAlike(t, column.Int64, parse,
		"0", "-0", "+7", "-", "+", "--1", "007", "-12", "1_000", "1.0", "1e3", "0x10", "٣", "9/", "9:",
		"999999999999999999", "-999999999999999999", "1000000000000000000", "000000000000000000000000001",
		"9223372036854775807", "-9223372036854775808", "9223372036854775808", "99999999999999999999")
}

func TestTimesAreParsedAsByTime(t *testing.T) {
	clocks := []string{"00:00:00", "23:59:59", "24:00:00", "23:60:00", "23:59:60", "1:02:03", "01:02",
		"01-02-03", "0a:00:00"}
	var days, naive, instants []string
	of := []string{"00-01", "01-00", "01-31", "02-28", "02-29", "02-30", "04-31", "12-31", "13-01", "1-1",
		"12/31"}
	for _, year := range []string{"0000", "1900", "2000", "2023", "9999"} {
		for _, day := range of {
			days = append(days, year+"-"+day)
		}
	}
	for _, clock := range clocks {
		naive, instants = append(naive, "2000-02-29T"+clock), append(instants, "2000-02-29T"+clock+"Z")
	}
	instants = append(instants, "2000-02-29T00:00:00z", "2000-02-29T00:00:00", "2000-02-29t00:00:00Z",
		"2000-02-30T00:00:00Z")
	by := func(layout string) func(string) (time.Time, error) {
		return func(text string) (time.Time, error) {
			hour := strings.Contains(text, "T0") || strings.Contains(text, "T2")
			if len(layout) > len(time.DateOnly) && !hour {
				return time.Time{}, fmt.Errorf("an hour of one digit, which time.Parse takes")
			}
			return time.Parse(layout, text)
		}
	}
	parsedAlike(t, column.Date, by(time.DateOnly), days...)
	parsedAlike(t, column.Timestamp(time.Second), by("2006-01-02T15:04:05"), naive...)
	parsedAlike(t, column.TimestampUTC(time.Second), by(time.RFC3339), instants...)
}
