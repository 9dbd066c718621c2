package sqlite

import (
	"slices"
	"strings"
	"unsafe"
)

// clearedBytes is how much memory is cleared in no time.
const clearedBytes = 8 << 10

// grow returns dst with room for n more bytes. For a large value that is to be written over anyway, clearing the memory takes as long as
// all else.
func grow(dst []byte, n int) []byte {
	if cap(dst) > 0 || n < clearedBytes {
		return slices.Grow(dst, n)
	}
	var b strings.Builder // whose memory is not cleared, and is nobody's string yet
	b.Grow(n)
	b.WriteByte(0)
	return unsafe.Slice(unsafe.StringData(b.String()), n)[:0]
}
