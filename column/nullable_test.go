package column_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func there[T any](x T) sql.Null[T] { return sql.Null[T]{V: x, Valid: true} }

// nulls returns a function for random elements, of which a third is null.
func nulls[T any](of func(*rand.Rand) T) func(*rand.Rand) sql.Null[T] {
	return func(r *rand.Rand) sql.Null[T] {
		if r.IntN(3) == 0 {
			return sql.Null[T]{}
		}
		return there(of(r))
	}
}

// Random calls on a nullable column do what they do to a slice.
func TestNullableModel(t *testing.T) {
	seconds := func(r *rand.Rand) time.Time { return time.Unix(int64(r.IntN(1e9)), 0).UTC() }
	t.Run("i64", func(t *testing.T) { nullableModel(t, column.Int64, func(r *rand.Rand) int64 { return int64(r.IntN(3)) }) })
	t.Run("str", func(t *testing.T) { nullableModel(t, column.String, wordOf) })
	t.Run("bytes:7", func(t *testing.T) {
		nullableModel(t, column.FixedBytes(7), func(r *rand.Rand) []byte { return []byte{byte(r.IntN(3)), 0, 0, 0, 0, 0, 0} })
	})
	t.Run("bool", func(t *testing.T) { nullableModel(t, column.Bool, func(r *rand.Rand) bool { return r.IntN(2) == 0 }) })
	t.Run("timestamp", func(t *testing.T) { nullableModel(t, column.Timestamp(time.Second), seconds) })
	t.Run("vec", func(t *testing.T) { nullableModel(t, column.Vector[float32](3), numbersOf[float32](3)) })
	t.Run("tensor", func(t *testing.T) { nullableModel(t, column.Tensors[int8](), tensorOf[int8]) })
	t.Run("msgpack", func(t *testing.T) { nullableModel(t, column.MessagePack[any](), valueOf) })
	t.Run("cbor:300", func(t *testing.T) {
		nullableModel(t, column.FixedCBOR[string](300), wordOf)
	})
}

func nullableModel[T any](t *testing.T, codec column.Codec[T], of func(*rand.Rand) T) {
	for _, cache := range []bool{false, true} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("cache %t/%d", cache, seed), func(t *testing.T) {
				path := newPath(t)
				m := &nullModel[T]{t: t, r: rand.New(rand.NewPCG(seed, 1)), codec: column.Nullable(codec), of: nulls(of)}
				for turn := range 3 {
					v, err := kvault.Open(t.Context(), path, nil)
					must(t, err)
					if cache {
						must(t, v.EnableCache(t.Context(), &kvault.CacheOptions{Threshold: 3000}))
					}
					o := &column.Options{MinChunk: 40, MaxChunk: 700}
					m.c, err = column.Ensure(t.Context(), v, "x", m.codec, o)
					must(t, err)
					for range 60 {
						m.step(v)
						m.compare(v)
					}
					if turn == 1 {
						must(t, m.c.Compact(t.Context()))
					}
					must(t, v.Close())
				}
				wantParts(t, path, int64(len(m.want)))
			})
		}
	}
}

// wantParts checks that the companion is as long as the data.
func wantParts(t *testing.T, path string, n int64) {
	t.Helper()
	got := raw(t, path, `SELECT length FROM col_meta WHERE name IN ('x', 'x_idx', 'x_valid')`)
	if want := fmt.Sprint(n); !slices.Equal(got, []string{want, want}) {
		t.Errorf("the parts have %s elements, want %d", got, n)
	}
}

type nullModel[T any] struct {
	t     *testing.T
	r     *rand.Rand
	c     *column.Column[sql.Null[T]]
	codec column.Codec[sql.Null[T]]
	of    func(*rand.Rand) sql.Null[T]
	want  []sql.Null[T]
}

func (m *nullModel[T]) some(n int) []sql.Null[T] {
	xs := make([]sql.Null[T], m.r.IntN(n))
	for i := range xs {
		xs[i] = m.of(m.r)
	}
	return xs
}

// step makes one change, or several in one transaction that is kept or not.
func (m *nullModel[T]) step(v *kvault.Vault) {
	if m.r.IntN(4) > 0 {
		m.change(m.c)
		return
	}
	before := slices.Clone(m.want)
	keep := m.r.IntN(2) == 0
	err := v.Update(m.t.Context(), func(tx *kvault.Tx) error {
		for range 3 {
			m.change(m.c.In(tx))
		}
		if !keep {
			return errBoom
		}
		return nil
	})
	if keep {
		must(m.t, err)
	} else {
		m.want = before
	}
}

func (m *nullModel[T]) change(c *column.Column[sql.Null[T]]) {
	ctx, n := m.t.Context(), len(m.want)
	at := 0
	if n > 0 {
		at = m.r.IntN(n)
	}
	switch what := m.r.IntN(12); {
	case what < 3:
		x := m.of(m.r)
		must(m.t, c.Append(ctx, x))
		m.want = append(m.want, x)
	case what < 6:
		xs := m.some(30)
		must(m.t, c.Extend(ctx, xs))
		m.want = append(m.want, xs...)
	case what < 8 && n > 0:
		x := m.of(m.r)
		must(m.t, c.Set(ctx, int64(at), x))
		m.want[at] = x
	case what == 8:
		x := m.of(m.r)
		must(m.t, c.Insert(ctx, int64(at), x))
		m.want = slices.Insert(m.want, at, x)
	case what < 11 && n > 0:
		must(m.t, c.Delete(ctx, int64(at)))
		m.want = slices.Delete(m.want, at, at+1)
	case what == 11 && m.r.IntN(10) == 0:
		must(m.t, c.Clear(ctx))
		m.want = nil
	}
}

func (m *nullModel[T]) compare(v *kvault.Vault) {
	m.t.Helper()
	ctx := m.t.Context()
	want := m.want
	holds(m.t, m.c, want)
	if len(want) == 0 {
		return
	}
	at := m.r.IntN(len(want))
	got, err := m.c.Get(ctx, int64(at))
	must(m.t, err)
	if diff := cmp.Diff(want[at], got); diff != "" {
		m.t.Fatalf("Get(%d) (-want +got):\n%s", at, diff)
	}
	b, err := m.codec.Append(nil, want[at])
	must(m.t, err)
	first := slices.IndexFunc(want, func(x sql.Null[T]) bool {
		other, err := m.codec.Append(nil, x)
		must(m.t, err)
		return slices.Equal(b, other)
	})
	if i, err := m.c.Index(ctx, want[at]); err != nil || i != int64(first) {
		m.t.Fatalf("Index: %d, %v; want %d", i, err, first)
	}
	picked, err := m.c.Pick(ctx, []int64{int64(at), -1, 0})
	must(m.t, err)
	if diff := cmp.Diff([]sql.Null[T]{want[at], want[len(want)-1], want[0]}, picked); diff != "" {
		m.t.Fatalf("Pick (-want +got):\n%s", diff)
	}
	missing, err := m.c.Count(ctx, func(x sql.Null[T]) bool { return !x.Valid })
	must(m.t, err)
	for i, err := range m.c.Where(ctx, func(x sql.Null[T]) bool { return !x.Valid }) {
		must(m.t, err)
		if missing--; want[i].Valid {
			m.t.Fatalf("element %d is there", i)
		}
	}
	if missing != 0 {
		m.t.Fatalf("Where and Count differ by %d", missing)
	}
	list, err := column.List(ctx, v)
	must(m.t, err)
	size := int64(m.codec.Size())
	wantSlice(m.t, list, column.Info{Name: "x", Type: m.codec.Type(), Len: int64(len(want)), Size: size})
}
