package sqlite

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// stage is a value that is being written, to a temporary file or as chunk rows, which nothing
// refers to yet.
type stage struct {
	s *Store
	// run executes a change: through the writer's queue, or inside the transaction that the stage
	// belongs to. ready fails if it would for certain.
	run        func(ctx context.Context, bytes int, fn func(*session) error) error
	ready      func(ctx context.Context) error
	chunkBytes int64
	spoolLimit int64

	mu      sync.Mutex // between the caller and the keepalive
	temp    *tempFile  // all bytes so far, unless they are in chunk rows
	id      int64      // 0 until the first chunk row is stored
	nonce   int64
	size    int64
	stored  int64 // bytes in chunk rows
	sum     uint32
	full    bool // a short chunk was the last one
	inTx    bool // the stage is part of a transaction and ends with it
	applied bool
	aborted bool
	// orphaned says that the sweeper knows of an aborted stage.
	orphaned bool
	beat     time.Time
	alive    *time.Timer
}

// Stage starts a value outside any transaction.
func (s *Store) Stage(ctx context.Context, o engine.StageOptions) (engine.Stage, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	if s.writer == nil {
		return nil, s.readOnly()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	st, err := s.newStage(o)
	if err != nil {
		return nil, err
	}
	st.run = func(ctx context.Context, bytes int, fn func(*session) error) error {
		if err := s.enter(); err != nil {
			return err
		}
		defer s.leave()
		return s.writer.do(&request{ctx: ctx, bytes: bytes, lazy: true, run: fn})
	}
	st.ready = context.Context.Err
	s.register(st)
	return st, nil
}

func (s *Store) newStage(o engine.StageOptions) (*stage, error) {
	if o.ChunkSize < 1 || int64(o.ChunkSize) > engine.MaxOneRow {
		return nil, fmt.Errorf("chunk size %d: want 1 to %d bytes: %w", o.ChunkSize, engine.MaxOneRow, engine.ErrInvalid)
	}
	if chunks := o.Size / int64(o.ChunkSize); chunks >= format.MaxChunks {
		return nil, fmt.Errorf("%d bytes in chunks of %d; use larger chunks: %w", o.Size, o.ChunkSize, engine.ErrTooLarge)
	}
	return &stage{s: s, chunkBytes: int64(o.ChunkSize), spoolLimit: s.spoolLimit(o), nonce: int64(rand.Uint64())}, nil
}

// WriteChunk stores p as the next chunk.
func (st *stage) WriteChunk(ctx context.Context, p []byte) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if err := st.accepts(p); err != nil || len(p) == 0 {
		return err
	}
	if err := st.ready(ctx); err != nil {
		return err
	}
	if !st.spooled(p) {
		if err := st.unspool(ctx); err != nil {
			return err
		}
		if err := st.store(ctx, p); err != nil {
			return err
		}
	}
	st.size += int64(len(p))
	st.sum = crc32.Update(st.sum, format.Castagnoli, p)
	st.full = int64(len(p)) < st.chunkBytes
	return nil
}

// store adds p to the chunk rows in a short transaction.
func (st *stage) store(ctx context.Context, p []byte) error {
	id, now := st.id, time.Now()
	err := st.run(ctx, len(p), func(ses *session) (err error) {
		if id = st.id; id == 0 {
			if id, err = ses.newValue(st); err != nil {
				return err
			}
		} else if err = ses.mustOwn(st); err != nil {
			return err
		} else if now.Sub(st.beat) > beatEvery {
			if err = ses.beat(st); err != nil {
				return err
			}
		}
		return ses.putChunk(format.ChunkRow(id, st.stored/st.chunkBytes), p)
	})
	if err != nil {
		return err
	}
	if st.id == 0 || now.Sub(st.beat) > beatEvery {
		st.beat = now
	}
	st.id = id
	st.stored += int64(len(p))
	if st.alive == nil && !st.inTx {
		st.alive = time.AfterFunc(beatEvery, st.keepAlive)
	}
	return nil
}

