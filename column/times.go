package column

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/kohakuvault/kvault"
)

// Bool keeps truth values in one byte each, 0 or 1, type bytes:1:bool. An element that is another
// byte, as another program may write one, is kvault.ErrCorrupt when it is read.
var Bool Codec[bool] = boolCodec{}

// Date keeps dates as days since 1970-01-01, type i64:date. It takes the date that x shows in its
// own time zone; an x that does not show midnight is ErrInvalid, and so is a year before 0 or after
// 9999. What comes out is midnight UTC of that date.
var Date Codec[time.Time] = dateCodec{}

// Timestamp keeps dates and times of day without a time zone, as counts of unit since the beginning
// of 1970, type i64:timestamp:us. The unit is time.Second, time.Millisecond, time.Microsecond or
// time.Nanosecond: s, ms, us or ns in the name of the type. It takes the date and the time that x
// shows in its own time zone, and they come out as such in UTC. For instants, use TimestampUTC.
//
// An x that has digits below the unit is ErrInvalid, not rounded: see time.Time.Truncate. So is a
// year before 0 or after 9999, and one outside 1677 to 2262 for nanoseconds.
func Timestamp(unit time.Duration) Codec[time.Time] { return timestampCodec{unit, false} }

// TimestampUTC keeps instants, type i64:timestamp:us:utc. What comes out is the same instant in
// UTC. Units and limits are those of Timestamp.
func TimestampUTC(unit time.Duration) Codec[time.Time] { return timestampCodec{unit, true} }

type boolCodec struct{}

func (boolCodec) Type() string { return (&typeName{base: "bytes", size: 1, as: asBool}).String() }
func (boolCodec) Size() int    { return 1 }

func (boolCodec) Append(dst []byte, x bool) ([]byte, error) {
	if x {
		return append(dst, 1), nil
	}
	return append(dst, 0), nil
}

func (boolCodec) Decode(b []byte) (bool, error) {
	if b[0] > 1 {
		return false, fmt.Errorf("%w: byte %d is no truth value: want 0 or 1", kvault.ErrCorrupt, b[0])
	}
	return b[0] == 1, nil
}

const (
	secondsOfDay = 24 * 60 * 60
	lastYear     = 9999 // that its text has four digits for
	asBool       = "bool"
	asDate       = "date"
	asTimestamp  = "timestamp"
)

type dateCodec struct{}

func (dateCodec) Type() string { return (&typeName{base: "i64", as: asDate}).String() }
func (dateCodec) Size() int    { return 8 }

func (dateCodec) Append(dst []byte, x time.Time) ([]byte, error) {
	x = wallClock(x)
	if err := checkYear(x); err != nil {
		return nil, err
	}
	if hour, minute, second := x.Clock(); hour+minute+second+x.Nanosecond() != 0 {
		return nil, fmt.Errorf("%s has a time of day, which a date has not: %w", x.Format(wallClockText), kvault.ErrInvalid)
	}
	return binary.LittleEndian.AppendUint64(dst, uint64(x.Unix()/secondsOfDay)), nil
}

func dateOf(days int64) time.Time { return time.Unix(days*secondsOfDay, 0).UTC() }

func (dateCodec) Decode(b []byte) (time.Time, error) {
	const limit = 5_000_000 // far beyond the years that are possible, and no overflow
	days := int64(binary.LittleEndian.Uint64(b))
	if days < -limit || days > limit || checkYear(dateOf(days)) != nil {
		return time.Time{}, fmt.Errorf("%w: %d days since 1970-01-01 lead out of the years 0 to %d", kvault.ErrCorrupt, days, lastYear)
	}
	return dateOf(days), nil
}

// wallClock is the time in UTC that shows what x shows in its own time zone.
func wallClock(x time.Time) time.Time {
	_, offset := x.Zone()
	return x.UTC().Add(time.Duration(offset) * time.Second)
}

// wallClockText is the form of a date with a time of day, for messages.
const wallClockText = "2006-01-02T15:04:05.999999999"

func checkYear(x time.Time) error {
	if year := x.Year(); year < 0 || year > lastYear {
		return fmt.Errorf("the year %d: want 0 to %d: %w", year, lastYear, kvault.ErrInvalid)
	}
	return nil
}

// units are those of timestamps, by the names that types have for them.
var units = map[string]time.Duration{"s": time.Second, "ms": time.Millisecond, "us": time.Microsecond, "ns": time.Nanosecond}

type timestampCodec struct {
	unit time.Duration
	utc  bool
}

func (c timestampCodec) Type() string {
	return (&typeName{base: "i64", as: asTimestamp, unit: c.unit, utc: c.utc}).String()
}

func (timestampCodec) Size() int { return 8 }

func (c timestampCodec) check() error {
	switch c.unit {
	case time.Second, time.Millisecond, time.Microsecond, time.Nanosecond:
		return nil
	}
	return invalid("timestamps in units of %v: want time.Second, Millisecond, Microsecond or Nanosecond", c.unit)
}

func unitName(unit time.Duration) string {
	for name, d := range units {
		if d == unit {
			return name
		}
	}
	return ""
}

func (c timestampCodec) Append(dst []byte, x time.Time) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.utc {
		x = x.UTC()
	} else {
		x = wallClock(x)
	}
	if err := checkYear(x); err != nil {
		return nil, err
	}
	if below := time.Duration(x.Nanosecond()) % c.unit; below != 0 {
		return nil, fmt.Errorf("%s has digits below the unit of the column, %s, which would be lost: truncate it, or choose a finer unit: %w",
			x.Format(wallClockText), unitName(c.unit), kvault.ErrInvalid)
	}
	n := c.count(x)
	if !c.time(n).Equal(x) {
		return nil, fmt.Errorf("%s is beyond what 64 bits of unit %s reach: %w", x.Format(wallClockText), unitName(c.unit), kvault.ErrInvalid)
	}
	return binary.LittleEndian.AppendUint64(dst, uint64(n)), nil
}

// count is the number of units from the beginning of 1970 to x, unless it overflows.
func (c timestampCodec) count(x time.Time) int64 {
	return x.Unix()*int64(time.Second/c.unit) + int64(x.Nanosecond())/int64(c.unit)
}

func (c timestampCodec) time(n int64) time.Time {
	perSecond := int64(time.Second / c.unit)
	return time.Unix(n/perSecond, n%perSecond*int64(c.unit)).UTC()
}

func (c timestampCodec) Decode(b []byte) (time.Time, error) {
	if err := c.check(); err != nil {
		return time.Time{}, err
	}
	n := int64(binary.LittleEndian.Uint64(b))
	const limit = 400_000_000_000 // seconds: far beyond the years that are possible, and no overflow
	if s := n / int64(time.Second/c.unit); s < -limit || s > limit || checkYear(c.time(n)) != nil {
		return time.Time{}, fmt.Errorf("%w: %d%s since 1970 leads out of the years 0 to %d", kvault.ErrCorrupt, n, unitName(c.unit), lastYear)
	}
	return c.time(n), nil
}
