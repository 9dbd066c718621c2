package kvault

import (
	"context"
	"errors"

	"github.com/kohakuvault/kvault/engine"
)

// keyless is a transaction of a store whose transactions hold arrays alone.
type keyless struct {
	engine.ArrayTx
	id string // of the commit, or empty
}

func (keyless) Get(context.Context, string) ([]byte, error) { return nil, ErrUnsupported }
func (keyless) Stat(context.Context, string) (engine.Entry, error) {
	return engine.Entry{}, ErrUnsupported
}
func (keyless) Open(context.Context, string) (engine.Blob, error) { return nil, ErrUnsupported }
func (keyless) List(context.Context, engine.Query) (engine.Page, error) {
	return engine.Page{}, ErrUnsupported
}
func (keyless) Count(context.Context, engine.Range) (int64, error) { return 0, ErrUnsupported }

func (keyless) Apply(context.Context, []engine.Op) ([]engine.Result, error) {
	return nil, ErrUnsupported
}

func (keyless) Stage(context.Context, engine.StageOptions) (engine.Stage, error) {
	return nil, ErrUnsupported
}

func (k keyless) Commit(ctx context.Context) error { return k.ArrayTx.Commit(ctx, k.id) }

// beginArrays makes transactions of s look like others.
func beginArrays(s engine.ArrayBeginner, id string) beginner {
	return func(ctx context.Context, writable bool) (engine.Tx, error) {
		x, err := s.BeginArrays(ctx, writable)
		if err != nil {
			return nil, err
		}
		return keyless{x, id}, nil
	}
}

// viewArrays is view for what reads arrays alone.
func (v *Vault) viewArrays(ctx context.Context, fn func(*Tx) error) error {
	if s, ok := v.store.(engine.ArrayBeginner); ok {
		return v.viewFrom(ctx, beginArrays(s, ""), fn)
	}
	return v.view(ctx, fn)
}

// updateArrays is update for what changes arrays alone. Where another writer changed the same, fn
// runs again.
func (v *Vault) updateArrays(ctx context.Context, fn func(*Tx) error) error {
	s, ok := v.store.(engine.ArrayBeginner)
	if !ok {
		return v.update(ctx, fn)
	}
	return v.change(ctx, func() error {
		return v.cache.exclusive(ctx, func() error { return v.runArrays(ctx, s, "", fn, nil) })
	})
}

// runArrays is runUpdate for a store whose transactions hold arrays alone.
func (v *Vault) runArrays(ctx context.Context, s engine.ArrayBeginner, id string, fn func(*Tx) error,
	around func(commit func() error) error,
) error {
	again := func(err error) bool { return errors.Is(err, ErrConflict) }
	return retryIf(ctx, &v.opt, again, func() error {
		return v.runUpdate(ctx, beginArrays(s, id), fn, around)
	})
}
