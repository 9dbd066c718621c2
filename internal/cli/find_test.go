package cli

import (
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "4096": 4096, "10M": 10 << 20, "1k": 1024, "2.5KiB": 2560, "8191T": 8191 << 40,
		"9223372036854775807": 1<<63 - 1,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%s is %d, %v, not %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "M", ".", "1e3", "-1", "+1", "10KM", "10X", "NaN", "Inf", "0x10", "1.2.3", "9223372036854775808",
		"8388608T", "99999999999999999999999K",
	} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

func TestParseWhen(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-11-30T14:05:00Z":      time.Date(2026, 11, 30, 14, 5, 0, 0, time.UTC),
		"2026-11-30T14:05:00+01:00": time.Date(2026, 11, 30, 13, 5, 0, 0, time.UTC),
		"2026-11-29":                time.Date(2026, 11, 29, 0, 0, 0, 0, time.Local),
		"2026-11-29 10:00":          time.Date(2026, 11, 29, 10, 0, 0, 0, time.Local),
		"90m":                       now.Add(-90 * time.Minute),
		"7d":                        now.AddDate(0, 0, -7),
		"2w":                        now.AddDate(0, 0, -14),
		"0s":                        now,
	} {
		if got, err := parseWhen("newer", text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s is %v, %v, not %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1h", "tomorrow", "7", "1.5d", "-3d", "999999999w", "2026-13-01", "2026-02-30"} {
		if got, err := parseWhen("newer", text, now); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