func (st *stage) accepts(p []byte) error {
	switch {
	case st.s.isClosing():
		return engine.ErrClosed
	case st.applied || st.aborted:
		return errStageEnded
	case st.full && len(p) > 0:
		return fmt.Errorf("a chunk after the last: %w", engine.ErrInvalid)
	case int64(len(p)) > st.chunkBytes:
		return fmt.Errorf("chunk of %d bytes, the stage takes %d: %w", len(p), st.chunkBytes, engine.ErrInvalid)
	case st.size/st.chunkBytes >= format.MaxChunks-1 || st.size > math.MaxInt64-st.chunkBytes:
		return fmt.Errorf("more than %d chunks; use larger ones: %w", format.MaxChunks, engine.ErrTooLarge)
	}
	return nil
}

func (st *stage) usable() error {
	if st.applied || st.aborted {
		return errStageEnded
	}
	return nil
}

var errStageEnded = fmt.Errorf("the stage has ended: %w", engine.ErrInvalid)

// Size is the number of bytes stored so far.
func (st *stage) Size() int64 { return st.size }

// Sum is the CRC-32C of the bytes stored so far.
func (st *stage) Sum() uint32 { return st.sum }

// Abort leaves the chunks to the sweeper. It does not wait for a turn to write, which the caller
// itself may be holding.
func (st *stage) Abort() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.alive != nil {
		st.alive.Stop()
	}
	if st.applied || st.aborted {
		return nil
	}
	st.aborted = true
	st.dropTemp()
	switch {
	case st.id == 0:
		st.s.unregister(st)
	case st.inTx:
		err := st.run(context.Background(), 0, st.orphan)
		if !errors.Is(err, engine.ErrTxDone) && !errors.Is(err, engine.ErrClosed) { // either end was the stage's too
			return err
		}
	default:
		go st.orphanLater()
	}
	return nil
}

func (st *stage) orphan(ses *session) error { return ses.orphanID(st.id, st.nonce) }

// orphanLater marks an aborted stage when the writer has time. If that fails, Close does it.
func (st *stage) orphanLater() {
	if st.run(context.Background(), 0, st.orphan) != nil {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.orphaned = true
	st.s.unregister(st)
}

// endApplied ends a stage whose chunks belong to a value now.
func (st *stage) endApplied() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.applied = true
	st.dropTemp()
	if st.alive != nil {
		st.alive.Stop()
	}
	st.s.unregister(st)
}

// shut ends the stage when the store closes. Its chunks have no owner then, and the next Open
// sweeps them.
func (st *stage) shut() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.dropTemp()
	if st.alive != nil {
		st.alive.Stop()
	}
	if st.applied || st.orphaned || st.id == 0 {
		return
	}
	st.aborted = true
	w := st.s.writer
	w.turn <- struct{}{} // a transaction may be ending at this moment
	defer w.release()
	_ = w.transact(context.Background(), []*request{{ctx: context.Background(), run: st.orphan}})
}

// keepAlive tells other processes that a stage whose source is slow has not been left behind.
func (st *stage) keepAlive() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.applied || st.aborted {
		return
	}
	if err := st.run(context.Background(), 0, func(ses *session) error { return ses.beat(st) }); err == nil {
		st.beat = time.Now()
	}
	st.alive.Reset(beatEvery)
}

func (ses *session) newValue(st *stage) (int64, error) {
	ins, err := ses.c.Prepare(`INSERT INTO ` + format.ValuesTable + `(nonce, chunk_bytes, size, sum, owner, beat) VALUES(?1, ?2, 0, 0, ?3, ?4)`)
	if err != nil {
		return 0, err
	}
	err = ins.Int(1, st.nonce).Int(2, st.chunkBytes).Text(3, self.String()).Int(4, time.Now().Unix()).Exec()
	if err != nil {
		return 0, err
	}
	return ses.lastValue()
}

// lastValue is the id that a new value got.
func (ses *session) lastValue() (int64, error) {
	id := ses.c.LastInsertRowID()
	if id < 1 || id >= format.MaxValues {
		return 0, fmt.Errorf("the vault has used up its ids for large values; back it up into a new one: %w", engine.ErrTooLarge)
	}
	return id, nil
}

