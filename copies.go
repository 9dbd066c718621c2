package kvault

import (
	"hash/crc32"
	"sync"
)

const (
	// blockBytes is how much memory a batch takes at a time, and the largest value that lies in such memory.
	blockBytes = 1 << 20
	// blocksAfter is how long a batch is before it takes any: many small ones at once must not take a block each.
	blocksAfter = 256 << 10
	// summedBytes is how much of a value is copied before its checksum is computed: it is in the processor's cache still.
	summedBytes = 64 << 10
)

// blocks are memory for copies that nobody uses. What is not used for long is the collector's.
var blocks = sync.Pool{New: func() any { return new([blockBytes]byte) }}

// copies holds the values of a batch while it is on its way. Memory that each batch has anew from the system costs more time than all
// the copying.
type copies struct {
	lasts  bool // says that somebody may keep the copies
	bytes  int  // of all copies
	blocks []*[blockBytes]byte
	room   []byte // at the end of the last block
}

// add returns a copy, never nil, and its checksum.
func (c *copies) add(value []byte) (kept []byte, sum uint32) {
	c.bytes += len(value)
	if c.lasts || c.bytes <= blocksAfter || len(value) > blockBytes {
		kept = copyOf(value)
		return kept, crc32.Checksum(kept, castagnoli)
	}
	kept = c.take(len(value))
	for at := 0; at < len(value); at += summedBytes {
		piece := kept[at:min(at+summedBytes, len(kept))]
		copy(piece, value[at:])
		sum = crc32.Update(sum, castagnoli, piece)
	}
	return kept, sum
}

func (c *copies) take(n int) []byte {
	if n > len(c.room) {
		b := blocks.Get().(*[blockBytes]byte)
		c.blocks, c.room = append(c.blocks, b), b[:]
	}
	p := c.room[:n:n]
	c.room = c.room[n:]
	return p
}

// release ends the copies, unless they are for keeping.
func (c *copies) release() {
	for _, b := range c.blocks {
		blocks.Put(b)
	}
	c.blocks, c.room = nil, nil
}
