package kvault

import "time"

// What engine.Meta.Check takes.
var (
	earliest = time.Date(1678, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2261, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
)

// FitModTime returns the time nearest to t that PutOptions.ModTime takes. Files may have other
// times: ext4 goes up to the year 2446, and NTFS begins in 1601.
func FitModTime(t time.Time) time.Time {
	switch {
	case t.Before(earliest):
		return earliest
	case t.After(latest):
		return latest
	}
	return t
}
