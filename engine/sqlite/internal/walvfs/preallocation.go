package walvfs

import (
	"math"

	"github.com/ncruces/go-sqlite3/vfs"
)

const (
	// preallocateBytes is the step in which a log is preallocated where commits are synced: a sync
	// need not wait for the file system's own journal if the file kept its length.
	preallocateBytes = 256 << 10
	// unsyncedBytes is the step where they are not. Linux keeps what is written at once in large
	// pieces of memory, if the file system can, and overwriting those costs less.
	unsyncedBytes = 32 << 10
)

// preallocation makes a log longer than its frames need. A small commit behind the end of the file
// is written together with zeros up to the next multiple of a step, and later commits overwrite
// them.
//
// The zeros never overwrite frames. The connection that commits holds SQLite's lock for writing,
// and only with that lock does a connection make the file longer or shorter, so the zeros lie
// behind all frames. SQLite takes no zeros for a frame, whatever else a power cut leaves of the
// file: a frame has the number of a page, which is not 0, and the log ends where one has not.
type preallocation struct {
	// step is that where commits are synced, unsynced that where they are not; 0 preallocates
	// nothing.
	step, unsynced int64
	synced         bool // a commit was synced
	// known is a lower bound of the file's length, as far as this connection saw. If another one
	// has truncated the file since, the next commit is written without zeros.
	known int64
	last  int64 // where the last commit was written
}

// noSpace is a length that no commit goes beyond.
const noSpace = math.MaxInt64

// write writes the frames of a commit at off. It returns the buffer of the frames, which it may
// have moved.
func (a *preallocation) write(file vfs.File, frames []byte, off int64) ([]byte, error) {
	if off <= a.last {
		a.known = 0 // SQLite has begun the log anew, and may have truncated it before
	}
	a.last = off
	end := off + int64(len(frames))
	length := a.length(file, end)
	if length == end {
		_, err := file.WriteAt(frames, off)
		return frames, err
	}
	n := len(frames)
	frames = append(frames, make([]byte, length-end)...)
	if _, err := file.WriteAt(frames, off); err != nil {
		// A full disk may have room for the frames alone. Any other failure comes again.
		a.known = noSpace
		_, err = file.WriteAt(frames[:n], off)
		return frames, err
	}
	a.known = length
	return frames, nil
}

// length returns the length that the file is to have after a commit that ends at end, or end if the
// file needs no more space.
func (a *preallocation) length(file vfs.File, end int64) int64 {
	step := a.unsynced
	if a.synced {
		step = a.step
	}
	if step == 0 || end <= a.known {
		return end
	}
	size, err := file.Size() // another connection may have made it longer
	if err != nil {
		return end
	}
	if end <= size {
		a.known = size
		return end
	}
	return (end + step - 1) / step * step
}
