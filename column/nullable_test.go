package column_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func there[T any](x T) column.Null[T] { return column.Null[T]{V: x, Valid: true} }

// nulls returns a function for random elements, of which a third is null.
func nulls[T any](of func(*rand.Rand) T) func(*rand.Rand) column.Null[T] {
	return func(r *rand.Rand) column.Null[T] {
		if r.IntN(3) == 0 {
			return column.Null[T]{}
		}
		return there(of(r))
	}
}

// Random calls on a nullable column do what they do to a slice.
func TestNullableModel(t *testing.T) {
	seconds := func(r *rand.Rand) time.Time { return time.Unix(int64(r.IntN(1e9)), 0).UTC() }
	t.Run("i64", func(t *testing.T) {
		nullableModel(t, column.Int64, func(r *rand.Rand) int64 { return int64(r.IntN(3)) })
	})
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
		for seed := range uint64(2) {
			t.Run(fmt.Sprintf("cache %t/%d", cache, seed), func(t *testing.T) {
				path := newPath(t)
				m := &nullModel[T]{t: t, r: rand.New(rand.NewPCG(seed, 1)), codec: column.Nullable(codec), of: nulls(of)}
				for turn := range 2 {
					v, err := kvault.Open(t.Context(), path, nil)
					must(t, err)
					if cache {
						must(t, v.EnableCache(t.Context(), &kvault.CacheOptions{Threshold: 3000}))
					}
					o := &column.Options{MinChunk: 40, MaxChunk: 700}
					m.c, err = column.Ensure(t.Context(), v, "x", m.codec, o)
					must(t, err)
					for i := range 60 {
						m.step(v)
						if i%5 == 4 {
							m.compare(v)
						}
					}
					if turn == 0 {
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
	c     *column.Column[column.Null[T]]
	codec column.Codec[column.Null[T]]
	of    func(*rand.Rand) column.Null[T]
	want  []column.Null[T]
}

func (m *nullModel[T]) some(n int) []column.Null[T] {
	xs := make([]column.Null[T], m.r.IntN(n))
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

func (m *nullModel[T]) change(c *column.Column[column.Null[T]]) {
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
	first := slices.IndexFunc(want, func(x column.Null[T]) bool {
		other, err := m.codec.Append(nil, x)
		must(m.t, err)
		return slices.Equal(b, other)
	})
	if i, err := m.c.Index(ctx, want[at]); err != nil || i != int64(first) {
		m.t.Fatalf("Index: %d, %v; want %d", i, err, first)
	}
	picked, err := m.c.Pick(ctx, []int64{int64(at), -1, 0})
	must(m.t, err)
	if diff := cmp.Diff([]column.Null[T]{want[at], want[len(want)-1], want[0]}, picked); diff != "" {
		m.t.Fatalf("Pick (-want +got):\n%s", diff)
	}
	missing, err := m.c.Count(ctx, func(x column.Null[T]) bool { return !x.Valid })
	must(m.t, err)
	for i, err := range m.c.Where(ctx, func(x column.Null[T]) bool { return !x.Valid }) {
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

// All calls on names keep the parts of a nullable column together, and no other column comes
// between them.
func TestNamesOfNullableColumns(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		wantList := func(want string) {
			t.Helper()
			list, err := column.List(ctx, v)
			must(t, err)
			var got []string
			for _, info := range list {
				got = append(got, fmt.Sprintf("%s %s %d", info.Name, info.Type, info.Len))
			}
			if all := strings.Join(got, ", "); all != want {
				t.Errorf("the columns are %s; want %s", all, want)
			}
		}
		x := create(t, v, "x", column.Nullable(column.Int64), nil)
		must(t, x.Extend(ctx, []column.Null[int64]{there(int64(1)), {}}))
		s := create(t, v, "s", column.Nullable(column.String), nil)
		must(t, s.Extend(ctx, []column.Null[string]{there("a"), {}, there("")}))
		wantList("x i64:null 2, s str:utf8:null 3")

		for _, name := range []string{"x_valid", "s_valid", "x", "s", "s_data"} {
			_, err := column.Create(ctx, v, name, column.Int64, nil)
			if err == nil {
				t.Errorf("%s was made", name)
			}
			_, err = column.Create(ctx, v, name, column.Nullable(column.String), nil)
			if err == nil {
				t.Errorf("%s was made of texts", name)
			}
		}
		wantErr(t, column.Drop(ctx, v, "x_valid"), kvault.ErrInvalid)
		wantErr(t, column.Rename(ctx, v, "x_valid", "y"), kvault.ErrInvalid)
		_, err := column.OpenAny(ctx, v, "s_valid")
		wantErr(t, err, kvault.ErrInvalid)

		taken := create(t, v, "taken_valid", column.Int64, nil)
		_, err = column.Create(ctx, v, "taken", column.Nullable(column.Int64), nil)
		wantErr(t, err, kvault.ErrExists)
		wantErr(t, column.Rename(ctx, v, "x", "taken"), kvault.ErrExists)
		plain := create(t, v, "taken", column.Int64, nil)
		wantErr(t, column.AllowNulls(ctx, v, "taken"), kvault.ErrExists)
		holds(t, plain, nil)
		holds(t, taken, nil)
		must(t, column.Drop(ctx, v, "taken"))
		must(t, column.Drop(ctx, v, "taken_valid"))
		long := create(t, v, "long_valid", column.String, nil)
		_, err = column.Create(ctx, v, "long", column.Nullable(column.Int64), nil)
		wantErr(t, err, kvault.ErrExists)
		holds(t, long, nil)
		must(t, column.Drop(ctx, v, "long_valid"))

		must(t, column.Rename(ctx, v, "x", "y"))
		must(t, column.Rename(ctx, v, "s", "x"))
		wantList("y i64:null 2, x str:utf8:null 3")
		holds(t, openColumn(t, v, "y", column.Nullable(column.Int64)), []column.Null[int64]{there(int64(1)), {}})
		holds(t, openColumn(t, v, "x", column.Nullable(column.String)), []column.Null[string]{there("a"), {}, there("")})
		must(t, column.Drop(ctx, v, "y"))
		must(t, column.Drop(ctx, v, "x"))
		wantList("")
	})
}

// A column whose validity is another column's leftover is not made nullable by its name.
func TestValidityWithoutAColumn(t *testing.T) {
	path := newPath(t)
	script(t, path, metaOf021, chunksOf040, `INSERT INTO col_meta VALUES(1, 'x_valid', 'bytes:1:validity', 1, 3, 16, 16, 16)`,
		`INSERT INTO col_chunks(col_id, chunk_idx, data, actual_size) VALUES(1, 0, x'01 00 01', 3)`)
	v, ctx := openFile(t, path), t.Context()
	left := openColumn(t, v, "x_valid", column.FixedBytes(1))
	holds(t, left, [][]byte{{1}, {0}, {1}})
	_, err := column.Create(ctx, v, "x", column.Int64, nil)
	wantErr(t, err, kvault.ErrExists)
	create(t, v, "y", column.Int64, nil)
	wantErr(t, column.Rename(ctx, v, "y", "x"), kvault.ErrExists)
	must(t, column.Rename(ctx, v, "x_valid", "z_valid"))
	must(t, column.Rename(ctx, v, "z_valid", "y_valid")) // it is older than y, and so not about y
	holds(t, openColumn(t, v, "y", column.Int64), nil)
	must(t, column.Drop(ctx, v, "y_valid"))
}

// A program that knows nothing of validity deletes a nullable column, and makes another by its
// name. What it leaves behind says nothing of the new one, also once that is as long.
func TestValidityOfADeletedColumn(t *testing.T) {
	for _, typ := range []string{"i64", "str:utf8"} {
		path := newPath(t)
		v, ctx := openFile(t, path), t.Context()
		_, err := column.CreateAny(ctx, v, "x", typ+":null", nil)
		must(t, err)
		create(t, v, "later", column.Int64, nil)
		must(t, v.Close())
		remove := `DELETE FROM col_meta WHERE name IN ('x', 'x_data', 'x_idx')`
		if typ == "i64" {
			script(t, path, remove, `INSERT INTO col_meta VALUES(9, 'x', 'i64', 8, 0, 131072, 131072, 131072)`)
		} else {
			script(t, path, remove, `INSERT INTO col_meta VALUES(9, 'x_data', 'str:utf8', 1, 0, 131072, 131072, 131072), (10, 'x_idx', 'adaptive_idx', 12, 0, 131072, 131072, 131072)`)
		}
		v = openFile(t, path)
		d, err := column.OpenAny(ctx, v, "x")
		must(t, err)
		if d.Type() != typ {
			t.Errorf("the new column is of type %s, want %s", d.Type(), typ)
		}
		list, err := column.List(ctx, v)
		must(t, err)
		var names []string
		for _, info := range list {
			names = append(names, info.Name+" "+info.Type)
		}
		if want := []string{"later i64", "x " + typ, "x_valid bytes:1:validity"}; !slices.Equal(slices.Sorted(slices.Values(names)), want) {
			t.Errorf("listed are %q, want %q", names, want)
		}
		must(t, column.Drop(ctx, v, "x_valid"))
		must(t, column.AllowNulls(ctx, v, "x"))
	}
}

func TestTypesOfNullableColumns(t *testing.T) {
	v, ctx := openFile(t, newPath(t)), t.Context()
	create(t, v, "n", column.Nullable(column.Int64), nil)
	create(t, v, "i", column.Int64, nil)
	var wrong *column.TypeError
	_, err := column.Open(ctx, v, "n", column.Int64)
	if !errors.As(err, &wrong) || *wrong != (column.TypeError{Column: "n", Type: "i64:null", Want: "i64"}) {
		t.Error(err)
	}
	_, err = column.Open(ctx, v, "i", column.Nullable(column.Int64))
	if !errors.As(err, &wrong) || *wrong != (column.TypeError{Column: "i", Type: "i64", Want: "i64:null"}) {
		t.Error(err)
	}
	_, err = column.Open(ctx, v, "n", column.Nullable(column.Float64))
	if !errors.As(err, &wrong) {
		t.Error(err)
	}
	for typ, want := range map[string]string{
		"i64:null": "*column.Column[github.com/kohakuvault/kvault/column.Null[int64]] i64:null", "str:null": "*column.Column[github.com/kohakuvault/kvault/column.Null[string]] str:utf8:null",
		"timestamp:null": "*column.Column[github.com/kohakuvault/kvault/column.Null[time.Time]] i64:timestamp:us:null", "bool:null": "*column.Column[github.com/kohakuvault/kvault/column.Null[bool]] bytes:1:bool:null",
		"vec:u8:2:null": "*column.Column[github.com/kohakuvault/kvault/column.Null[[]uint8]] vec:u8:2:null", "cbor:null": "*column.Column[github.com/kohakuvault/kvault/column.Null[interface {}]] cbor:null",
	} {
		if !column.KnownType(typ) {
			t.Errorf("%s is not known", typ)
		}
		_, err := column.CreateAny(ctx, v, typ, typ, nil)
		must(t, err)
		d, err := column.OpenAny(ctx, v, typ)
		must(t, err)
		if got := fmt.Sprintf("%T %s", d, d.Type()); got != want {
			t.Errorf("%s is a %s, want %s", typ, got, want)
		}
	}
	for _, bad := range []string{"null", ":null", "i64:null:null", "i65:null", "i64:null:date"} {
		if column.KnownType(bad) {
			t.Errorf("%s is known", bad)
		}
	}
	_, err = column.Create(ctx, v, "bad", column.Nullable(column.Nullable(column.Int64)), nil)
	wantErr(t, err, kvault.ErrInvalid)
	for _, bad := range []string{"i64:null", "own:null", "bytes:1:validity"} {
		_, err = column.Create(ctx, v, "bad", column.Codec[string](named{column.String, bad}), nil)
		wantErr(t, err, kvault.ErrInvalid)
	}
	own := create(t, v, "own", column.Nullable(column.Codec[string](named{column.String, "own"})), nil)
	must(t, own.Append(ctx, there("x")))
	holds(t, own, []column.Null[string]{there("x")})
}

// named is a codec of another type.
type named struct {
	column.Codec[string]
	typ string
}

func (n named) Type() string { return n.typ }

func TestAllowNulls(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		ints, joined := create(t, v, "i", column.Int64, tiny), makeJoined(t, v, "j", 20)
		must(t, ints.Extend(ctx, numbers(0, 30)))
		must(t, joined.Extend(ctx, words))
		for _, name := range []string{"i", "j", "i"} { // again is no error
			must(t, column.AllowNulls(ctx, v, name))
		}
		var wrong *column.TypeError
		if _, err := ints.Get(ctx, 0); !errors.As(err, &wrong) {
			t.Error(err)
		}
		maybe, texts := openColumn(t, v, "i", column.Nullable(column.Int64)), openColumn(t, v, "j", column.Nullable(column.String))
		must(t, maybe.Insert(ctx, 1, column.Null[int64]{}))
		must(t, texts.Set(ctx, 1, column.Null[string]{}))
		migrated, err := column.Migrate(ctx, v, "j")
		if must(t, err); !migrated {
			t.Error("nothing was migrated")
		}
		want := []column.Null[string]{}
		for i, word := range words {
			want = append(want, column.Null[string]{V: word, Valid: true})
			if i == 1 {
				want[i] = column.Null[string]{}
			}
		}
		holds(t, texts, want)
		if x, err := maybe.Slice(ctx, 0, 3); err != nil || !slices.Equal(x, []column.Null[int64]{there(int64(0)), {}, there(int64(1))}) {
			t.Errorf("%v, %v", x, err)
		}
		err = column.ForbidNulls(ctx, v, "i")
		wantErr(t, err, kvault.ErrInvalid)
		if err == nil || !strings.Contains(err.Error(), "element 1 ") {
			t.Errorf("%v does not name the element", err)
		}
		must(t, maybe.Delete(ctx, 1))
		must(t, column.ForbidNulls(ctx, v, "i"))
		must(t, column.ForbidNulls(ctx, v, "i"))
		holds(t, ints, numbers(0, 30))
		for _, call := range []func(context.Context, *kvault.Vault, string) error{column.AllowNulls[*kvault.Vault], column.ForbidNulls[*kvault.Vault]} {
			wantErr(t, call(ctx, v, "missing"), kvault.ErrNotFound)
		}
	})
}

// What another program may have made of the validity.
func TestHostileValidity(t *testing.T) {
	const data = `INSERT INTO col_meta VALUES(1, 'x', 'i64', 8, 3, 64, 64, 64)`
	const chunk = `INSERT INTO col_chunks(col_id, chunk_idx, data, actual_size) VALUES(1, 0, x'0100000000000000 0200000000000000 0300000000000000', 24)`
	for name, tt := range map[string]struct {
		meta, chunk string
		want        string // the elements, or an error
		kind        error
	}{
		"as it is":        {`(2, 'x_valid', 'bytes:1:validity', 1, 3, 16, 16, 16)`, `x'01 00 01', 3`, "1 - 3", nil},
		"shorter":         {`(2, 'x_valid', 'bytes:1:validity', 1, 1, 16, 16, 16)`, `x'00', 1`, "- 2 3", nil},
		"empty":           {`(2, 'x_valid', 'bytes:1:validity', 1, 0, 16, 16, 16)`, `x'', 0`, "1 2 3", nil},
		"longer":          {`(2, 'x_valid', 'bytes:1:validity', 1, 4, 16, 16, 16)`, `x'01 00 01 01', 4`, "x_valid tells of 4 elements, but there are 3", kvault.ErrCorrupt},
		"other bytes":     {`(2, 'x_valid', 'bytes:1:validity', 1, 3, 16, 16, 16)`, `x'01 00 02', 3`, "element 2 of x_valid is 2", kvault.ErrCorrupt},
		"larger elements": {`(2, 'x_valid', 'bytes:1:validity', 2, 3, 16, 16, 16)`, `x'01 00 01 00 01 00', 6`, "x_valid has elements of 2 bytes", kvault.ErrCorrupt},
		"no elements":     {`(2, 'x_valid', 'bytes:1:validity', 0, 3, 16, 16, 16)`, `x'01 00 01', 3`, "corrupt", kvault.ErrCorrupt},
		"negative":        {`(2, 'x_valid', 'bytes:1:validity', 1, -1, 16, 16, 16)`, `x'01 00 01', 3`, "corrupt", kvault.ErrCorrupt},
		"too short":       {`(2, 'x_valid', 'bytes:1:validity', 1, 3, 16, 16, 16)`, `x'01', 1`, "shorter than its length says", kvault.ErrCorrupt},
		"another type":    {`(2, 'x_valid', 'bytes:1', 1, 3, 16, 16, 16)`, `x'01 00 01', 3`, "holds i64, not i64:null", kvault.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, path := t.Context(), newPath(t)
			script(t, path, metaOf021, chunksOf040, data, chunk, `INSERT INTO col_meta VALUES`+tt.meta,
				`INSERT INTO col_chunks(col_id, chunk_idx, data, actual_size) VALUES(2, 0, `+tt.chunk+`)`)
			v := openFile(t, path)
			_, err := column.List(ctx, v) // says what there is, however odd
			must(t, err)
			c, err := column.Open(ctx, v, "x", column.Nullable(column.Int64))
			var got []string
			if err == nil {
				var xs []column.Null[int64]
				xs, err = c.Slice(ctx, 0, 10)
				for _, x := range xs {
					text := "-"
					if x.Valid {
						text = fmt.Sprint(x.V)
					}
					got = append(got, text)
				}
			}
			if tt.kind != nil {
				wantErr(t, err, tt.kind)
				if err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%v does not say %q", err, tt.want)
				}
				return
			}
			must(t, err)
			if all := strings.Join(got, " "); all != tt.want {
				t.Errorf("%s, want %s", all, tt.want)
			}
			must(t, c.Insert(ctx, 0, column.Null[int64]{}))
			must(t, c.Append(ctx, column.Null[int64]{}))
			wantParts(t, path, 5)
		})
	}
}

// The data of a longer validity is not lost: it can be had as that of a plain column, if nothing is
// null.
func TestForbidNullsMendsALongerValidity(t *testing.T) {
	path := newPath(t)
	v, ctx := openFile(t, path), t.Context()
	c := create(t, v, "x", column.Nullable(column.Int64), nil)
	must(t, c.Extend(ctx, []column.Null[int64]{there(int64(1)), there(int64(2))}))
	script(t, path, `UPDATE col_meta SET length = 1 WHERE name = 'x'`)
	_, err := c.Get(ctx, 0)
	wantErr(t, err, kvault.ErrCorrupt)
	must(t, column.ForbidNulls(ctx, v, "x"))
	holds(t, openColumn(t, v, "x", column.Int64), []int64{1})
}
