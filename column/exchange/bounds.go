package exchange

import (
	"fmt"
	"io"
	"math"

	"github.com/kohakuvault/kvault"
)

// A text says nowhere how long a row is, and one that never ends would take all memory. These are
// variables for tests.
var (
	// longestRow is the longest row in bytes: it has room for the longest element, however it is
	// written.
	longestRow = int64(math.MaxInt32)
	// mostColumns is the number of columns of the widest table.
	mostColumns = 1 << 20
)

func rowTooLong() error {
	return fmt.Errorf("the row has more than %d bytes: %w", longestRow, kvault.ErrTooLarge)
}

func tooWide() error {
	return fmt.Errorf("the row has more than %d columns: %w", mostColumns, kvault.ErrTooLarge)
}

// rowReader fails when a row has become too long. Its reader sets start to where the row begins.
type rowReader struct {
	r           io.Reader
	read, start int64
}

func (r *rowReader) Read(p []byte) (int, error) {
	if r.read-r.start > longestRow {
		return 0, rowTooLong()
	}
	n, err := r.r.Read(p)
	r.read += int64(n)
	return n, err
}
