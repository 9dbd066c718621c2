package engine

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// Meta is kept beside a value. The zero Meta says that nothing is known, as for a value that another program wrote.
type Meta struct {
	// Tag names this version of the value and no other of the same key; 16 lower-case hexadecimal digits when the vault
	// made it. A store that assigns its own tags ignores the one it is given. Empty: not known.
	Tag string
	// ModTime is when the value was written, in a year from 1678 to 2261; zero if not known.
	ModTime time.Time
	// ContentType is a MIME type, or empty.
	ContentType string
	// Sum is the CRC-32 (Castagnoli) of the value; valid if HasSum.
	Sum    uint32
	HasSum bool
	// User is the user's own metadata, text in UTF-8; nil if there is none.
	User map[string]string
}

// Check returns an error that matches ErrInvalid if there is something in m that no store has to keep.
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
