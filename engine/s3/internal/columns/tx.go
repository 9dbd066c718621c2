package columns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// tx is a transaction: the state that it saw when it began, and that with its changes.
type tx struct {
	c        *Columns
	writable bool
	begun    time.Time

	mu   sync.Mutex
	done bool
	base *head
	// arrays are those of base until the first change, then copies; changed names those that are
	// the transaction's own.
	arrays  []*array
	lastID  int64
	changed map[int64]bool
	// touched names the arrays that the transaction read or changed. all says that it depends on which
	// arrays there are.
	touched map[int64]bool
	all     bool
	dropped bool

	dirty    int       // bytes written since the last upload
	uploaded time.Time // when the first object was uploaded that nothing names yet
	next     place     // where a sequential read goes on
}

// place is a byte of an array.
type place struct{ id, chunk, off int64 }

var _ engine.ArrayTx = (*tx)(nil)

func newTx(c *Columns, h *head, writable bool) *tx {
	return &tx{c: c, writable: writable, begun: time.Now(), base: h, arrays: slices.Clone(h.arrays), lastID: h.lastID,
		changed: map[int64]bool{}, touched: map[int64]bool{}}
}

// looking runs fn, which reads.
func (x *tx) looking(ctx context.Context, fn func() error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.usable(ctx); err != nil {
		return err
	}
	err := x.explain(fn())
	if err != nil && ctx.Err() != nil {
		return engine.ContextErr(ctx)
	}
	return err
}

// usable fails if the transaction cannot be used, or ctx has ended.
func (x *tx) usable(ctx context.Context) error {
	if alive := x.c.o.Alive; alive != nil {
		if err := alive(); err != nil {
			return err
		}
	}
	if x.done {
		return engine.ErrTxDone
	}
	return engine.ContextErr(ctx)
}

// writing runs fn, which changes something.
func (x *tx) writing(ctx context.Context, fn func() error) error {
	return x.looking(ctx, func() error {
		if !x.writable {
			return engine.ErrReadOnly
		}
		return fn()
	})
}

// explain says what an object that is not there means.
func (x *tx) explain(err error) error {
	switch {
	case !errors.Is(err, object.ErrNotFound):
		return err
	case time.Since(x.begun) >= x.c.o.Grace:
		return fmt.Errorf("the transaction of arrays is older than %v, and objects that it needs were removed; begin it anew: %w: %w",
			x.c.o.Grace, engine.ErrSwept, err)
	}
	return fmt.Errorf("%w: %w", engine.ErrCorrupt, err)
}

// find returns the array of an ID. Reading one counts: another's change of it is a conflict.
func (x *tx) find(id int64) (*array, error) {
	i, ok := (&head{arrays: x.arrays}).array(id)
	if !ok {
		x.all = true
		return nil, engine.ErrNotFound
	}
	x.touched[id] = true
	return x.arrays[i], nil
}

func (x *tx) named(name string) *array {
	for _, a := range x.arrays {
		if a.Name == name {
			x.touched[a.ID] = true
			return a
		}
	}
	x.all = true
	return nil
}

// own returns the transaction's own copy of an array, which it may change.
func (x *tx) own(id int64) (*array, error) {
	a, err := x.find(id)
	if err != nil || x.changed[id] {
		return a, err
	}
	i, _ := (&head{arrays: x.arrays}).array(id)
	x.arrays[i] = a.clone()
	x.changed[id] = true
	return x.arrays[i], nil
}

// Arrays lists the arrays.
func (x *tx) Arrays(ctx context.Context) (list []engine.Array, err error) {
	err = x.looking(ctx, func() error {
		x.all = true
		for _, a := range x.arrays {
			list = append(list, a.Array)
		}
		return nil
	})
	return list, err
}

// Array returns the array of that name.
func (x *tx) Array(ctx context.Context, name string) (found engine.Array, err error) {
	err = x.looking(ctx, func() error {
		a := x.named(name)
		if a == nil {
			return engine.ErrNotFound
		}
		found = a.Array
		return nil
	})
	return found, err
}

// ArraysNamed returns the arrays of some names.
func (x *tx) ArraysNamed(ctx context.Context, names ...string) (list []engine.Array, err error) {
	err = x.looking(ctx, func() error {
		for _, name := range names {
			if a := x.named(name); a != nil {
				list = append(list, a.Array)
			}
		}
		return nil
	})
	return list, err
}

// CreateArray makes an empty array.
func (x *tx) CreateArray(ctx context.Context, a engine.Array) (engine.Array, error) {
	err := x.writing(ctx, func() error {
		if a.Name == "" || a.ElemSize < 1 || a.Length != 0 || a.MinChunk < 1 || a.MaxChunk < a.MinChunk {
			return fmt.Errorf("array %+v: want a name, and sizes above 0: %w", a, engine.ErrInvalid)
		}
		if x.named(a.Name) != nil {
			return engine.ErrExists
		}
		x.lastID++
		a.ID = x.lastID
		x.arrays = append(x.arrays, &array{Array: a, inline: map[int64]*chunk{}})
		x.changed[a.ID], x.touched[a.ID] = true, true
		return nil
	})
	if err != nil {
		return engine.Array{}, err
	}
	return a, nil
}

// DropArray removes an array. Its objects stay until a sweep.
func (x *tx) DropArray(ctx context.Context, id int64) error {
	return x.writing(ctx, func() error {
		if _, err := x.find(id); err != nil {
			return err
		}
		x.arrays = slices.DeleteFunc(x.arrays, func(a *array) bool { return a.ID == id })
		delete(x.changed, id)
		x.dropped = true
		return nil
	})
}

// RenameArray gives an array another name.
func (x *tx) RenameArray(ctx context.Context, id int64, name string) error {
	return x.writing(ctx, func() error {
		if _, err := x.find(id); err != nil {
			return err
		}
		if name == "" {
			return fmt.Errorf("array without a name: %w", engine.ErrInvalid)
		}
		if other := x.named(name); other != nil && other.ID != id {
			return engine.ErrExists
		}
		a, err := x.own(id)
		if err == nil {
			a.Name = name
		}
		return err
	})
}

// SetArrayLength stores the number of elements.
func (x *tx) SetArrayLength(ctx context.Context, id, length int64) error {
	return x.writing(ctx, func() error {
		if length < 0 {
			return fmt.Errorf("length %d: %w", length, engine.ErrInvalid)
		}
		a, err := x.own(id)
		if err == nil {
			a.Length = length
		}
		return err
	})
}

// Rollback ends the transaction. What it uploaded stays until a sweep.
func (x *tx) Rollback() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.done = true
	x.arrays, x.base = nil, nil
	return nil
}
