package engine

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// Meta is the metadata of a value. The zero Meta means that nothing is known, as for a value of
// another program.
type Meta struct {
	// Tag identifies this version of the value among all of the same key. A tag of the vault is 16
	// lower-case hexadecimal digits. A store that assigns its own tags ignores this one. Empty if
	// not known.
	Tag string
	// ModTime is the modification time, in a year from 1678 to 2261; zero if not known.
	ModTime time.Time
	// ContentType is a MIME type, or empty.
	ContentType string
	// Sum is the CRC-32 (Castagnoli) of the value; valid if HasSum.
	Sum    uint32
	HasSum bool
	// User is the user's own metadata, text in UTF-8; nil if there is none.
	User map[string]string
}

// The limits of Meta.ModTime.
var (
	earliest = time.Date(1678, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2261, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
)

// FitModTime returns the time nearest to t that Meta.ModTime may be. Files may have other times:
// ext4 goes up to the year 2446, and NTFS begins in 1601.
func FitModTime(t time.Time) time.Time {
	switch {
	case t.Before(earliest):
		return earliest
	case t.After(latest):
		return latest
	}
	return t
}

// Check returns an error that matches ErrInvalid if m has something that a store need not support.
func (m *Meta) Check() error {
	if t := m.ModTime; !t.IsZero() && !FitModTime(t).Equal(t) {
		return fmt.Errorf("modification time %v: want a year from 1678 to 2261: %w", m.ModTime, ErrInvalid)
	}
	for name, value := range m.User {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return fmt.Errorf("user metadata %q is not UTF-8 text; encode it first: %w", name, ErrInvalid)
		}
	}
	return nil
}
