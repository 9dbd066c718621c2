package kvault_test

import (
	"context"
	"errors"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/mem"
	"github.com/kohakuvault/kvault/internal/unexported"
)

// busyArrays is an engine whose arrays are busy for some calls.
type busyArrays struct {
	*mem.Store
	busy int
}

type (
	arrays       = engine.Arrays // a field of the type's own name would hide its method Arrays
	busyArraysTx struct {
		engine.Tx
		arrays
		s *busyArrays
	}
)

func (s *busyArrays) Begin(ctx context.Context, writable bool) (engine.Tx, error) {
	tx, err := s.Store.Begin(ctx, writable)
	if err != nil {
		return nil, err
	}
	return &busyArraysTx{tx, tx.(engine.Arrays), s}, nil
}

func (t *busyArraysTx) Array(ctx context.Context, name string) (engine.Array, error) {
	if t.s.busy > 0 {
		t.s.busy--
		return engine.Array{}, engine.ErrBusy
	}
	return t.arrays.Array(ctx, name)
}

func wantIs(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func TestArraysOfATransaction(t *testing.T) {
	s := &busyArrays{Store: mem.New()}
	v, ctx := newOn(t, s, quick), t.Context()
	defer v.Close()
	var kept engine.Arrays
	var tx *kvault.Tx
	want := engine.Array{Name: "a", Type: "i64", ElemSize: 8, MinChunk: 8, MaxChunk: 8}
	err := v.Update(ctx, func(x *kvault.Tx) (err error) {
		tx = x
		if kept, err = unexported.Arrays(x); err != nil {
			return err
		}
		want, err = kept.CreateArray(ctx, want)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = kept.Array(ctx, "a")
	wantIs(t, err, kvault.ErrTxDone)
	wantIs(t, kept.WriteChunk(ctx, want.ID, 0, 0, nil), kvault.ErrTxDone)
	_, err = unexported.Arrays(tx)
	wantIs(t, err, kvault.ErrTxDone)
	err = v.View(ctx, func(x *kvault.Tx) error {
		a, err := unexported.Arrays(x)
		if err != nil {
			return err
		}
		s.busy = 3
		if got, err := a.Array(ctx, "a"); err != nil || got != want {
			t.Errorf("Array: %+v, %v", got, err)
		}
		s.busy = 4
		_, err = a.Array(ctx, "a")
		wantIs(t, err, kvault.ErrBusy)
		wantIs(t, a.ResizeChunk(ctx, want.ID, 0, 8), kvault.ErrReadOnly)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestEngineWithoutArrays(t *testing.T) {
	v := newVault(t, quick)
	err := v.View(t.Context(), func(x *kvault.Tx) error {
		_, err := unexported.Arrays(x)
		return err
	})
	wantIs(t, err, kvault.ErrUnsupported)
}