func (ses *session) putChunk(row int64, p []byte) error {
	ins, err := ses.c.Prepare(`INSERT INTO ` + format.ChunksTable + `(id, sum, data) VALUES(?1, ?2, ?3)`)
	if err != nil {
		return err
	}
	ins.Int(1, row).Int(2, int64(crc32.Checksum(p, format.Castagnoli)))
	fill := len(p) > boundBytes && ses.fitsCache(int64(len(p)))
	if fill {
		if fill, err = ses.plain(format.ChunksTable); err != nil {
			return err
		}
	}
	if !fill {
		defer ins.Null(3)
		return ins.Blob(3, p).Exec()
	}
	if err := ins.Zero(3, int64(len(p))).Exec(); err != nil {
		return err
	}
	return ses.fillCell(format.ChunksTable, "data", row, func(fn func(p []byte) error) error { return fn(p) })
}

func (ses *session) beat(st *stage) error {
	up, err := ses.c.Prepare(`UPDATE ` + format.ValuesTable + ` SET beat = ?3 WHERE id = ?1 AND nonce = ?2`)
	if err != nil {
		return err
	}
	if err := up.Int(1, st.id).Int(2, st.nonce).Int(3, time.Now().Unix()).Exec(); err != nil {
		return err
	}
	return ses.mustHaveChanged()
}

// mustOwn fails if the stage was taken for a crashed one and swept.
func (ses *session) mustOwn(st *stage) error {
	if st.id == 0 {
		return nil
	}
	sel, err := ses.c.Prepare(`SELECT 1 FROM ` + format.ValuesTable + ` WHERE id = ?1 AND nonce = ?2 AND owner IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM ` + format.OrphansTable + ` WHERE id = ?1)`)
	if err != nil {
		return err
	}
	defer sel.Reset()
	there, err := sel.Int(1, st.id).Int(2, st.nonce).Step()
	if err == nil && !there {
		err = errSwept
	}
	return err
}

var errSwept = fmt.Errorf("%w, which took this one for dead: write it again from its start", engine.ErrSwept)

func (ses *session) mustHaveChanged() error {
	if ses.c.Changes() == 0 {
		return errSwept
	}
	return nil
}

// publish makes a stage the value of a key. The caller writes the reference.
func (ses *session) publish(st *stage, e engine.Entry) error {
	up, err := ses.c.Prepare(`UPDATE ` + format.ValuesTable + ` SET size = ?3, sum = ?4, tbl = ?5, key = ?6, owner = NULL, beat = 0 WHERE id = ?1 AND nonce = ?2`)
	if err != nil {
		return err
	}
	err = up.Int(1, st.id).Int(2, st.nonce).Int(3, e.Size).Int(4, int64(e.Meta.Sum)).Text(5, ses.t.name).Key(6, e.Key).Exec()
	if err != nil {
		return err
	}
	return ses.mustHaveChanged()
}

// eachChunkOf hands out the bytes of chunk rows that need not be published.
func (ses *session) eachChunkOf(ref format.Reference, fn func(p []byte) error) error {
	r := row{chunked: true, ref: ref, entry: engine.Entry{Size: ref.Size}}
	cu := &cursor{c: ses.c, t: ses.t, chunks: ref.ID, row: r}
	return cu.each(fn)
}

// stageBytes writes a value that came in one piece as chunk rows, inside the transaction at hand.
func (ses *session) stageBytes(src source) (*stage, error) {
	st, err := ses.s.newStage(engine.StageOptions{ChunkSize: pieceBytes, Size: src.size})
	if err != nil {
		return nil, err
	}
	if st.id, err = ses.newValue(st); err != nil {
		return nil, err
	}
	i := int64(0)
	err = ses.eachPiece(src, func(p []byte) error {
		defer func() { i++ }()
		return ses.putChunk(format.ChunkRow(st.id, i), p)
	})
	st.size, st.stored, st.sum = src.size, src.size, src.sum
	return st, err
}
