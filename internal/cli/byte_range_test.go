package cli

import "testing"

func TestByteRange(t *testing.T) {
	for _, tt := range []struct {
		in     string
		size   int64
		off, n int64
		bad    bool // cannot be parsed
		none   bool // lies outside the value
	}{
		{in: "0-0", size: 10, off: 0, n: 1},
		{in: "2-5", size: 10, off: 2, n: 4},
		{in: "2-99", size: 10, off: 2, n: 8},
		{in: "9-", size: 10, off: 9, n: 1},
		{in: "0-", size: 10, off: 0, n: 10},
		{in: "-3", size: 10, off: 7, n: 3},
		{in: "-99", size: 10, off: 0, n: 10},
		{in: "-1", size: 0, off: 0, n: 0},
		{in: "5-9223372036854775807", size: 10, off: 5, n: 5},
		{in: "10-", size: 10, none: true},
		{in: "0-", size: 0, off: 0, n: 0},
		{in: "99-100", size: 10, none: true},
		{in: "-0", bad: true},
		{in: "-", bad: true},
		{in: "", bad: true},
		{in: "5", bad: true},
		{in: "5-4", bad: true},
		{in: "a-b", bad: true},
		{in: "1-2-3", bad: true},
		{in: "+1-2", bad: true},
		{in: "9223372036854775808-", bad: true},
	} {
		s, err := parseByteRange(tt.in)
		if (err != nil) != tt.bad {
			t.Errorf("parseByteRange(%q): error %v", tt.in, err)
		}
		if err != nil {
			continue
		}
		off, n, err := s.of(tt.size)
		if (err != nil) != tt.none || off != tt.off || n != tt.n {
			t.Errorf("%q of %d bytes: %d, %d, %v; want %d, %d", tt.in, tt.size, off, n, err, tt.off, tt.n)
		}
	}
	if off, n, err := wholeValue.of(0); off != 0 || n != 0 || err != nil {
		t.Errorf("the whole of nothing: %d, %d, %v", off, n, err)
	}
}
