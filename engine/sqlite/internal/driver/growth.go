package driver

import (
	"math"

	"github.com/ncruces/go-sqlite3/vfs"
)

const (
	// growBytes is the step in which a log grows. It costs less to write in the large pieces in which the system then keeps it in memory.
	growBytes = 32 << 10
	// growSyncedBytes is the step where each commit is synced. A sync need not wait for the file system's own journal if the file kept
	// its length.
	growSyncedBytes = 256 << 10
)

// growth makes a log longer than its frames need: a small commit behind the end of the file is written together with zeros up to the
// next multiple of a step, and those that follow it write over them.
//
// The zeros never lie over anything. Whoever commits holds the lock for writing, and without that nobody makes the file longer
// or shorter, so they are behind all that any connection wrote. Nobody takes them for frames, whatever else a power cut leaves of
// the file: a frame has the number of a page, which is not 0, and the log ends where one has not.
type growth struct {
	step, syncedStep int64
	synced           bool // says that a commit was synced
	// known is how long the file is at least, as far as this connection saw. Others may have cut it off since; a commit is then written as
	// it is.
	known int64
	last  int64 // where the last commit was written
}

// noGrowth is a length that no commit goes beyond.
const noGrowth = math.MaxInt64

// write writes the frames of a commit at off. It returns their memory, which may have moved.
func (g *growth) write(file vfs.File, frames []byte, off int64) ([]byte, error) {
	if off <= g.last {
		g.known = 0 // the log has begun anew, and may have been cut off before
	}
	g.last = off
	end := off + int64(len(frames))
	length := g.length(file, end)
	if length == end {
		_, err := file.WriteAt(frames, off)
		return frames, err
	}
	n := len(frames)
	frames = append(frames, make([]byte, length-end)...)
	if _, err := file.WriteAt(frames, off); err != nil {
		// A full disk may have room for the frames alone, and what is left of it is not for zeros. Any other failure comes again.
		g.known = noGrowth
		_, err = file.WriteAt(frames[:n], off)
		return frames, err
	}
	g.known = length
	return frames, nil
}

// length is how long the file is to be, for a commit that ends at end: end, unless the file is to grow.
func (g *growth) length(file vfs.File, end int64) int64 {
	step := g.step
	if g.synced {
		step = g.syncedStep
	}
	if step == 0 || end <= g.known {
		return end
	}
	size, err := file.Size() // others may have made it longer
	if err != nil {
		return end
	}
	if end <= size {
		g.known = size
		return end
	}
	return (end + step - 1) / step * step
}
