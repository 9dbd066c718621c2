package sqlite

import (
	"os"
	"slices"
	"strings"
	"unsafe"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// clearedBytes is how much memory is cleared in no time.
const clearedBytes = 8 << 10

// grow returns dst with room for n more bytes. For a large value that is to be written over anyway,
// clearing the memory takes as long as all else.
func grow(dst []byte, n int) []byte {
	if cap(dst) > 0 || n < clearedBytes {
		return slices.Grow(dst, n)
	}
	var b strings.Builder // whose memory is not cleared, and is nobody's string yet
	b.Grow(n)
	b.WriteByte(0)
	return unsafe.Slice(unsafe.StringData(b.String()), n)[:0]
}

// The memory of a connection is addresses in a row, set aside when it opens. With 64 bits there are
// enough of them for everything. With 32 bits all connections of a program share 2 to 4 GiB, and
// each has little more than its page cache and its map.

// narrowMap is the most that a connection maps of the file where addresses are narrow.
const narrowMap = 64 << 20

// writerMemory bounds the memory of the connection that writes, in bytes; 0 leaves that to the
// driver. Rows whose value is not their last column are put together there.
func writerMemory(cacheKB int) int64 {
	if !driver.Narrow {
		return 0
	}
	return 192<<20 + int64(cacheKB)<<10
}

// materialLimit bounds values in tables whose value is not the last column: SQLite builds such a
// row in memory, and takes up to five times as much for it.
func materialLimit() int64 {
	if driver.Narrow {
		return 32 << 20
	}
	return 64 << 20
}

// readerMemory is that of a connection that reads: more than it needs, since values pass through it
// in pieces. What a file makes it compute ends there. It holds the map.
func readerMemory(mmap int64, cacheKB int) int64 {
	switch {
	case driver.Narrow:
		return 32<<20 + int64(cacheKB)<<10 + mmap
	case mmap > 0:
		return 0
	}
	return 512 << 20
}

// mappable is how much of the file may be mapped: no more than there is, in whole units of the
// driver's memory.
func (s *Store) mappable(mmap int64) int64 {
	const unit = 64 << 10
	info, err := os.Stat(s.conf.Path)
	if s.conf.Memory || err != nil {
		return 0
	}
	if driver.Narrow {
		mmap = min(mmap, narrowMap)
	}
	return min(mmap, info.Size()) &^ (unit - 1)
}
