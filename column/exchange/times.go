package exchange

import (
	"fmt"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kohakuvault/kvault"
)

var boolForm = &form[bool]{
	text:  appendBool,
	json:  appendBool,
	arrow: arrow.FixedWidthTypes.Boolean,
	build: func(b array.Builder, xs []bool) { b.(*array.BooleanBuilder).AppendValues(xs, nil) },
	parse: parseBool,
	fromJSON: func(v any) (bool, error) {
		switch v := v.(type) {
		case bool:
			return v, nil
		case string:
			return parseBool(v)
		}
		return false, wrongType(v, "true or false")
	},
	fromArrow: func(a arrow.Array, i int) (bool, error) {
		if a, ok := a.(*array.Boolean); ok {
			return a.Value(i), nil
		}
		return false, wrongArrow(a, "bool")
	},
	size: func(bool) int { return 1 },
}

func appendBool(dst []byte, x bool) []byte { return fmt.Appendf(dst, "%t", x) }

// parseBool takes True and TRUE too: that is how Python and spreadsheets write them.
func parseBool(text string) (bool, error) {
	switch {
	case strings.EqualFold(text, "true"):
		return true, nil
	case strings.EqualFold(text, "false"):
		return false, nil
	}
	return false, malformed(text, "true or false")
}

// timeForm is the form of dates and timestamps.
func timeForm(typ string) *form[time.Time] {
	k := timeKindOf(typ)
	f := &form[time.Time]{
		text:      k.append,
		picky:     true,
		arrow:     arrow.FixedWidthTypes.Date32,
		build:     buildDates,
		parse:     k.parse,
		fromArrow: k.fromArrow,
		size:      func(time.Time) int { return 24 },
	}
	f.json = func(dst []byte, x time.Time) []byte { return append(k.append(append(dst, '"'), x), '"') }
	f.fromJSON = func(v any) (time.Time, error) {
		if s, ok := v.(string); ok {
			return k.parse(s)
		}
		return time.Time{}, wrongType(v, k.want+" in a string")
	}
	if k.unit != "" {
		t := &arrow.TimestampType{Unit: arrowUnits[k.unit]}
		if k.utc {
			t.TimeZone = "UTC"
		}
		f.arrow = t
		f.build = func(b array.Builder, xs []time.Time) { buildTimestamps(b, xs, t.Unit.Multiplier()) }
	}
	return f
}

// timeKind is a type of dates or of timestamps.
type timeKind struct {
	typ, unit string // the unit is empty for dates
	utc       bool
	want      string
}

var arrowUnits = map[string]arrow.TimeUnit{"s": arrow.Second, "ms": arrow.Millisecond, "us": arrow.Microsecond, "ns": arrow.Nanosecond}

const (
	clockLayout = "T15:04:05.999999999"
	clockBytes  = len("T15:04:05")
)

func timeKindOf(typ string) timeKind {
	parts := strings.Split(typ, ":") // i64:date, i64:timestamp:us or i64:timestamp:us:utc
	k := timeKind{typ: typ, want: "a date such as 2006-01-02"}
	if len(parts) < 3 {
		return k
	}
	k.unit = parts[2]
	k.want = "a date and time without a time zone, such as 2006-01-02T15:04:05"
	if k.utc = len(parts) > 3; k.utc {
		k.want = "a date and time with its time zone, such as 2006-01-02T15:04:05Z"
	}
	return k
}

// append appends the text of a time in UTC of the years 0 to 9999. Package time writes its own
// layout in a third of the time that one of a caller's takes; the others are the beginning of it.
func (k timeKind) append(dst []byte, x time.Time) []byte {
	before := len(dst)
	dst = x.AppendFormat(dst, time.RFC3339Nano)
	switch {
	case k.unit == "":
		return dst[:before+len(time.DateOnly)]
	case !k.utc:
		return dst[:len(dst)-len("Z")]
	}
	return dst
}

