package mem

import (
	"context"
	"fmt"

	"github.com/kohakuvault/kvault/engine"
	"github.com/ncruces/wbt"
)

// arrayTree holds the arrays by ID; nil is empty.
type arrayTree = wbt.Tree[int64, *array]

// array is one state of an array.
type array struct {
	engine.Array
	chunks *wbt.Tree[int64, *chunk]
}

var _ engine.Arrays = (*tx)(nil)

// looking runs fn, which reads arrays.
func (x *tx) looking(ctx context.Context, fn func() error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.usable(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return fn()
}

// changing runs fn on a copy of an array, which replaces the array if fn returns nil.
func (x *tx) changing(ctx context.Context, id int64, fn func(*array) error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.writing(ctx); err != nil {
		return err
	}
	a, err := x.array(id)
	if err != nil {
		return err
	}
	next := *a
	if err := fn(&next); err != nil {
		return err
	}
	x.state.arrays = x.state.arrays.Put(id, &next)
	return nil
}

func (x *tx) array(id int64) (*array, error) {
	a, ok := x.state.arrays.Get(id)
	if !ok {
		return nil, engine.ErrNotFound
	}
	return a, nil
}

func (x *tx) named(name string) *array {
	for _, a := range x.state.arrays.Ascend() {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// Arrays lists the arrays.
func (x *tx) Arrays(ctx context.Context) (list []engine.Array, err error) {
	err = x.looking(ctx, func() error {
		for _, a := range x.state.arrays.Ascend() {
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
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.writing(ctx); err != nil {
		return engine.Array{}, err
	}
	if a.Name == "" || a.ElemSize < 1 || a.Length != 0 || a.MinChunk < 1 || a.MaxChunk < a.MinChunk {
		return engine.Array{}, fmt.Errorf("array %+v: want a name, and sizes above 0: %w", a, engine.ErrInvalid)
	}
	if x.named(a.Name) != nil {
		return engine.Array{}, engine.ErrExists
	}
	x.state.lastID++
	a.ID = x.state.lastID
	x.state.arrays = x.state.arrays.Put(a.ID, &array{Array: a})
	return a, nil
}

// DropArray removes an array.
func (x *tx) DropArray(ctx context.Context, id int64) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.writing(ctx); err != nil {
		return err
	}
	if _, err := x.array(id); err != nil {
		return err
	}
	x.state.arrays = x.state.arrays.Delete(id)
	return nil
}

// RenameArray gives an array another name.
func (x *tx) RenameArray(ctx context.Context, id int64, name string) error {
	return x.changing(ctx, id, func(a *array) error {
		if name == "" {
			return fmt.Errorf("array without a name: %w", engine.ErrInvalid)
		}
		if other := x.named(name); other != nil && other.ID != id {
			return engine.ErrExists
		}
		a.Name = name
		return nil
	})
}

// SetArrayLength stores the number of elements.
func (x *tx) SetArrayLength(ctx context.Context, id, length int64) error {
	return x.changing(ctx, id, func(a *array) error {
		if length < 0 {
			return fmt.Errorf("length %d: %w", length, engine.ErrInvalid)
		}
		a.Length = length
		return nil
	})
}
