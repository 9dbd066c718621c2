package column_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/unexported"
)

func TestTimes(t *testing.T) {
	tokyo := time.FixedZone("Tokyo", 9*60*60)
	utc := func(year int, month time.Month, day, hour, min, sec, ns int) time.Time {
		return time.Date(year, month, day, hour, min, sec, ns, time.UTC)
	}
	type codec = column.Codec[time.Time]
	for _, tt := range []struct {
		codec     codec
		typ       string
		x         time.Time
		want      int64
		out       time.Time // if not x
		wantError string
	}{
		{column.Date, "i64:date", utc(1970, 1, 2, 0, 0, 0, 0), 1, time.Time{}, ""},
		{column.Date, "i64:date", utc(1969, 12, 31, 0, 0, 0, 0), -1, time.Time{}, ""},
		{column.Date, "i64:date", utc(0, 1, 1, 0, 0, 0, 0), -719528, time.Time{}, ""},
		{column.Date, "i64:date", utc(9999, 12, 31, 0, 0, 0, 0), 2932896, time.Time{}, ""},
		{column.Date, "i64:date", time.Date(2024, 2, 29, 0, 0, 0, 0, tokyo), 19782, utc(2024, 2, 29, 0, 0, 0, 0), ""},
		{column.Date, "i64:date", utc(2024, 2, 29, 0, 0, 0, 1), 0, time.Time{}, "2024-02-29T00:00:00.000000001 has a time of day"},
		{column.Date, "i64:date", utc(10000, 1, 1, 0, 0, 0, 0), 0, time.Time{}, "the year 10000"},
		{column.Date, "i64:date", utc(-1, 1, 1, 0, 0, 0, 0), 0, time.Time{}, "the year -1"},
		{column.Timestamp(time.Second), "i64:timestamp:s", utc(1969, 12, 31, 23, 59, 59, 0), -1, time.Time{}, ""},
		{column.Timestamp(time.Millisecond), "i64:timestamp:ms", utc(1969, 12, 31, 23, 59, 59, 999e6), -1, time.Time{}, ""},
		{column.Timestamp(time.Microsecond), "i64:timestamp:us", utc(2013, 1, 1, 5, 15, 0, 7000), 1357017300000007, time.Time{}, ""},
		{column.Timestamp(time.Microsecond), "i64:timestamp:us", time.Date(2013, 1, 1, 5, 15, 0, 0, tokyo), 1357017300000000, utc(2013, 1, 1, 5, 15, 0, 0), ""},
		{column.Timestamp(time.Nanosecond), "i64:timestamp:ns", utc(2262, 4, 11, 23, 47, 16, 854775807), math.MaxInt64, time.Time{}, ""},
		{column.Timestamp(time.Nanosecond), "i64:timestamp:ns", utc(2262, 4, 11, 23, 47, 16, 854775808), 0, time.Time{}, "beyond what 64 bits"},
		{column.Timestamp(time.Nanosecond), "i64:timestamp:ns", utc(1677, 9, 21, 0, 12, 43, 145224192), math.MinInt64, time.Time{}, ""},
		{column.Timestamp(time.Nanosecond), "i64:timestamp:ns", utc(1677, 9, 21, 0, 12, 43, 145224191), 0, time.Time{}, "beyond what 64 bits"},
		{column.Timestamp(time.Nanosecond), "i64:timestamp:ns", utc(9999, 1, 1, 0, 0, 0, 0), 0, time.Time{}, "beyond what 64 bits"},
		{column.Timestamp(time.Second), "i64:timestamp:s", utc(2013, 1, 1, 5, 15, 0, 1), 0, time.Time{}, "digits below the unit"},
		{column.Timestamp(time.Microsecond), "i64:timestamp:us", utc(10000, 1, 1, 0, 0, 0, 0), 0, time.Time{}, "the year 10000"},
		{column.TimestampUTC(time.Second), "i64:timestamp:s:utc", time.Date(1970, 1, 1, 9, 0, 1, 0, tokyo), 1, utc(1970, 1, 1, 0, 0, 1, 0), ""},
	} {
		if tt.codec.Type() != tt.typ || tt.codec.Size() != 8 {
			t.Errorf("%s, %d", tt.codec.Type(), tt.codec.Size())
		}
		b, err := tt.codec.Append(nil, tt.x)
		if tt.wantError != "" {
			if err == nil || !strings.Contains(err.Error(), tt.wantError) {
				t.Errorf("%v as %s: %v", tt.x, tt.typ, err)
			}
			continue
		}
		must(t, err)
		n, err := column.Int64.Decode(b)
		if n != tt.want || err != nil {
			t.Errorf("%v as %s: %d, want %d", tt.x, tt.typ, n, tt.want)
		}
		want := tt.out
		if want.IsZero() {
			want = tt.x
		}
		if got, err := tt.codec.Decode(b); !got.Equal(want) || got.Location() != time.UTC || err != nil {
			t.Errorf("%v as %s comes out as %v, %v", tt.x, tt.typ, got, err)
		}
	}
}

// A file may hold any integer, and any byte.
func TestTimesThatAreNone(t *testing.T) {
	v := openFile(t, newPath(t))
	ctx := t.Context()
	for _, codec := range []column.Codec[time.Time]{column.Date, column.Timestamp(time.Second), column.Timestamp(time.Millisecond),
		column.TimestampUTC(time.Microsecond), column.Timestamp(time.Nanosecond)} {
		for _, n := range []int64{math.MinInt64, math.MaxInt64, -3_000_000_000_000_000_000, 1 << 40} {
			b, _ := column.Int64.Append(nil, n)
			x, err := codec.Decode(b)
			if err != nil {
				if !errors.Is(err, kvault.ErrCorrupt) {
					t.Errorf("%d as %s: %v", n, codec.Type(), err)
				}
				continue
			}
			if back, err := codec.Append(nil, x); err != nil || string(back) != string(b) {
				t.Errorf("%d as %s is %v and goes back as %x, %v", n, codec.Type(), x, back, err)
			}
		}
	}
	c := create(t, v, "flags", column.Bool, nil)
	must(t, c.Extend(ctx, []bool{true, false, true}))
	holds(t, c, []bool{true, false, true})
	must(t, v.Update(ctx, func(tx *kvault.Tx) error {
		a, err := unexported.Arrays(tx)
		must(t, err)
		arr, err := a.Array(ctx, "flags")
		must(t, err)
		return a.WriteChunk(ctx, arr.ID, 0, 1, []byte{2})
	}))
	_, err := c.Slice(ctx, 1, 3)
	_, errGet := c.Get(ctx, -2)
	for _, err := range []error{err, errGet} {
		wantErr(t, err, kvault.ErrCorrupt)
		if err == nil || !strings.Contains(err.Error(), "element 1") {
			t.Errorf("%v does not name the element", err)
		}
	}
	_, err = column.Create(ctx, v, "odd", column.Timestamp(time.Minute), nil)
	wantErr(t, err, kvault.ErrInvalid)
}
