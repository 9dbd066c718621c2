package enginetest

import (
	"context"
	"errors"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

// arrayChange is a change that a writer makes, and what shows that it took effect.
type arrayChange struct {
	do func(ctx context.Context, x engine.Arrays, a, b int64) error
	is func(ctx context.Context, x engine.Arrays, a, b int64) bool
}

func writeTo(second bool, off int64, text string) arrayChange {
	id := func(a, b int64) int64 {
		if second {
			return b
		}
		return a
	}
	return arrayChange{
		func(ctx context.Context, x engine.Arrays, a, b int64) error {
			return x.WriteChunk(ctx, id(a, b), 0, off, []byte(text))
		},
		func(ctx context.Context, x engine.Arrays, a, b int64) bool {
			p := make([]byte, len(text))
			return x.ReadChunk(ctx, id(a, b), 0, off, p) == nil && string(p) == text
		},
	}
}

func createNamed(name string) arrayChange {
	return arrayChange{
		func(ctx context.Context, x engine.Arrays, _, _ int64) error {
			_, err := x.CreateArray(ctx, newArray(name))
			return err
		},
		func(ctx context.Context, x engine.Arrays, _, _ int64) bool {
			_, err := x.Array(ctx, name)
			return err == nil
		},
	}
}

func renameA(name string) arrayChange {
	return arrayChange{
		func(ctx context.Context, x engine.Arrays, a, _ int64) error {
			return x.RenameArray(ctx, a, name)
		},
		func(ctx context.Context, x engine.Arrays, a, _ int64) bool {
			found, err := x.Array(ctx, name)
			return err == nil && found.ID == a
		},
	}
}

// appendTo adds a chunk to the array a, of a text that tells who did.
func appendTo(text string) arrayChange {
	return arrayChange{
		func(ctx context.Context, x engine.Arrays, a, _ int64) error {
			n, err := x.Chunks(ctx, a)
			if err != nil {
				return err
			}
			return errors.Join(
				x.ResizeChunk(ctx, a, n, int64(len(text))),
				x.WriteChunk(ctx, a, n, 0, []byte(text)),
				x.SetArrayLength(ctx, a, n))
		},
		func(ctx context.Context, x engine.Arrays, a, _ int64) bool {
			n, _ := x.Chunks(ctx, a)
			p := make([]byte, len(text))
			for i := range n {
				size, _ := x.ChunkSize(ctx, a, i)
				if size != int64(len(p)) || x.ReadChunk(ctx, a, i, 0, p) != nil {
					continue
				}
				if string(p) == text {
					return true
				}
			}
			return false
		},
	}
}

var dropA = arrayChange{
	func(ctx context.Context, x engine.Arrays, a, _ int64) error { return x.DropArray(ctx, a) },
	func(ctx context.Context, x engine.Arrays, a, _ int64) bool {
		_, err := x.Chunks(ctx, a)
		return errors.Is(err, engine.ErrNotFound)
	},
}

// testArrayConflicts commits two transactions of the same snapshot. The second loses and changes
// nothing; only where both can have their effect may it succeed.
func testArrayConflicts(t *testing.T, s arrayStore) {
	for _, tt := range []struct {
		name          string
		first, second arrayChange
		exclude       bool // both cannot take effect
	}{
		{"different arrays", writeTo(false, 0, "first"), writeTo(true, 0, "second"), false},
		{"parts of one chunk", writeTo(false, 0, "1st"), writeTo(false, 4, "2nd"), false},
		{"new arrays", createNamed("c"), createNamed("d"), false},
		{"the same new array", createNamed("c"), createNamed("c"), true},
		{"the same name", createNamed("c"), renameA("c"), true},
		{"two names", renameA("c"), renameA("d"), true},
		{"a write to what was dropped", dropA, writeTo(false, 0, "late"), true},
		{"appends", appendTo("one"), appendTo("two"), true},
		{"a new array beside an append", appendTo("one"), createNamed("c"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clearArrays(t, s)
			ctx := t.Context()
			a, b := twoArrays(t, s)
			first, second := beginArrays(t, s, true), beginArrays(t, s, true)
			must(t, "the first change", tt.first.do(ctx, first, a.ID, b.ID))
			must(t, "the second change", tt.second.do(ctx, second, a.ID, b.ID))
			commitArrays(t, first)
			x := beginArrays(t, s, false)
			after := contentOf(t, x)
			if !tt.first.is(ctx, x, a.ID, b.ID) {
				t.Error("the first writer's change is not there")
			}
			rollbackArrays(t, x)
			err := second.Commit(ctx, "")
			_, ended := second.Arrays(ctx)
			wantErr(t, "Arrays after a Commit", ended, engine.ErrTxDone)
			rollbackArrays(t, second)
			if err != nil {
				wantErr(t, "Commit of the second writer", err, engine.ErrConflict)
				seesNow(t, "the loser changed something", s, after)
				return
			}
			x = beginArrays(t, s, false)
			if tt.exclude || !tt.first.is(ctx, x, a.ID, b.ID) || !tt.second.is(ctx, x, a.ID, b.ID) {
				t.Errorf("both committed, and the arrays are %+v", contentOf(t, x))
			}
		})
	}
}

func clearArrays(t *testing.T, s arrayStore) {
	t.Helper()
	x := beginArrays(t, s, true)
	list, err := x.Arrays(t.Context())
	must(t, "Arrays", err)
	for _, a := range list {
		must(t, "DropArray", x.DropArray(t.Context(), a.ID))
	}
	commitArrays(t, x)
}
