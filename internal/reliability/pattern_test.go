package reliability

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"math/rand/v2"
)

// pattern gives size bytes of which no two blocks are alike, and their hash. It is no file and has
// no length that a vault could see beforehand.
type pattern struct {
	block     [1 << 20]byte
	off, size int64
	sum       hash.Hash
}

func newPattern(size int64) *pattern {
	p := &pattern{size: size, sum: sha256.New()}
	rand.NewChaCha8([32]byte{byte(size)}).Read(p.block[:])
	return p
}

// at fills b with the pattern from off.
func (p *pattern) at(b []byte, off int64) {
	const length = int64(len(p.block))
	for n := 0; n < len(b); {
		at := off + int64(n)
		binary.BigEndian.PutUint64(p.block[:8], uint64(at/length))
		n += copy(b[n:], p.block[at%length:])
	}
}

func (p *pattern) Read(b []byte) (int, error) {
	if p.off == p.size {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), p.size-p.off)]
	p.at(b, p.off)
	p.sum.Write(b)
	p.off += int64(len(b))
	return len(b), nil
}
