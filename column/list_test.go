package column_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/race"
)

// tiny are chunk sizes at which every change crosses chunks.
var tiny = &column.Options{MinChunk: 10, MaxChunk: 50}

func TestModel(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		text := func(r *rand.Rand) string { return string(bytes.Repeat([]byte("é"), r.IntN(40))) }
		blob := func(r *rand.Rand) []byte { return bytes.Repeat([]byte{byte(r.IntN(256))}, r.IntN(80)) }
		t.Run("i64", func(t *testing.T) { model(t, v, column.Int64, func(r *rand.Rand) int64 { return int64(r.Uint64()) }) })
		t.Run("f64", func(t *testing.T) { model(t, v, column.Float64, (*rand.Rand).NormFloat64) })
		t.Run("bytes of 7", func(t *testing.T) {
			model(t, v, column.FixedBytes(7), func(r *rand.Rand) []byte { return bytes.Repeat([]byte{byte(r.IntN(256))}, 7) })
		})
		t.Run("bytes", func(t *testing.T) { model(t, v, column.Bytes, blob) })
		t.Run("text", func(t *testing.T) { model(t, v, column.String, text) })
	})
}

// wide are those for elements that do not fit into tiny ones.
var wide = &column.Options{MinChunk: 100, MaxChunk: 700}

func model[T any](t *testing.T, v *kvault.Vault, codec column.Codec[T], random func(*rand.Rand) T, o ...*column.Options) {
	t.Helper()
	for seed := range uint64(2) {
		c := create(t, v, fmt.Sprint("model ", codec.Type(), seed), codec, append(o, tiny)[0])
		modelOf(t, v, c, nil, seed, random)
	}
}

// modelOf makes random changes to a column that holds want, and compares it with a slice that
// changes likewise. Some changes share a transaction, and some of those fail. Where nobody knows
// whether one took effect, the column tells.
func modelOf[T any](t *testing.T, v *kvault.Vault, c *column.Column[T], want []T, seed uint64, random func(*rand.Rand) T) {
	t.Helper()
	ctx, r := t.Context(), rand.New(rand.NewPCG(seed, 1))
	for range 25 / race.Slowdown {
		var next []T
		fails := r.IntN(4) == 0
		err := column.Update(ctx, v, func(tx *kvault.Tx) (err error) {
			next = slices.Clone(want) // it may run again
			for range 1 + r.IntN(6) {
				if next, err = change(t, c.In(tx), next, r, random); err != nil {
					return err
				}
			}
			if fails {
				return errBoom
			}
			return nil
		})
		switch {
		case errors.Is(err, kvault.ErrUnknown):
			want = whichever(t, c, want, next)
		case !fails:
			must(t, err)
			want = next
		case err != errBoom:
			t.Fatal(err)
		}
		holds(t, c, want)
	}
	if err := c.Compact(ctx); !errors.Is(err, kvault.ErrUnknown) {
		must(t, err)
	}
	holds(t, c, want)
}

func change[T any](t *testing.T, c *column.Column[T], xs []T, r *rand.Rand, random func(*rand.Rand) T) ([]T, error) {
	ctx, n, x := t.Context(), len(xs), random(r)
	k := r.IntN(20)
	if n == 0 || k < 6 {
		if k%2 == 0 {
			return append(xs, x), c.Append(ctx, x)
		}
		var more []T
		for range r.IntN(10) {
			more = append(more, random(r))
		}
		return append(xs, more...), c.Extend(ctx, more)
	}
	i := r.IntN(n)
	at := int64(i)
	if r.IntN(2) == 0 {
		at -= int64(n)
	}
	switch {
	case k < 10:
		xs[i] = x
		return xs, c.Set(ctx, at, x)
	case k < 13:
		return slices.Insert(xs, i, x), c.Insert(ctx, at, x)
	case k < 17:
		return slices.Delete(xs, i, i+1), c.Delete(ctx, at)
	case k == 17 && r.IntN(4) == 0:
		return nil, c.Clear(ctx)
	case k == 18:
		return xs, c.Compact(ctx)
	}
	got, err := c.Get(ctx, at)
	if fmt.Sprint(got) != fmt.Sprint(xs[i]) {
		t.Errorf("Get(%d) is %v, want %v", at, got, xs[i])
	}
	return xs, err
}

func TestIndexes(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx, c := t.Context(), create(t, v, "c", column.Int64, tiny)
		must(t, c.Extend(ctx, numbers(0, 10)))
		for _, i := range []int64{10, -11, math.MaxInt64, math.MinInt64} {
			_, err := c.Get(ctx, i)
			wantErr(t, err, column.ErrRange)
			wantErr(t, c.Set(ctx, i, 1), column.ErrRange)
			wantErr(t, c.Delete(ctx, i), column.ErrRange)
		}
		wantErr(t, c.Insert(ctx, 11, 1), column.ErrRange)
		wantErr(t, c.Insert(ctx, -11, 1), column.ErrRange)
		holds(t, c, numbers(0, 10))
		for _, tt := range []struct {
			from, to int64
			want     []int64
		}{
			{2, 4, []int64{2, 3}}, {-3, -1, []int64{7, 8}}, {8, math.MaxInt64, []int64{8, 9}}, {math.MinInt64, 2, []int64{0, 1}},
			{5, 5, nil}, {6, 5, nil}, {10, 12, nil},
		} {
			got, err := c.Slice(ctx, tt.from, tt.to)
			must(t, err)
			if got == nil {
				t.Errorf("Slice(%d, %d) is nil", tt.from, tt.to)
			}
			wantSlice(t, got, tt.want...)
		}
		must(t, c.Insert(ctx, 10, 10))
		must(t, c.Insert(ctx, -1, 77))
		holds(t, c, append(numbers(0, 10), 77, 10))
	})
}

