package reliability

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
)

var largest = flag.Int64("largest", defaultLargest, "size in bytes above which values are left out")

// store puts a value of so many bytes as a stream, of known length or not, and reads it back: all
// of it, and parts at its edges.
func store(ctx context.Context, v *kvault.Vault, size int64, known bool) error {
	in, out := newPattern(size), sha256.New()
	_, putErr := v.PutReader(ctx, "value", in, &kvault.PutOptions{Size: size * number(known), SizeKnown: known})
	n, getErr := v.GetTo(ctx, "value", out)
	if err := errors.Join(putErr, getErr); err != nil {
		return err
	}
	if n != size || !bytes.Equal(out.Sum(nil), in.sum.Sum(nil)) {
		return fmt.Errorf("%d bytes come out, other ones or fewer than went in", n)
	}
	for _, off := range []int64{0, size / 3, max(0, size-1), size} {
		want := make([]byte, min(5000, size-off))
		in.at(want, off)
		got, err := v.GetRange(ctx, "value", off, int64(len(want)))
		if err != nil || !bytes.Equal(got, want) {
			return fmt.Errorf("%d bytes from %d on: %w", len(want), off, errors.Join(err, errors.New("not those that went in")))
		}
	}
	if e, err := v.Stat(ctx, "value"); err != nil || e.Size != size {
		return fmt.Errorf("size %d, %w", e.Size, err)
	}
	_, err := v.Delete(ctx, "value")
	return err
}

func number(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// Values on both sides of each length at which they are stored differently.
func TestSizeEdges(t *testing.T) {
	const page, chunk, row = 1024, 5000, 12_000
	v := open(t, filepath.Join(t.TempDir(), "v.kv"), &kvault.Options{PageSize: page, ChunkSize: chunk, OneRowLimit: row})
	defer shut(t, v)
	for _, edge := range []int64{1, page, 2 * page, chunk, 2 * chunk, row, row + chunk, 3 * chunk, 100 * chunk, 64 * page, 1 << 20} {
		for _, size := range []int64{edge - 1, edge, edge + 1} {
			for _, known := range []bool{false, true} {
				if err := store(t.Context(), v, size, known); err != nil {
					t.Errorf("%d bytes, known %t: %v", size, known, err)
				}
			}
			want := make([]byte, size)
			newPattern(size).at(want, 0)
			if err := v.Put(t.Context(), "whole", want); err != nil {
				t.Errorf("%d bytes: %v", size, err)
			}
			if got, err := v.Get(t.Context(), "whole"); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes: %d come out, %v", size, len(got), err)
			}
		}
	}
	check(t, v)
}

// sizeChild stores and checks one value after another.
func sizeChild(ctx context.Context, path string, args []string, out io.Writer) error {
	limit, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return err
	}
	v, err := kvault.Open(ctx, path, &kvault.Options{CacheKB: 8192, OneRowLimit: limit})
	if err != nil {
		return err
	}
	defer v.Close()
	for _, arg := range args[1:] {
		size, err := strconv.ParseInt(arg, 10, 64)
		if err != nil {
			return err
		}
		begun := time.Now()
		if err := store(ctx, v, size, size%2 == 0); err != nil {
			return fmt.Errorf("%d bytes: %w", size, err)
		}
		if _, err := fmt.Fprintf(out, "%d bytes in and out in %v\n", size, time.Since(begun).Round(time.Millisecond)); err != nil {
			return err
		}
	}
	return tellPeak(out)
}

// memoryLimit is what a process may take for a value of any size, with the test binary itself.
const memoryLimit = 160 << 20

// Large values go in and out in memory that does not grow with them: in one row, in chunks, and
// around the numbers at which SQLite's rows and 32-bit lengths end.
func TestLargeValues(t *testing.T) {
	const mostInRow = 1_000_000_000 - 1<<20
	for _, c := range []struct {
		limit int64
		sizes []int64
	}{
		{0, []int64{64 << 20, 64<<20 + 1, 200 << 20, 1_000_000_000, 1<<31 - 1, 1 << 31, 1<<31 + 1, 5 << 30}},
		{mostInRow, []int64{30 << 20, mostInRow, mostInRow + 1}},
	} {
		args := []any{c.limit}
		for _, size := range c.sizes {
			if size <= *largest {
				args = append(args, size)
			}
		}
		t.Logf("one row up to %d", c.limit)
		wantPeak(t, startChild(t, "size", filepath.Join(t.TempDir(), "v.kv"), args...), memoryLimit)
	}
}
