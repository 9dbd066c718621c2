package format

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/kohakuvault/kvault/engine"
)

// FormatTag is the text of a version tag, which is kept as an integer.
func FormatTag(tag int64) string {
	var b [8]byte
	var digits [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(tag))
	hex.Encode(digits[:], b[:])
	return string(digits[:])
}

// ParseTag is the integer of a version tag.
func ParseTag(tag string) (int64, error) {
	var b [8]byte
	if len(tag) == 2*len(b) {
		if _, err := hex.Decode(b[:], []byte(tag)); err == nil {
			return int64(binary.BigEndian.Uint64(b[:])), nil
		}
	}
	return 0, fmt.Errorf("version tag %q: want 16 hexadecimal digits: %w", tag, engine.ErrInvalid)
}
