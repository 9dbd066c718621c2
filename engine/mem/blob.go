package mem

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/kohakuvault/kvault/engine"
)

// blob reads one record, which stays as it is whatever becomes of its key.
type blob struct {
	key    string
	rec    *record
	alive  func() error
	closed atomic.Bool
}

// Entry describes the version that the blob reads.
func (b *blob) Entry() engine.Entry { return b.rec.entry(b.key) }

// ReadAt copies bytes from offset off.
func (b *blob) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if err := b.alive(); err != nil {
		return 0, err
	}
	if b.closed.Load() {
		return 0, fmt.Errorf("read from %q after the end: %w", b.key, engine.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, fmt.Errorf("offset %d is negative: %w", off, engine.ErrInvalid)
	}
	n := 0
	if off < int64(len(b.rec.data)) {
		n = copy(p, b.rec.data[off:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Close ends the blob.
func (b *blob) Close() error {
	b.closed.Store(true)
	return nil
}