// parse takes what append writes, with a space for the T too. An instant may have any offset from
// UTC; a date without a time of day is midnight where there are no zones.
func (k timeKind) parse(text string) (time.Time, error) {
	if x, ok := k.parseUsual(text); ok {
		return x, nil
	}
	date, clock := text, ""
	if len(text) > len(time.DateOnly) {
		date, clock = text[:len(time.DateOnly)], text[len(time.DateOnly):]
	}
	layout := time.DateOnly
	switch {
	case k.unit == "" || clock == "" && !k.utc:
	case k.utc:
		layout = time.RFC3339Nano
	default:
		layout += clockLayout
	}
	if clock != "" && clock[0] == ' ' {
		clock = "T" + clock[1:]
		text = date + clock
	}
	x, err := time.Parse(layout, text)
	lenient := clock != "" && (len(clock) < clockBytes || clock[3] != ':') || strings.Contains(clock, ",")
	if err != nil || lenient {
		return x, malformed(text, k.want)
	}
	if len(clock) > clockBytes {
		fraction, _, _ := strings.Cut(clock[clockBytes:], "Z")
		fraction, _, _ = strings.Cut(strings.Replace(fraction, "-", "+", 1), "+")
		if digits := strings.TrimRight(fraction, "0"); len(digits) > len(".999999999") {
			return x, fmt.Errorf("%q is more exact than a nanosecond: %w", text, kvault.ErrInvalid)
		}
	}
	return x.UTC(), nil
}

// parseUsual takes what append writes for whole seconds, with a space for the T too, and refuses
// all else, valid or not. It takes a quarter of the time of time.Parse.
func (k timeKind) parseUsual(text string) (x time.Time, ok bool) {
	shape := "0000-00-00T00:00:00Z"
	switch {
	case k.unit == "":
		shape = shape[:len(time.DateOnly)]
	case !k.utc:
		shape = shape[:len(shape)-1]
	}
	if len(text) != len(shape) {
		return x, false
	}
	var fields [6]int // year, month, day, hour, minute and second
	field := 0
	for i := range len(shape) {
		switch c, want := text[i], shape[i]; {
		case want == '0' && isDigit(c):
			fields[field] = 10*fields[field] + int(c-'0')
		case want != '0' && c == want, want == 'T' && c == ' ':
			field++
		default:
			return x, false
		}
	}
	month, day := time.Month(fields[1]), fields[2]
	if month < time.January || month > time.December || day < 1 || fields[3] > 23 || fields[4] > 59 || fields[5] > 59 {
		return x, false
	}
	x = time.Date(fields[0], month, day, fields[3], fields[4], fields[5], 0, time.UTC)
	return x, day <= 28 || x.Day() == day
}

// fromArrow takes what stands for the same: dates and timestamps of any unit, of the column's sort.
// What the column's unit cannot hold is refused when it is added.
func (k timeKind) fromArrow(a arrow.Array, i int) (time.Time, error) {
	switch a := a.(type) {
	case *array.Date32:
		if !k.utc {
			return timeOf(int64(a.Value(i)), 24*60*60, 1)
		}
	case *array.Date64:
		if !k.utc {
			return timeOf(int64(a.Value(i)), 1, 1000)
		}
	case *array.Timestamp:
		t := a.DataType().(*arrow.TimestampType)
		if k.utc == (t.TimeZone != "") {
			return timeOf(int64(a.Value(i)), 1, int64(time.Second/t.Unit.Multiplier()))
		}
	}
	return time.Time{}, wrongArrow(a, k.typ)
}

// timeOf returns the time n units after the beginning of 1970. A unit lasts the given number of
// seconds, or a second has perSecond units.
func timeOf(n, seconds, perSecond int64) (time.Time, error) {
	const most = 1e12 // seconds, beyond all years that a column holds
	if s := n / perSecond; s > most/seconds || s < -most/seconds {
		return time.Time{}, fmt.Errorf("%d in the unit of the file is a date beyond the year 9999 or before 0: %w", n, kvault.ErrInvalid)
	}
	return time.Unix(n/perSecond*seconds, n%perSecond*(int64(time.Second)/perSecond)).UTC(), nil
}

func buildDates(b array.Builder, xs []time.Time) {
	const secondsOfDay = 24 * 60 * 60
	for _, x := range xs {
		b.(*array.Date32Builder).Append(arrow.Date32(x.Unix() / secondsOfDay)) // whole days
	}
}

func buildTimestamps(b array.Builder, xs []time.Time, unit time.Duration) {
	for _, x := range xs {
		n := x.Unix()*int64(time.Second/unit) + int64(x.Nanosecond())/int64(unit)
		b.(*array.TimestampBuilder).Append(arrow.Timestamp(n))
	}
}
