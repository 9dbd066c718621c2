package stream

import (
	"io"
	"sync"
	"time"
)

// Sizes of the pieces that a copy reads and writes. The vault looks the key up for each piece, and
// in a long row also follows the pages up to it, so large pieces are several times faster; but a
// client that stops reading keeps what is being written to it. So fastCopies use large pieces, two
// each, mediumCopies one of medium size, and all others small ones.
const (
	smallPiece   = 32 << 10
	mediumPiece  = 256 << 10
	largePiece   = 512 << 10
	fastCopies   = 16
	mediumCopies = 64
)

// How long writing a large piece may take: before the copy lets go of the vault, and before it goes
// on with smaller pieces, and leaves the large ones to others. The second comes to 1 MiB a second.
const (
	waiting = 50 * time.Millisecond
	slow    = largePiece * time.Second / (1 << 20)
)

var (
	smallPieces  = sync.Pool{New: func() any { return new([smallPiece]byte) }}
	mediumPieces = sync.Pool{New: func() any { return new([mediumPiece]byte) }}
	largePieces  = sync.Pool{New: func() any { return new([2][largePiece]byte) }}
	fast         = make(chan struct{}, fastCopies)
	medium       = make(chan struct{}, mediumCopies)
)

// Copy writes the next size bytes of r, which reads from v, to w. It returns the errors of r and of
// w. A source that ends before that is io.ErrUnexpectedEOF.
func (v *Value) Copy(w io.Writer, r io.Reader, size int64) (n int64, reading, writing error) {
	if size > smallPiece {
		select {
		case fast <- struct{}{}:
			n, reading, writing = v.copyLarge(w, r, size)
		default:
		}
	}
	for n < size && reading == nil && writing == nil {
		var m int
		m, reading, writing = copyPiece(w, r, size-n)
		n += int64(m)
	}
	return n, reading, writing
}

// copyLarge gives the buffers back only if w did not panic: r may be writing to them then.
func (v *Value) copyLarge(w io.Writer, r io.Reader, size int64) (n int64, reading, writing error) {
	defer func() { <-fast }()
	buffers := largePieces.Get().(*[2][largePiece]byte)
	n, reading, writing = v.copyFast(w, r, size, buffers)
	largePieces.Put(buffers)
	return n, reading, writing
}

func copyPiece(w io.Writer, r io.Reader, left int64) (n int, reading, writing error) {
	if left > smallPiece {
		select {
		case medium <- struct{}{}:
			defer func() { <-medium }()
			buffer := mediumPieces.Get().(*[mediumPiece]byte)
			defer mediumPieces.Put(buffer)
			return copyIn(w, r, buffer[:min(left, mediumPiece)])
		default:
		}
	}
	buffer := smallPieces.Get().(*[smallPiece]byte)
	defer smallPieces.Put(buffer)
	return copyIn(w, r, buffer[:min(left, smallPiece)])
}

func copyIn(w io.Writer, r io.Reader, piece []byte) (n int, reading, writing error) {
	if _, err := io.ReadFull(r, piece); err != nil {
		return 0, whole(err), nil
	}
	n, err := w.Write(piece)
	return n, nil, err
}

// copyFast copies as long as w takes large pieces without delay. It reads a piece while it writes
// the one before.
func (v *Value) copyFast(
	w io.Writer, r io.Reader, size int64, buffers *[2][largePiece]byte,
) (n int64, reading, writing error) {
	if size > largePiece {
		v.hold()
		defer v.letGo()
	}
	read := make(chan error, 1)
	piece := buffers[0][:min(size, largePiece)]
	if _, reading = io.ReadFull(r, piece); reading != nil {
		return 0, whole(reading), nil
	}
	for i, delayed := 1, false; len(piece) > 0; i++ {
		next := buffers[i%2][:min(size-n-int64(len(piece)), largePiece)]
		if delayed {
			next = nil
		}
		go func() {
			_, err := io.ReadFull(r, next)
			if err != nil {
				err = whole(err)
			}
			read <- err
		}()
		start := time.Now()
		timer := time.AfterFunc(waiting, v.letGo)
		written, err := w.Write(piece)
		timer.Stop()
		n += int64(written)
		if reading = <-read; err != nil || reading != nil {
			return n, reading, err
		}
		piece, delayed = next, time.Since(start) > slow
	}
	return n, nil, nil
}

// whole returns the error of a source that ended too early.
func whole(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
