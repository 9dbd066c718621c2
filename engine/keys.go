package engine

import "fmt"

// MaxKey is the longest key in bytes that a store takes. It bounds what a page of a listing holds.
const MaxKey = 64 << 10

// CheckKey returns an error that matches ErrInvalid for the empty key, which no store has. A key
// above MaxKey is looked for like any other: another program may have stored it, and else it is not
// found.
func CheckKey(key string) error {
	if key == "" {
		return fmt.Errorf("key is empty: %w", ErrInvalid)
	}
	return nil
}

// CheckNewKey is CheckKey for a key that a value is to be stored under: one above MaxKey is ErrTooLarge.
func CheckNewKey(key string) error {
	if len(key) > MaxKey {
		return fmt.Errorf("key of %d bytes, the limit is %d: %w", len(key), MaxKey, ErrTooLarge)
	}
	return CheckKey(key)
}

// PrefixRange is the range of all keys that start with prefix. It ends at the prefix with its last byte below 0xFF
// incremented, and has no end if there is no such byte.
func PrefixRange(prefix string) Range {
	for i := len(prefix) - 1; i >= 0; i-- {
		if c := prefix[i]; c < 0xFF {
			return Range{Start: prefix, End: prefix[:i] + string([]byte{c + 1})}
		}
	}
	return Range{Start: prefix}
}

// Intersect is the keys that lie in both ranges. The result may be empty: see Empty.
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

// After is the part of r that a listing has yet to visit when last was the last key it saw.
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
