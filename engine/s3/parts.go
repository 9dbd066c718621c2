package s3

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/codec"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// Parts of a data object, and how many are sent at once.
const (
	partsEach  = 1000
	partsAhead = 3
)

// dataObject is one that is written in parts.
type dataObject struct {
	name  string
	m     object.Multipart
	parts int
	size  int64
}

// part is one of an object.
type part struct {
	m     object.Multipart
	n     int
	bytes []byte
}

// begin begins the next object. One whose begin got no answer is left to the sweep.
func (st *stage) begin(ctx context.Context) (err error) {
	name := st.newName()
	for range attempts {
		var m object.Multipart
		if m, err = st.s.b.Begin(ctx, st.s.dataName(name)); err == nil {
			st.current = &dataObject{name: name, m: m}
			return nil
		}
		if !errors.Is(err, object.ErrUnknown) {
			break
		}
	}
	return err
}

// send sends the buffer as a part, in the background.
func (st *stage) send() {
	d := st.current
	d.parts++
	d.size += int64(len(st.buf))
	p := part{d.m, d.parts, st.buf}
	st.buf = nil
	st.sending.Go(func() {
		st.slots <- struct{}{}
		defer func() { <-st.slots }()
		if p.m.Part(st.life, p.n, p.bytes) != nil {
			st.mu.Lock()
			defer st.mu.Unlock()
			st.failed = append(st.failed, p)
		}
	})
}

// again sends parts that failed once more, one after another.
func (st *stage) again(ctx context.Context) error {
	for {
		st.mu.Lock()
		failed := st.failed
		st.mu.Unlock()
		if len(failed) == 0 {
			return nil
		}
		p := failed[0]
		if err := p.m.Part(ctx, p.n, p.bytes); err != nil {
			return st.lost(err)
		}
		st.mu.Lock()
		st.failed = st.failed[1:] // others only add to its end
		st.mu.Unlock()
	}
}

// lost says what it means that an object that was begun is not there.
func (st *stage) lost(err error) error {
	if errors.Is(err, object.ErrNotFound) {
		return fmt.Errorf("the parts of the stream are gone: %w: %w", engine.ErrSwept, err)
	}
	return err
}

// single stores what is in memory as an object.
func (st *stage) single(ctx context.Context) (err error) {
	name := st.newName()
	if err = st.s.repeat(ctx, st.s.dataName(name), st.buf); err == nil {
		st.data = append(st.data, codec.Data{Name: name, Size: int64(len(st.buf))})
		st.buf = nil
	}
	return err
}

// complete makes objects of those of which all parts were sent.
func (st *stage) complete(ctx context.Context) error {
	if err := st.wait(ctx); err != nil {
		return err
	}
	if err := st.again(ctx); err != nil {
		return err
	}
	for len(st.closing) > 0 {
		d := st.closing[0]
		if _, err := d.m.Complete(ctx); err != nil {
			// No other object has the name: if there is one, it is this.
			i, headErr := st.s.b.Head(ctx, st.s.dataName(d.name))
			if headErr != nil {
				return st.lost(err)
			}
			if i.Size != d.size {
				return fmt.Errorf("data object %s has %d bytes, not %d: %w", st.s.dataName(d.name), i.Size, d.size, engine.ErrCorrupt)
			}
		}
		st.data = append(st.data, codec.Data{Name: d.name, Size: d.size})
		st.closing = st.closing[1:]
	}
	return nil
}

// wait waits for the parts under way. If ctx ends, they are given up: again sends them once more.
func (st *stage) wait(ctx context.Context) error {
	stop := context.AfterFunc(ctx, st.end)
	st.sending.Wait()
	if stop() {
		return nil
	}
	st.life, st.end = context.WithCancel(st.s.life)
	return engine.ContextErr(ctx)
}

// discard gives up parts that are under way, and removes those that no object was made of. Data
// objects are left to the sweep: an op that failed may have stored a pointer to them nevertheless.
func (st *stage) discard() error {
	st.end()
	st.sending.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var errs []error
	if st.current != nil {
		errs = append(errs, st.current.m.Abort(ctx))
	}
	for _, d := range st.closing {
		errs = append(errs, d.m.Abort(ctx))
	}
	st.buf, st.failed = nil, nil
	return errors.Join(errs...)
}
