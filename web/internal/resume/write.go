package resume

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"
)

const (
	// smallPiece is how much of a body is in memory unless it comes fast.
	smallPiece = 32 << 10
	// largePiece is how much of a fast one is, and manyLarge for how many at once. Small pieces take
	// more than twice the time, and twice the writing, as a chunk is stored in parts.
	largePiece = 1 << 20
	manyLarge  = 16
	// fastRate is how many bytes of a fast body come in a second.
	fastRate = 1 << 20
)

// pieces are the buffers of the bodies that come in. Of small ones there are as many as are
// needed, so that a client that sends slowly, or nothing any more, costs little. Large ones are
// few, because also a fast client can stop sending.
type pieces struct {
	small, large sync.Pool
	free         chan struct{} // has an element for each large one that may be in use
}

func newPieces() *pieces {
	p := &pieces{free: make(chan struct{}, manyLarge)}
	p.small.New = func() any { return new([smallPiece]byte) }
	p.large.New = func() any { return new([largePiece]byte) }
	for range manyLarge {
		p.free <- struct{}{}
	}
	return p
}

// use hands fn a buffer: a large one if the client is fast and there is one left.
func (p *pieces) use(fast bool, fn func(buf []byte) error) error {
	if fast {
		select {
		case <-p.free:
			defer func() { p.free <- struct{}{} }()
			buf := p.large.Get().(*[largePiece]byte)
			defer p.large.Put(buf)
			return fn(buf[:])
		default:
		}
	}
	buf := p.small.Get().(*[smallPiece]byte)
	defer p.small.Put(buf)
	return fn(buf[:])
}

// WriteChunk stores the bytes of src from off on. If src breaks off, what came is stored, which is
// more than the client knows. It ends at the limit of the server with an error.
func (u *upload) WriteChunk(ctx context.Context, off int64, src io.Reader) (int64, error) {
	c := callOf(ctx)
	ctx = context.WithoutCancel(ctx) // the client may be gone, which is no reason to lose its bytes
	start, fast, more := off, false, true
	for more {
		err := u.h.pieces.use(fast, func(buf []byte) error {
			began := time.Now()
			buf = buf[:u.room(off, len(buf))]
			n, err := io.ReadFull(src, buf)
			fast = time.Since(began) <= time.Duration(n)*time.Second/fastRate
			more = err == nil
			surplus := u.h.o.MaxSize > 0 && off+int64(n) > u.h.o.MaxSize
			if surplus {
				n = int(u.h.o.MaxSize - off)
			}
			if n > 0 {
				if err := u.u.WriteAt(ctx, buf[:n], off); err != nil {
					return err
				}
				off += int64(n)
			}
			if surplus {
				return handler.ErrMaxSizeExceeded
			}
			return nil
		})
		if err != nil {
			return off - start, c.refuse(err)
		}
	}
	return off - start, nil
}

// room is how many bytes a piece of at most n has at off, so that the next one begins where a chunk
// does, or where pieces divide a chunk.
func (u *upload) room(off int64, n int) int {
	chunk := u.u.ChunkSize()
	at := int(off % int64(chunk))
	if chunk <= n {
		return n - n%chunk - at
	}
	return min(n-at%n, chunk-at)
}
