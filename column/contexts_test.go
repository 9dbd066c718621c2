package column_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/ctxtest"
)

// contextElements is how many elements the columns c and text have.
const contextElements = 5000

// right makes a wrong answer without an error an error.
func right[T comparable](err error, got, want T) error {
	if err == nil && got != want {
		return fmt.Errorf("answered %v, want %v", got, want)
	}
	return err
}

func counted[T any](seq iter.Seq2[T, error], want int) error {
	n := 0
	for _, err := range seq {
		if err != nil {
			return err
		}
		n++
	}
	return right(nil, n, want)
}

// columnCalls are calls on the columns c and text, each with a check of its answer. Those that
// change something do so in an Update that is undone.
func columnCalls(v *kvault.Vault, c *column.Column[int64], text *column.Column[string]) map[string]func(ctx context.Context) error {
	undone := func(fn func(tx *kvault.Tx) error) error {
		var failed error
		err := v.Update(context.Background(), func(tx *kvault.Tx) error {
			failed = fn(tx)
			return errBoom
		})
		if err != errBoom {
			return err
		}
		return failed
	}
	return map[string]func(ctx context.Context) error{
		"Len":      func(ctx context.Context) error { n, err := c.Len(ctx); return right(err, n, contextElements) },
		"Get":      func(ctx context.Context) error { x, err := c.Get(ctx, 77); return right(err, x, 77) },
		"Get text": func(ctx context.Context) error { x, err := text.Get(ctx, 77); return right(err, x, "77") },
		"Index":    func(ctx context.Context) error { i, err := c.Index(ctx, 4000); return right(err, i, 4000) },
		"Contains": func(ctx context.Context) error { ok, err := text.Contains(ctx, "4000"); return right(err, ok, true) },
		"Slice": func(ctx context.Context) error {
			xs, err := text.Slice(ctx, 0, -1)
			return right(err, len(xs), contextElements-1)
		},
		"Pick": func(ctx context.Context) error {
			xs, err := c.Pick(ctx, []int64{4, 4000})
			return right(err, len(xs), 2)
		},
		"Count": func(ctx context.Context) error {
			n, err := c.Count(ctx, func(x int64) bool { return x%2 == 0 })
			return right(err, n, contextElements/2)
		},
		"All":   func(ctx context.Context) error { return counted(text.All(ctx), contextElements) },
		"Where": func(ctx context.Context) error { return counted(c.Where(ctx, func(x int64) bool { return x < 7 }), 7) },
		"Summarize": func(ctx context.Context) error {
			s, err := column.Summarize(ctx, c, nil)
			return right(err, s.Count, contextElements)
		},
		"List":   func(ctx context.Context) error { l, err := column.List(ctx, v); return right(err, len(l), 2) },
		"Open":   func(ctx context.Context) error { _, err := column.Open(ctx, v, "c", column.Int64); return err },
		"Ensure": func(ctx context.Context) error { _, err := column.Ensure(ctx, v, "c", column.Int64, nil); return err },
		"OpenAny": func(ctx context.Context) error {
			_, err := column.OpenAny(ctx, v, "text")
			return err
		},
		"Create": func(ctx context.Context) error {
			return undone(func(tx *kvault.Tx) error { _, err := column.Create(ctx, tx, "new", column.Int64, nil); return err })
		},
		"Append": func(ctx context.Context) error {
			return undone(func(tx *kvault.Tx) error { return c.In(tx).Append(ctx, 1) })
		},
		"Extend": func(ctx context.Context) error {
			return undone(func(tx *kvault.Tx) error { return text.In(tx).Extend(ctx, slices.Repeat([]string{"x"}, 3000)) })
		},
		"Insert": func(ctx context.Context) error {
			return undone(func(tx *kvault.Tx) error { return text.In(tx).Insert(ctx, 7, "x") })
		},
		"Set": func(ctx context.Context) error {
			return undone(func(tx *kvault.Tx) error { return text.In(tx).Set(ctx, 7, "xxx") })
		},
		"Delete": func(ctx context.Context) error {
			return undone(func(tx *kvault.Tx) error { return c.In(tx).Delete(ctx, 7) })
		},
		"Clear": func(ctx context.Context) error {
			return undone(func(tx *kvault.Tx) error { return c.In(tx).Clear(ctx) })
		},
		"Drop": func(ctx context.Context) error {
			return undone(func(tx *kvault.Tx) error { return column.Drop(ctx, tx, "c") })
		},
		"Rename": func(ctx context.Context) error {
			return undone(func(tx *kvault.Tx) error { return column.Rename(ctx, tx, "c", "d") })
		},
		"Compact": func(ctx context.Context) error { return text.Compact(ctx) },
	}
}

func TestContextsThatEnd(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		c, err := column.Create(ctx, v, "c", column.Int64, nil)
		must(t, err)
		text, err := column.Create(ctx, v, "text", column.Text(column.UTF8), nil)
		must(t, err)
		for i := range int64(contextElements) {
			if i == 1 {
				must(t, v.EnableCache(ctx, nil))
			}
			must(t, c.Append(ctx, i))
			must(t, text.Append(ctx, fmt.Sprint(i)))
		}
		must(t, v.DisableCache(ctx))
		for _, cached := range []bool{false, true} {
			if cached {
				must(t, v.EnableCache(ctx, nil))
			}
			for name, call := range columnCalls(v, c, text) {
				name = fmt.Sprintf("%s (cache %v)", name, cached)
				ctxtest.Before(t, name, call)
				ctxtest.During(t, name, call)
			}
		}
		n := int64(contextElements)
		ctxtest.During(t, "cached Append", func(ctx context.Context) error {
			err := c.Append(ctx, n)
			if err == nil {
				n++
			}
			return err
		})
		got, err := c.Len(ctx)
		if must(t, err); got != n {
			t.Errorf("%d elements after %d appends", got, n-contextElements)
		}
	})
}
