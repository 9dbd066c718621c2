package column_test

import (
	"context"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/mem"
	"github.com/kohakuvault/kvault/internal/unexported"
)

// failing is an engine of whose calls to arrays one fails.
type failing struct {
	*mem.Store
	after int // calls that succeed before; below 0 all do
}

type (
	arrays    = engine.Arrays // a field of the type's own name would hide its method Arrays
	failingTx struct {
		engine.Tx
		arrays
		s *failing
	}
)

func (s *failing) Begin(ctx context.Context, writable bool) (engine.Tx, error) {
	tx, err := s.Store.Begin(ctx, writable)
	if err != nil {
		return nil, err
	}
	return &failingTx{tx, tx.(engine.Arrays), s}, nil
}

func (t *failingTx) fails() error {
	t.s.after--
	if t.s.after == -1 {
		return errBoom
	}
	return nil
}

func (t *failingTx) Array(ctx context.Context, name string) (engine.Array, error) {
	if err := t.fails(); err != nil {
		return engine.Array{}, err
	}
	return t.arrays.Array(ctx, name)
}

func (t *failingTx) ArraysNamed(ctx context.Context, names ...string) ([]engine.Array, error) {
	if err := t.fails(); err != nil {
		return nil, err
	}
	return t.arrays.ArraysNamed(ctx, names...)
}

func (t *failingTx) CreateArray(ctx context.Context, a engine.Array) (engine.Array, error) {
	if err := t.fails(); err != nil {
		return engine.Array{}, err
	}
	return t.arrays.CreateArray(ctx, a)
}

func (t *failingTx) DropArray(ctx context.Context, id int64) error {
	if err := t.fails(); err != nil {
		return err
	}
	return t.arrays.DropArray(ctx, id)
}

func (t *failingTx) RenameArray(ctx context.Context, id int64, name string) error {
	if err := t.fails(); err != nil {
		return err
	}
	return t.arrays.RenameArray(ctx, id, name)
}

func (t *failingTx) SetArrayLength(ctx context.Context, id, length int64) error {
	if err := t.fails(); err != nil {
		return err
	}
	return t.arrays.SetArrayLength(ctx, id, length)
}

func (t *failingTx) Chunks(ctx context.Context, id int64) (int64, error) {
	if err := t.fails(); err != nil {
		return 0, err
	}
	return t.arrays.Chunks(ctx, id)
}

func (t *failingTx) ChunkSize(ctx context.Context, id, chunk int64) (int64, error) {
	if err := t.fails(); err != nil {
		return 0, err
	}
	return t.arrays.ChunkSize(ctx, id, chunk)
}

func (t *failingTx) ChunkUsed(ctx context.Context, id, chunk int64) (int64, bool, error) {
	if err := t.fails(); err != nil {
		return 0, false, err
	}
	return t.arrays.ChunkUsed(ctx, id, chunk)
}

func (t *failingTx) SetChunkUsed(ctx context.Context, id, chunk, used int64, deleted bool) error {
	if err := t.fails(); err != nil {
		return err
	}
	return t.arrays.SetChunkUsed(ctx, id, chunk, used, deleted)
}

func (t *failingTx) ReadChunk(ctx context.Context, id, chunk, off int64, p []byte) error {
	if err := t.fails(); err != nil {
		return err
	}
	return t.arrays.ReadChunk(ctx, id, chunk, off, p)
}

func (t *failingTx) WriteChunk(ctx context.Context, id, chunk, off int64, p []byte) error {
	if err := t.fails(); err != nil {
		return err
	}
	return t.arrays.WriteChunk(ctx, id, chunk, off, p)
}

func (t *failingTx) ResizeChunk(ctx context.Context, id, chunk, size int64) error {
	if err := t.fails(); err != nil {
		return err
	}
	return t.arrays.ResizeChunk(ctx, id, chunk, size)
}

func (t *failingTx) TruncateChunks(ctx context.Context, id, n int64) error {
	if err := t.fails(); err != nil {
		return err
	}
	return t.arrays.TruncateChunks(ctx, id, n)
}

// makeJoined makes a column as version 0.3 of the Python package would.
func makeJoined(t *testing.T, v *kvault.Vault, name string, maxChunk int64) *column.Column[string] {
	t.Helper()
	must(t, v.Update(t.Context(), func(tx *kvault.Tx) error {
		a, err := unexported.Arrays(tx)
		must(t, err)
		_, err = a.CreateArray(t.Context(), engine.Array{Name: name + "_data", Type: "str:utf8", ElemSize: 1, MinChunk: 10, MaxChunk: maxChunk})
		must(t, err)
		_, err = a.CreateArray(t.Context(), engine.Array{Name: name + "_idx", Type: "i64", ElemSize: 8, MinChunk: 10, MaxChunk: maxChunk})
		return err
	}))
	return openColumn(t, v, name, column.String)
}

