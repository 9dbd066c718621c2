package column

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

// stream is an array as one long run of bytes: every chunk but the last is MaxChunk long and full.
type stream struct {
	a   engine.Arrays
	arr engine.Array
}

// moveBytes is how much is held in memory when a tail is shifted.
const moveBytes = 256 << 10

// each splits the n bytes from off at the bounds of chunks.
func (s *stream) each(off int64, p []byte, do func(chunk, at int64, p []byte) error) error {
	for len(p) > 0 {
		at := off % s.arr.MaxChunk
		n := min(int64(len(p)), s.arr.MaxChunk-at)
		if err := do(off/s.arr.MaxChunk, at, p[:n]); err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	return nil
}

func (s *stream) read(ctx context.Context, off int64, p []byte) error {
	return s.each(off, p, func(chunk, at int64, p []byte) error {
		return s.damaged(s.a.ReadChunk(ctx, s.arr.ID, chunk, at, p))
	})
}

// readRun reads n bytes into r. Memory for many is taken as they come: the numbers by which they
// are found may be damaged.
func (s *stream) readRun(ctx context.Context, off, n int64, r *run) error {
	if n <= pageBytes {
		return s.read(ctx, off, r.fill(n))
	}
	r.data = r.data[:0]
	for n > 0 {
		at, more := len(r.data), int(min(n, pageBytes))
		r.data = slices.Grow(r.data, more)[:at+more]
		if err := s.read(ctx, off, r.data[at:]); err != nil {
			return err
		}
		off, n = off+int64(more), n-int64(more)
	}
	return nil
}

// write writes inside what extend has made room for.
func (s *stream) write(ctx context.Context, off int64, p []byte) error {
	return s.each(off, p, func(chunk, at int64, p []byte) error {
		return s.damaged(s.a.WriteChunk(ctx, s.arr.ID, chunk, at, p))
	})
}

// damaged explains why a chunk that the length promises cannot be used.
func (s *stream) damaged(err error) error {
	if errors.Is(err, engine.ErrNotFound) || errors.Is(err, engine.ErrInvalid) {
		return fmt.Errorf("%w: array %q is shorter than its length says: %v", kvault.ErrCorrupt, s.arr.Name, err)
	}
	return err
}

// holds refuses a chunk that is shorter than what is said to be in it. To make such a one longer
// would give its elements values that they never had.
func (s *stream) holds(chunk, size, used int64) error {
	if used <= size {
		return nil
	}
	return s.damaged(fmt.Errorf("chunk %d has %d bytes, not %d: %w", chunk, size, used, engine.ErrInvalid))
}

// extend makes room for r bytes behind the first used.
func (s *stream) extend(ctx context.Context, used, r int64) error {
	if r == 0 {
		return nil
	}
	chunks, err := s.a.Chunks(ctx, s.arr.ID)
	if err != nil {
		return err
	}
	if keep := ceilDiv(used, s.arr.MaxChunk); chunks > keep { // left behind by a program that deleted elements
		if err := s.a.TruncateChunks(ctx, s.arr.ID, keep); err != nil {
			return err
		}
	}
	for r > 0 {
		room, err := s.grow(ctx, used/s.arr.MaxChunk, used%s.arr.MaxChunk, r)
		if err != nil {
			return err
		}
		n := min(r, room)
		used, r = used+n, r-n
	}
	return nil
}

// grow makes the last chunk, of which at bytes are in use, hold r more, or as many as it can, and
// returns how many it can hold.
func (s *stream) grow(ctx context.Context, chunk, at, r int64) (room int64, err error) {
	longest := s.arr.MaxChunk
	if at == 0 {
		size := firstSize(s.arr.MinChunk, longest, r)
		return size, s.damaged(s.a.ResizeChunk(ctx, s.arr.ID, chunk, size))
	}
	size, err := s.a.ChunkSize(ctx, s.arr.ID, chunk)
	if err != nil {
		return 0, s.damaged(err)
	}
	if err := s.holds(chunk, size, at); err != nil {
		return 0, err
	}
	if at+r <= size || size >= longest {
		return min(size, longest) - at, nil
	}
	if size = min(2*size, longest); at+r > size {
		size = longest
	}
	return size - at, s.a.ResizeChunk(ctx, s.arr.ID, chunk, size)
}

// firstSize is the smallest of shortest, doubled any number of times, that holds n, but at most
// longest.
func firstSize(shortest, longest, n int64) int64 {
	size := shortest
	for size < n && size < longest {
		size *= 2
	}
	return min(size, longest)
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }

// trim removes the chunks behind the first used bytes.
func (s *stream) trim(ctx context.Context, used int64) error {
	return s.a.TruncateChunks(ctx, s.arr.ID, ceilDiv(used, s.arr.MaxChunk))
}

// move copies the n bytes at from to the place to; the two may overlap. There is room for them.
func (s *stream) move(ctx context.Context, to, from, n int64) error {
	buf := make([]byte, min(n, moveBytes))
	for done := int64(0); done < n; {
		p := buf[:min(int64(len(buf)), n-done)]
		at := done
		if to > from { // from the end, so that nothing is overwritten before it was read
			at = n - done - int64(len(p))
		}
		if err := s.read(ctx, from+at, p); err != nil {
			return err
		}
		if err := s.write(ctx, to+at, p); err != nil {
			return err
		}
		done += int64(len(p))
	}
	return nil
}

// setLength stores the number of elements.
func (s *stream) setLength(ctx context.Context, n int64) error {
	if err := s.a.SetArrayLength(ctx, s.arr.ID, n); err != nil {
		return err
	}
	s.arr.Length = n
	return nil
}
