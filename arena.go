package kvault

import (
	"hash/crc32"
	"sync"
)

const (
	// blockBytes is the size of a block, and of the largest value that lies in one.
	blockBytes = 1 << 20
	// A batch takes no block before it has blocksAfter bytes: many small batches at once must not
	// take a block each.
	blocksAfter = 256 << 10
	// add computes the checksum of each summedBytes right after copying them, while they are in the
	// processor's cache.
	summedBytes = 64 << 10
)

// blocks holds the blocks that no batch uses. The collector takes those that stay unused.
var blocks = sync.Pool{New: func() any { return new([blockBytes]byte) }}

// arena holds the copies of a batch's values until the batch is written. Batches reuse its blocks:
// touching new memory for each batch takes longer than the copying.
type arena struct {
	lasts  bool // the cache may keep the copies, so they lie in no block
	bytes  int  // of all copies
	blocks []*[blockBytes]byte
	room   []byte // at the end of the last block
}

// add returns a copy of value, never nil, and its checksum.
func (a *arena) add(value []byte) (kept []byte, sum uint32) {
	a.bytes += len(value)
	if a.lasts || a.bytes <= blocksAfter || len(value) > blockBytes {
		kept = copyOf(value)
		return kept, crc32.Checksum(kept, castagnoli)
	}
	kept = a.alloc(len(value))
	for at := 0; at < len(value); at += summedBytes {
		piece := kept[at:min(at+summedBytes, len(kept))]
		copy(piece, value[at:])
		sum = crc32.Update(sum, castagnoli, piece)
	}
	return kept, sum
}

func (a *arena) alloc(n int) []byte {
	if n > len(a.room) {
		b := blocks.Get().(*[blockBytes]byte)
		a.blocks, a.room = append(a.blocks, b), b[:]
	}
	p := a.room[:n:n]
	a.room = a.room[n:]
	return p
}

// release gives the blocks back: the copies in them are no longer valid.
func (a *arena) release() {
	for _, b := range a.blocks {
		blocks.Put(b)
	}
	a.blocks, a.room = nil, nil
}
