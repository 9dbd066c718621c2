package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/codec"
)

func sumOf(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// stage is a value that is being written: in memory up to a part, and beyond that in data objects.
type stage struct {
	s    *Store
	o    engine.StageOptions
	size int64
	sum  uint32
	full bool

	buf     []byte       // at most a part
	current *dataObject  // that the next part belongs to; nil before the first
	closing []dataObject // complete but for being told so
	data    []codec.Data // those that are objects
	first   string       // the name of the first data object
	noted   time.Time    // when the sweep was last told of them: by the first one, or by a note
	sending sync.WaitGroup
	slots   chan struct{}
	// life ends when the stage is discarded, or the store is closed: parts under way end with it.
	life context.Context
	end  context.CancelFunc

	mu     sync.Mutex
	failed []part // that were not stored
	state  stageState
}

type stageState int

const (
	open stageState = iota
	taken
	ended
)

// Stage starts a value. One above Options.PartSize has to go on, and to be applied, before half of
// Options.Grace has gone by without either, or it fails with engine.ErrSwept: a sweep takes it for
// that of a program that has ended.
func (s *Store) Stage(ctx context.Context, o engine.StageOptions) (engine.Stage, error) {
	if err := s.writable(ctx); err != nil {
		return nil, err
	}
	if o.ChunkSize < 1 {
		return nil, fmt.Errorf("chunk size %d: want at least 1: %w", o.ChunkSize, engine.ErrInvalid)
	}
	s.staged.Add(1)
	return s.newStage(o), nil
}

func (s *Store) newStage(o engine.StageOptions) *stage {
	st := &stage{s: s, o: o, slots: make(chan struct{}, partsAhead)}
	st.life, st.end = context.WithCancel(s.life)
	return st
}

func (st *stage) Size() int64 { return st.size }
func (st *stage) Sum() uint32 { return st.sum }

// small reports whether all of the value is in memory.
func (st *stage) small() bool { return st.current == nil && len(st.closing) == 0 && len(st.data) == 0 }

// WriteChunk adds a chunk. It sends parts in the background, and waits only if several are under
// way.
func (st *stage) WriteChunk(ctx context.Context, p []byte) error {
	if err := st.usable(ctx); err != nil {
		return err
	}
	switch {
	case len(p) == 0:
		return nil
	case st.full:
		return fmt.Errorf("a chunk behind the last: %w", engine.ErrInvalid)
	case len(p) > st.o.ChunkSize:
		return fmt.Errorf("chunk of %d bytes, not %d: %w", len(p), st.o.ChunkSize, engine.ErrInvalid)
	}
	// All that can fail comes before the first byte is added.
	if err := st.room(ctx, len(p)); err != nil {
		return st.s.explain(ctx, err)
	}
	st.add(p)
	st.full = len(p) < st.o.ChunkSize
	st.size += int64(len(p))
	st.sum = crc32.Update(st.sum, castagnoli, p)
	return nil
}

// room makes room for n bytes: parts that failed are sent again, those under way are waited for,
// and the next object is begun.
func (st *stage) room(ctx context.Context, n int) error {
	if len(st.buf)+n <= st.s.o.PartSize {
		return nil
	}
	if err := st.again(ctx); err != nil {
		return err
	}
	select {
	case st.slots <- struct{}{}:
		<-st.slots
	case <-ctx.Done():
		return engine.ContextErr(ctx)
	}
	if st.current != nil && st.current.parts >= partsEach {
		st.closing = append(st.closing, *st.current)
		st.current = nil
	}
	if len(st.closing) > 0 {
		if err := st.complete(ctx); err != nil {
			return err
		}
	}
	if err := st.note(ctx); err != nil {
		return err
	}
	if st.current != nil {
		return nil
	}
	return st.begin(ctx)
}

// newName makes the name of a data object. Servers date an object from when it was begun.
func (st *stage) newName() string {
	name := newName()
	if st.first == "" {
		st.first, st.noted = name, time.Now()
	}
	return name
}

// since is the time since t by the clock that ran less slowly: one stops while a machine sleeps,
// and the other can be set.
func since(t time.Time) time.Duration { return max(time.Since(t), time.Since(t.Round(0))) }

// attempts is how often a request is sent that can be repeated without harm, and got no answer.
const attempts = 4

// add takes bytes, and sends parts of what is full.
func (st *stage) add(p []byte) {
	for len(p) > 0 {
		if len(st.buf) == st.s.o.PartSize {
			st.send()
		}
		n := min(len(p), st.s.o.PartSize-len(st.buf))
		st.grow(n)
		st.buf = append(st.buf, p[:n]...)
		p = p[n:]
	}
}

// grow makes room in the buffer: up to the first part in steps, and then for a part at once, since
// what steps leave behind is garbage.
func (st *stage) grow(n int) {
	if need := len(st.buf) + n; need > cap(st.buf) {
		size := st.s.o.PartSize
		if st.current == nil {
			size = min(max(need, 2*cap(st.buf)), size)
		}
		larger := make([]byte, len(st.buf), size)
		copy(larger, st.buf)
		st.buf = larger
	}
}

func (st *stage) usable(ctx context.Context) error {
	if err := st.s.writable(ctx); err != nil {
		return err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.state != open {
		return fmt.Errorf("the stage has been used: %w", engine.ErrInvalid)
	}
	return nil
}

// finish makes objects of all that was written. More may be written after it.
func (st *stage) finish(ctx context.Context) error {
	if len(st.buf) > 0 && st.current != nil {
		st.send()
	}
	if st.current != nil { // whose last part may be shorter than the others
		st.closing = append(st.closing, *st.current)
		st.current = nil
	}
	if err := st.complete(ctx); err != nil || len(st.buf) == 0 {
		return err
	}
	return st.single(ctx)
}

// late is the error of a stream of which a sweep may have removed what it wrote.
func (st *stage) late() error {
	return fmt.Errorf("the stream has paused for longer than %v: %w", st.s.o.Grace/2, engine.ErrSwept)
}

// note tells the sweep from time to time that the data objects of a long stream are wanted.
func (st *stage) note(ctx context.Context) (err error) {
	age := since(st.noted)
	switch {
	case st.first == "" || age < st.s.o.Grace/8:
		return nil
	case age > st.s.o.Grace/2:
		return st.late()
	}
	began := time.Now()
	var list bytes.Buffer
	for _, d := range st.data {
		fmt.Fprintln(&list, d.Name)
	}
	for _, d := range st.closing {
		fmt.Fprintln(&list, d.name)
	}
	if st.current != nil {
		fmt.Fprintln(&list, st.current.name)
	}
	if err = st.s.repeat(ctx, st.s.prefix+uploadDir+st.first, list.Bytes()); err == nil {
		st.noted = began
	}
	return err
}

// take claims the stage for an op. release gives it back, unless it was stored.
func (st *stage) take(ctx context.Context) (release func(stored bool), err error) {
	if err := st.usable(ctx); err != nil {
		return nil, err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.state != open {
		return nil, fmt.Errorf("the stage has been used: %w", engine.ErrInvalid)
	}
	st.state = taken
	return func(stored bool) {
		st.mu.Lock()
		defer st.mu.Unlock()
		if st.state = open; stored {
			st.state = ended
			st.end()
			st.s.staged.Add(-1)
		}
	}, nil
}

// image sends what is left and returns the object for key: the value itself if it is small. It may
// be called again after an error.
func (st *stage) image(ctx context.Context, key string, m engine.Meta) (image, error) {
	if st.small() {
		return valueImage(m, st.buf), nil
	}
	if err := st.finish(ctx); err != nil {
		return image{}, err
	}
	if since(st.noted) > st.s.o.Grace/2 {
		return image{}, st.late()
	}
	return st.s.imageOfData(ctx, key, st.data, m)
}

// imageOfData is a pointer to data objects that this process has just made.
func (s *Store) imageOfData(ctx context.Context, key string, data []codec.Data, m engine.Meta) (image, error) {
	named := time.Now()
	err := s.refer(ctx, key, data)
	if errors.Is(err, errReplaced) {
		err = fmt.Errorf("the stream took longer than %v: %w", s.o.Grace, engine.ErrSwept)
	}
	if err != nil {
		return image{}, err
	}
	size := int64(0)
	for _, d := range data {
		size += d.Size
	}
	i := pointerImage(m, size, &codec.Target{Data: data})
	i.named = named
	return i, nil
}

// upload stores a value in data objects, and returns the pointer to them for key.
func (s *Store) upload(ctx context.Context, key string, value []byte, m engine.Meta) (image, error) {
	st := s.newStage(engine.StageOptions{ChunkSize: s.o.PartSize, Size: int64(len(value))})
	defer st.end()
	for len(value) > 0 {
		n := min(len(value), s.o.PartSize)
		if err := st.WriteChunk(ctx, value[:n]); err != nil {
			return image{}, errors.Join(err, st.discard())
		}
		value = value[n:]
	}
	if err := st.finish(ctx); err != nil {
		return image{}, errors.Join(err, st.discard())
	}
	return s.imageOfData(ctx, key, st.data, m)
}

// Abort discards the stage, unless it was applied. It ends what is under way, and tries for 10
// seconds at most to remove what was sent.
func (st *stage) Abort() error {
	st.mu.Lock()
	if st.state != open {
		st.mu.Unlock()
		return nil
	}
	st.state = ended
	st.mu.Unlock()
	st.s.staged.Add(-1)
	_ = st.discard() // what it cannot remove the sweep does
	return nil
}