// columns is a vault with a column of each layout.
type columns struct {
	s      *failing
	v      *kvault.Vault
	ints   *column.Column[int64]
	texts  *column.Column[string]
	joined *column.Column[string]
	nulls  *column.Column[column.Null[string]]
}

var maybe = []column.Null[string]{there("a"), {}, there(strings.Repeat("b", 30)), {}, there("")}

var words = []string{"a", strings.Repeat("b", 30), "c", strings.Repeat("d", 70), strings.Repeat("e", 40)}

func newColumns(t *testing.T) *columns {
	s := &failing{Store: mem.New(), after: -1}
	v, ctx := newOn(t, s), t.Context()
	c := &columns{s, v, create(t, v, "ints", column.Int64, tiny), create(t, v, "texts", column.String, tiny), makeJoined(t, v, "joined", 20),
		create(t, v, "nulls", column.Nullable(column.String), tiny)}
	must(t, c.ints.Extend(ctx, numbers(0, 20)))
	must(t, c.texts.Extend(ctx, words))
	must(t, c.joined.Extend(ctx, words))
	must(t, c.nulls.Extend(ctx, maybe))
	return c
}

// table has the two columns of text as its fields, with their usual length.
func (c *columns) table() *column.Table[string] {
	same := func(s *string) *string { return s }
	table, err := column.NewTable(column.Bind(c.texts, same), column.Bind(c.joined, same))
	if err != nil {
		panic(err)
	}
	return table
}

func textCalls(name string, of func(*columns) *column.Column[string], calls map[string]func(context.Context, *columns) error) {
	for call, run := range map[string]func(context.Context, *column.Column[string]) error{
		"extend":         func(ctx context.Context, c *column.Column[string]) error { return c.Extend(ctx, words) },
		"insert":         func(ctx context.Context, c *column.Column[string]) error { return c.Insert(ctx, 1, "new") },
		"delete":         func(ctx context.Context, c *column.Column[string]) error { return c.Delete(ctx, 1) },
		"delete a chunk": func(ctx context.Context, c *column.Column[string]) error { return c.Delete(ctx, 3) },
		"set longer": func(ctx context.Context, c *column.Column[string]) error {
			return c.Set(ctx, 1, strings.Repeat("x", 60))
		},
		"set shorter": func(ctx context.Context, c *column.Column[string]) error { return c.Set(ctx, 1, "x") },
		"clear":       func(ctx context.Context, c *column.Column[string]) error { return c.Clear(ctx) },
		"compact":     func(ctx context.Context, c *column.Column[string]) error { return c.Compact(ctx) },
		"slice":       func(ctx context.Context, c *column.Column[string]) error { _, err := c.Slice(ctx, 0, 20); return err },
	} {
		calls[name+" "+call] = func(ctx context.Context, c *columns) error { return run(ctx, of(c)) }
	}
}

