package column_test

import (
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/internal/limits"
)

// lowerLongestElement makes elements of more than 100 bytes too long until the test ends.
func lowerLongestElement(t *testing.T) {
	before := limits.Element
	limits.Element = 100
	t.Cleanup(func() { limits.Element = before })
}

// An element that no row can hold must not get into the cache, where it would fail every flush.
func TestElementsThatAreTooLong(t *testing.T) {
	lowerLongestElement(t)
	fits, tooLong := strings.Repeat("x", 100), strings.Repeat("x", 101)
	type row struct{ text string }
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		for _, cache := range []bool{false, true} {
			name := "stored"
			if cache {
				name = "cached"
				cached(t, v, nil)
			}
			ctx := t.Context()
			c := create(t, v, name, column.String, nil)
			must(t, c.Append(ctx, fits)) // what follows it in the cache is not looked at by the engine
			table, err := column.NewTable(column.Bind(c, func(r *row) *string { return &r.text }))
			must(t, err)
			wantErr(t, c.Append(ctx, tooLong), kvault.ErrTooLarge)
			wantErr(t, c.Extend(ctx, []string{"a", tooLong}), kvault.ErrTooLarge)
			wantErr(t, table.Append(ctx, row{tooLong}), kvault.ErrTooLarge)
			wantErr(t, c.Insert(ctx, 0, tooLong), kvault.ErrTooLarge)
			wantErr(t, c.Set(ctx, 0, tooLong), kvault.ErrTooLarge)
			_, err = v.FlushCache(ctx)
			must(t, err)
			holds(t, c, []string{fits})
		}
	})
}

// Another program may have said that chunks are longer than a row can be. Those that this package
// makes must fit in a row all the same, or appends to the column would fail from some length on.
func TestChunksOfAnotherProgramStayShort(t *testing.T) {
	ctx, path := t.Context(), newPath(t)
	v := openFile(t, path)
	c := create(t, v, "c", column.String, &column.Options{MinChunk: 64, MaxChunk: 1 << 20})
	lowerLongestElement(t)
	var want []string
	for range 30 {
		want = append(want, strings.Repeat("x", 30))
		must(t, c.Append(ctx, want[0]))
	}
	for _, size := range strings.Fields(sizes(t, path, "c_data")) {
		if size != "64" && size != "100" {
			t.Errorf("a chunk of %s bytes", size)
		}
	}
	holds(t, c, want)
}

// Nor does the first chunk have a length that no program gives it: an append would write all of it.
func TestFirstChunkOfAnotherProgramIsShort(t *testing.T) {
	path := newPath(t)
	v := openFile(t, path)
	c := create(t, v, "c", column.String, nil)
	raw(t, path, `UPDATE col_meta SET min_chunk_bytes = 1 << 40, max_chunk_bytes = 1 << 40 WHERE name = 'c_data'`)
	must(t, c.Append(t.Context(), "x"))
	if got := sizes(t, path, "c_data"); got != "131072" {
		t.Errorf("chunks of %s bytes", got)
	}
	holds(t, c, []string{"x"})
}

func TestNamesOfTypes(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		for _, typ := range []string{"", "a\nb", "a\x00b", "a\xff", "a\x1b[31m", "a\u202eb", strings.Repeat("x", 256), strings.Repeat("x", 1<<20)} {
			_, err := column.Create(t.Context(), v, "c", column.Codec[string](lender{typ}), nil)
			wantErr(t, err, kvault.ErrInvalid)
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
		}
		create(t, v, "c", column.Codec[string](lender{strings.Repeat("ä", 127)}), nil)
	})
}

// lender is a codec that saves the copy where it can: what it returns is its caller's memory, or
// its own.
type lender struct{ typ string }

func (l lender) Type() string { return l.typ }
func (lender) Size() int      { return 0 }

var lent = make([]byte, 0, 1000)

func (lender) Append(dst []byte, x string) ([]byte, error) {
	if len(dst) == 0 {
		lent = append(lent[:0], x...)
		return lent, nil
	}
	return append(dst, x...), nil
}

func (lender) Decode(b []byte) (string, error) { return string(b), nil }

func TestCacheKeepsNoMemoryOfACodec(t *testing.T) {
	type row struct{ text string }
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		cached(t, v, nil)
		c := create(t, v, "c", column.Codec[string](lender{"lent"}), nil)
		table, err := column.NewTable(column.Bind(c, func(r *row) *string { return &r.text }))
		must(t, err)
		must(t, c.Append(ctx, "one"))
		must(t, c.Append(ctx, "two"))
		must(t, table.Append(ctx, row{"three"}))
		must(t, c.Extend(ctx, []string{"four", "five"}))
		must(t, c.Append(ctx, "six"))
		want := []string{"one", "two", "three", "four", "five", "six"}
		holds(t, c, want)
		_, err = v.FlushCache(ctx)
		must(t, err)
		holds(t, c, want)
	})
}
