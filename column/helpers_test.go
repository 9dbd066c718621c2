package column_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/mem"
	"github.com/ncruces/go-sqlite3"
)

var errBoom = errors.New("boom")

// onEngines runs a test on a vault of each engine.
func onEngines(t *testing.T, run func(t *testing.T, v *kvault.Vault)) {
	t.Run("memory", func(t *testing.T) { run(t, newOn(t, mem.New())) })
	t.Run("sqlite", func(t *testing.T) { run(t, openFile(t, newPath(t))) })
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "v.kv") }

func openFile(t *testing.T, path string) *kvault.Vault {
	t.Helper()
	v, err := kvault.Open(t.Context(), path, nil)
	must(t, err)
	return closing(t, v)
}

// newOn is a vault of a store that is closed when the test ends.
func newOn(t *testing.T, s engine.Store) *kvault.Vault {
	t.Helper()
	v, err := kvault.New(s, nil)
	must(t, err)
	return closing(t, v)
}

func closing(t *testing.T, v *kvault.Vault) *kvault.Vault {
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
	var ke *kvault.Error
	if err != nil && !errors.As(err, &ke) {
		t.Errorf("error is a %T, want a *kvault.Error: %v", err, err)
	}
}

func create[T any](t *testing.T, v *kvault.Vault, name string, codec column.Codec[T], o *column.Options) *column.Column[T] {
	t.Helper()
	c, err := column.Create(t.Context(), v, name, codec, o)
	must(t, err)
	return c
}

// holds checks the whole content of a column, by all ways of reading it.
func holds[T any](t *testing.T, c *column.Column[T], want []T) {
	t.Helper()
	ctx := t.Context()
	if n, err := c.Len(ctx); err != nil || n != int64(len(want)) {
		t.Fatalf("Len: %d, %v; want %d", n, err, len(want))
	}
	all := []T{}
	for x, err := range c.All(ctx) {
		must(t, err)
		all = append(all, x)
	}
	want = append([]T{}, want...)
	if diff := cmp.Diff(want, all); diff != "" {
		t.Fatalf("All (-want +got):\n%s", diff)
	}
	got, err := c.Slice(ctx, 0, int64(len(want)))
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("Slice (-want +got):\n%s", diff)
	}
}

// raw runs SQL on the file and returns the rows, values joined by blanks.
func raw(t *testing.T, path, sql string) []string {
	t.Helper()
	c, err := sqlite3.Open("file:" + filepath.ToSlash(path))
	must(t, err)
	defer c.Close()
	must(t, c.BusyTimeout(time.Minute)) // the vault's sweeper may be at work
	st, tail, err := c.Prepare(sql)
	must(t, err)
	defer st.Close()
	if strings.TrimSpace(tail) != "" {
		t.Fatalf("more than one statement: %s", tail)
	}
	var rows []string
	for st.Step() {
		var row []string
		for i := range st.ColumnCount() {
			row = append(row, st.ColumnText(i))
		}
		rows = append(rows, strings.Join(row, " "))
	}
	must(t, st.Err())
	return rows
}

var hexBytes = regexp.MustCompile(`x'[0-9a-f ]*'`)

// script runs statements of SQL, in which the hexadecimal bytes may be spaced.
func script(t *testing.T, path string, sql ...string) {
	t.Helper()
	c, err := sqlite3.Open("file:" + filepath.ToSlash(path))
	must(t, err)
	defer c.Close()
	must(t, c.BusyTimeout(time.Minute)) // the vault's sweeper may be at work
	for _, s := range sql {
		s = hexBytes.ReplaceAllStringFunc(s, func(b string) string { return strings.ReplaceAll(b, " ", "") })
		if err := c.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// sizes are the lengths of an array's chunks in the file, with what is noted of them.
func sizes(t *testing.T, path, array string) string {
	t.Helper()
	return strings.Join(raw(t, path, fmt.Sprintf(`SELECT octet_length(data) || CASE WHEN actual_size <> octet_length(data) THEN '!' ELSE '' END
		FROM col_chunks JOIN col_meta USING (col_id) WHERE name = '%s' ORDER BY chunk_idx`, array)), " ")
}

func numbers(from, to int64) []int64 {
	var xs []int64
	for ; from < to; from++ {
		xs = append(xs, from)
	}
	return xs
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func wantSlice[T comparable](t *testing.T, got []T, want ...T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