// Whichever call to the engine fails, the column's call fails with its error and changes nothing.
func TestEveryFailureIsToldAndLeavesNothing(t *testing.T) {
	calls := map[string]func(context.Context, *columns) error{
		"create": func(ctx context.Context, c *columns) error {
			_, err := column.Create(ctx, c.v, "new", column.String, nil)
			return err
		},
		"open": func(ctx context.Context, c *columns) error {
			_, err := column.Open(ctx, c.v, "texts", column.String)
			return err
		},
		"migrate": func(ctx context.Context, c *columns) error {
			_, err := column.Migrate(ctx, c.v, "joined")
			return err
		},
		"rename":    func(ctx context.Context, c *columns) error { return column.Rename(ctx, c.v, "texts", "words") },
		"summarize": func(ctx context.Context, c *columns) error { _, err := column.Summarize(ctx, c.ints, nil); return err },
		"pick":      func(ctx context.Context, c *columns) error { _, err := c.ints.Pick(ctx, []int64{3, 1, 2}); return err },
		"table append": func(ctx context.Context, c *columns) error {
			return c.table().Append(ctx, words...)
		},
		"table read": func(ctx context.Context, c *columns) error {
			_, err := c.table().Pick(ctx, []int64{1, 2, 0})
			return err
		},
		"table set":    func(ctx context.Context, c *columns) error { return c.table().Set(ctx, 1, "new") },
		"table insert": func(ctx context.Context, c *columns) error { return c.table().Insert(ctx, 1, "new") },
		"table delete": func(ctx context.Context, c *columns) error { return c.table().Delete(ctx, 1) },

		"nulls extend":  func(ctx context.Context, c *columns) error { return c.nulls.Extend(ctx, maybe) },
		"nulls set":     func(ctx context.Context, c *columns) error { return c.nulls.Set(ctx, 0, column.Null[string]{}) },
		"nulls insert":  func(ctx context.Context, c *columns) error { return c.nulls.Insert(ctx, 1, column.Null[string]{}) },
		"nulls delete":  func(ctx context.Context, c *columns) error { return c.nulls.Delete(ctx, 1) },
		"nulls clear":   func(ctx context.Context, c *columns) error { return c.nulls.Clear(ctx) },
		"nulls compact": func(ctx context.Context, c *columns) error { return c.nulls.Compact(ctx) },
		"nulls slice":   func(ctx context.Context, c *columns) error { _, err := c.nulls.Slice(ctx, 0, 20); return err },
		"nulls rename":  func(ctx context.Context, c *columns) error { return column.Rename(ctx, c.v, "nulls", "maybe") },
		"nulls drop":    func(ctx context.Context, c *columns) error { return column.Drop(ctx, c.v, "nulls") },
		"nulls create": func(ctx context.Context, c *columns) error {
			_, err := column.Create(ctx, c.v, "more nulls", column.Nullable(column.Int64), nil)
			return err
		},
		"allow nulls": func(ctx context.Context, c *columns) error { return column.AllowNulls(ctx, c.v, "ints") },
		"forbid nulls": func(ctx context.Context, c *columns) error {
			return c.v.Update(ctx, func(tx *kvault.Tx) error {
				if err := column.AllowNulls(ctx, tx, "texts"); err != nil {
					return err
				}
				return column.ForbidNulls(ctx, tx, "texts")
			})
		},

		"drop":        func(ctx context.Context, c *columns) error { return column.Drop(ctx, c.v, "texts") },
		"ints extend": func(ctx context.Context, c *columns) error { return c.ints.Extend(ctx, numbers(0, 20)) },
		"ints insert": func(ctx context.Context, c *columns) error { return c.ints.Insert(ctx, 1, 7) },
		"ints delete": func(ctx context.Context, c *columns) error { return c.ints.Delete(ctx, 1) },
		"ints set":    func(ctx context.Context, c *columns) error { return c.ints.Set(ctx, 1, 7) },
		"ints clear":  func(ctx context.Context, c *columns) error { return c.ints.Clear(ctx) },
		"ints search": func(ctx context.Context, c *columns) error { _, err := c.ints.Index(ctx, 19); return err },
	}
	textCalls("texts", func(c *columns) *column.Column[string] { return c.texts }, calls)
	textCalls("joined", func(c *columns) *column.Column[string] { return c.joined }, calls)
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			c := newColumns(t)
			for n := range 1000 {
				c.s.after = n
				err := call(t.Context(), c)
				reached := c.s.after < 0
				c.s.after = -1
				if !reached {
					must(t, err)
					if n == 0 {
						t.Error("it calls nothing that can fail")
					}
					return
				}
				wantErr(t, err, errBoom)
				holds(t, c.ints, numbers(0, 20))
				holds(t, c.texts, words)
				holds(t, c.joined, words)
				holds(t, c.nulls, maybe)
			}
			t.Error("it never succeeds")
		})
	}
}

// Tails longer than what is moved at a time, and indexes longer than what is read.
func TestLarge(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		const n = 70_000
		ints, texts, joined := create(t, v, "ints", column.Int64, nil), create(t, v, "texts", column.String, nil), makeJoined(t, v, "joined", 4001)
		must(t, ints.Extend(ctx, numbers(0, n)))
		must(t, ints.Insert(ctx, 1, -1))
		must(t, ints.Delete(ctx, 0))
		holds(t, ints, append([]int64{-1}, numbers(1, n)...))
		many := make([]string, 9000)
		for i := range many {
			many[i] = strings.Repeat("x", i%7) + string(rune('a'+i%26))
		}
		want := append([]string{"first", "second"}, many[1:]...)
		for c, xs := range map[*column.Column[string]][]string{texts: many, joined: many[:8500]} {
			must(t, c.Extend(ctx, xs))
			must(t, c.Set(ctx, 0, "second"))
			must(t, c.Insert(ctx, 0, "first"))
			must(t, c.Insert(ctx, 1, "third"))
			must(t, c.Delete(ctx, 1))
			must(t, c.Compact(ctx))
			holds(t, c, want[:len(xs)+1])
		}
	})
}

func TestTextThatIsNone(t *testing.T) {
	v := newOn(t, mem.New())
	must(t, create(t, v, "b", column.Bytes, nil).Append(t.Context(), []byte{0xff}))
	c, err := column.Open(t.Context(), v, "b", column.Codec[string](relabeled{column.String}))
	must(t, err)
	_, err = c.Get(t.Context(), 0)
	wantErr(t, err, kvault.ErrCorrupt)
	for _, err := range c.All(t.Context()) {
		wantErr(t, err, kvault.ErrCorrupt)
	}
}

// relabeled reads any bytes as text.
type relabeled struct{ column.Codec[string] }

func (relabeled) Type() string { return "bytes" }