func TestSearch(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		floats := create(t, v, "f", column.Float64, tiny)
		must(t, floats.Extend(ctx, []float64{1, math.Inf(1), math.NaN(), 0, 1, 2, 3, 4, 5, 6, 7}))
		for x, want := range map[float64]int64{1: 0, math.Inf(1): 1, math.Inf(-1): -1, 7: 10, 8: -1, math.Copysign(0, -1): 3} {
			if x == 0 {
				want = -1 // minus zero is encoded otherwise than zero
				x = math.Copysign(0, -1)
			}
			if got, err := floats.Index(ctx, x); err != nil || got != want {
				t.Errorf("Index(%v) is %d, %v; want %d", x, got, err, want)
			}
		}
		if found, err := floats.Contains(ctx, math.NaN()); err != nil || !found {
			t.Errorf("Contains(NaN): %t, %v", found, err)
		}
		texts := create(t, v, "t", column.String, tiny)
		must(t, texts.Extend(ctx, []string{"", "a", "ab", "b"}))
		for x, want := range map[string]int64{"": 0, "ab": 2, "b": 3, "abb": -1} {
			if got, err := texts.Index(ctx, x); err != nil || got != want {
				t.Errorf("Index(%q) is %d, %v; want %d", x, got, err, want)
			}
		}
		_, err := texts.Contains(ctx, "\xff")
		wantErr(t, err, kvault.ErrInvalid)
	})
}

func TestCodecs(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		fixed := create(t, v, "fixed", column.FixedBytes(4), nil)
		must(t, fixed.Extend(ctx, [][]byte{[]byte("abcd"), []byte("x"), nil}))
		wantErr(t, fixed.Append(ctx, []byte("12345")), kvault.ErrTooLarge)
		wantErr(t, fixed.Extend(ctx, [][]byte{[]byte("1"), []byte("12345")}), kvault.ErrTooLarge)
		wantErr(t, fixed.Set(ctx, 0, []byte("12345")), kvault.ErrTooLarge)
		wantErr(t, fixed.Insert(ctx, 0, []byte("12345")), kvault.ErrTooLarge)
		holds(t, fixed, [][]byte{[]byte("abcd"), []byte("x\x00\x00\x00"), make([]byte, 4)})
		texts := create(t, v, "text", column.String, nil)
		wantErr(t, texts.Append(ctx, "\xff"), kvault.ErrInvalid)
		blobs := create(t, v, "bytes", column.Bytes, nil)
		must(t, blobs.Extend(ctx, [][]byte{nil, []byte("\x00\xff")}))
		holds(t, blobs, [][]byte{{}, []byte("\x00\xff")})
		odd := create(t, v, "odd", column.Codec[int64](short{column.Int64}), nil)
		wantErr(t, odd.Append(ctx, 1), kvault.ErrInvalid)
		floats := create(t, v, "floats", column.Float64, nil)
		payload := math.Float64frombits(0x7ff8_0000_dead_beef)
		must(t, floats.Append(ctx, payload))
		if x, err := floats.Get(ctx, 0); err != nil || math.Float64bits(x) != math.Float64bits(payload) {
			t.Errorf("a NaN came back as %x, %v", math.Float64bits(x), err)
		}
	})
}

// short is a codec that does not keep to its own size.
type short struct{ column.Codec[int64] }

func (short) Append(dst []byte, x int64) ([]byte, error) { return append(dst, byte(x)), nil }

func TestLoopBodyMayChangeTheColumn(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx, c := t.Context(), create(t, v, "c", column.Int64, &column.Options{MinChunk: 32, MaxChunk: 32})
		must(t, c.Extend(ctx, numbers(0, 10)))
		var seen []int64
		for x, err := range c.All(ctx) {
			must(t, err)
			if seen = append(seen, x); x < 6 {
				must(t, c.Append(ctx, 100+x))
			}
		}
		wantSlice(t, seen, append(numbers(0, 10), numbers(100, 106)...)...)
		for x, err := range c.All(ctx) {
			must(t, err)
			if x == 2 {
				must(t, c.Clear(ctx))
			} else if x > 3 {
				t.Errorf("%d was seen after Clear", x)
			}
		}
		blocks := 0
		must(t, c.Extend(ctx, numbers(0, 10)))
		for block, err := range c.Blocks(ctx) {
			must(t, err)
			if blocks++; len(block) > 4 {
				t.Errorf("a block of %d elements, a chunk holds 4", len(block))
			}
			if blocks == 2 {
				break
			}
		}
		for _, err := range c.All(canceled(t)) {
			if err == nil {
				t.Error("a canceled loop goes on")
			}
		}
	})
}
