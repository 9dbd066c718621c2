package engine

import "fmt"

// MaxKey is the length in bytes of the longest key that can be stored. It bounds the memory of a
// listing's page.
const MaxKey = 64 << 10

// CheckKey returns an error that matches ErrInvalid for the empty key, which no store has. It
// accepts a key above MaxKey, because another program may have stored one.
func CheckKey(key string) error {
	if key == "" {
		return fmt.Errorf("key is empty: %w", ErrInvalid)
	}
	return nil
}

// CheckNewKey is CheckKey for a key that the caller stores: one above MaxKey is ErrTooLarge.
func CheckNewKey(key string) error {
	if len(key) > MaxKey {
		return fmt.Errorf("key of %d bytes, the limit is %d: %w", len(key), MaxKey, ErrTooLarge)
	}
	return CheckKey(key)
}

// PrefixRange returns the range of all keys that begin with prefix. Its End is prefix up to its
// last byte below 0xFF, with that byte incremented, or empty if there is no such byte.
func PrefixRange(prefix string) Range {
	for i := len(prefix) - 1; i >= 0; i-- {
		if c := prefix[i]; c < 0xFF {
			return Range{Start: prefix, End: prefix[:i] + string([]byte{c + 1})}
		}
	}
	return Range{Start: prefix}
}

// Intersect returns the range of the keys in both ranges. It may be empty: see Empty.
func (r Range) Intersect(o Range) Range {
	out := Range{Start: max(r.Start, o.Start), End: r.End}
	if out.End == "" || (o.End != "" && o.End < out.End) {
		out.End = o.End
	}
	return out
}

// Empty reports whether no key can lie in r.
func (r Range) Empty() bool { return r.End != "" && r.Start >= r.End }

// Contains reports whether key lies in r.
func (r Range) Contains(key string) bool { return key >= r.Start && (r.End == "" || key < r.End) }

// After returns the part of r that remains for a listing whose last key was last.
func (r Range) After(last string, reverse bool) Range {
	if reverse {
		if last == "" { // another program may have stored an empty key; nothing comes before it
			return Range{Start: "\x00", End: "\x00"}
		}
		r.End = last
		return r
	}
	r.Start = last + "\x00"
	return r
}
