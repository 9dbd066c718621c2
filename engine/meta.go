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

// Check returns an error that matches ErrInvalid if m has something that a store need not support.
func (m *Meta) Check() error {
	if y := m.ModTime.UTC().Year(); !m.ModTime.IsZero() && (y < 1678 || y > 2261) {
		return fmt.Errorf("modification time %v: want a year from 1678 to 2261: %w", m.ModTime, ErrInvalid)
	}
	for name, value := range m.User {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return fmt.Errorf("user metadata %q is not UTF-8 text; encode it first: %w", name, ErrInvalid)
		}
	}
	return nil
}
