package mem

import (
	"context"
	"fmt"
	"hash/crc32"

	"github.com/kohakuvault/kvault/engine"
)

// stage is a value that nothing refers to yet.
type stage struct {
	store *Store
	tx    *tx // that it was started in, or nil
	alive func() error
	chunk int

	data  []byte
	sum   uint32
	full  bool // the last chunk was a short one
	ended bool // applied or aborted
}

// Stage starts an invisible value.
func (s *Store) Stage(ctx context.Context, o engine.StageOptions) (engine.Stage, error) {
	return s.newStage(ctx, nil, s.alive, o)
}

func (s *Store) newStage(ctx context.Context, x *tx, alive func() error, o engine.StageOptions) (engine.Stage, error) {
	if err := alive(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.ChunkSize < 1 {
		return nil, fmt.Errorf("chunk size %d: want at least 1: %w", o.ChunkSize, engine.ErrInvalid)
	}
	s.stages.Add(1)
	return &stage{store: s, tx: x, alive: alive, chunk: o.ChunkSize, data: []byte{}}, nil
}

// WriteChunk adds one chunk.
func (st *stage) WriteChunk(ctx context.Context, p []byte) error {
	if err := st.alive(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	switch {
	case st.ended:
		return fmt.Errorf("the stage has ended: %w", engine.ErrInvalid)
	case st.full && len(p) > 0:
		return fmt.Errorf("a chunk after the last: %w", engine.ErrInvalid)
	case len(p) > st.chunk:
		return fmt.Errorf("chunk of %d bytes, the stage takes %d: %w", len(p), st.chunk, engine.ErrInvalid)
	case len(p) == 0:
		return nil
	}
	st.data = append(st.data, p...)
	st.sum = crc32.Update(st.sum, castagnoli, p)
	st.full = len(p) < st.chunk
	return nil
}

// Size is the number of bytes added so far.
func (st *stage) Size() int64 { return int64(len(st.data)) }

// Sum is the CRC-32C of the bytes added so far.
func (st *stage) Sum() uint32 { return st.sum }

// Abort discards the stage, unless it was applied.
func (st *stage) Abort() error {
	st.end()
	return nil
}

func (st *stage) end() {
	if !st.ended {
		st.ended = true
		st.store.stages.Add(-1)
	}
}
