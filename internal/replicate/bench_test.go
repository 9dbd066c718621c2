package replicate_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/replicate"
)

// BenchmarkCopy copies 10,000 values of 1 KiB, and one of 256 MiB, from file to file. Beside it:
// the same values put into a file by PutAll, the large one by a stream, and io.Copy of the file.
func BenchmarkCopy(b *testing.B) {
	for _, kind := range []struct {
		name string
		keys int
		size int64
	}{{"10000x1KiB", 10_000, 1 << 10}, {"1x256MiB", 1, 256 << 20}} {
		path := filepath.Join(b.TempDir(), "v.kv")
		from, err := kvault.Open(b.Context(), path, nil)
		must(b, err)
		value := make([]byte, kind.size)
		for i := range value {
			value[i] = byte(i * i >> 7)
		}
		must(b, from.PutAll(b.Context(), func(yield func(string, []byte) bool) {
			for i := range kind.keys {
				if !yield(fmt.Sprintf("k%05d", i), value) {
					return
				}
			}
		}))
		must(b, from.Close())
		from, err = kvault.Open(b.Context(), path, nil)
		must(b, err)
		b.Cleanup(func() { from.Close() })
		run := func(name string, fn func(to string) error) {
			b.Run(kind.name+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(kind.keys) * kind.size)
				for b.Loop() {
					b.StopTimer()
					to := filepath.Join(b.TempDir(), "to")
					b.StartTimer()
					must(b, fn(to))
					b.StopTimer()
					must(b, os.Remove(to))
					b.StartTimer()
				}
			})
		}
		run("copy", func(to string) error {
			return into(to, func(v *kvault.Vault) error {
				c, err := replicate.New(from, v, replicate.Options{})
				if err != nil {
					return err
				}
				return c.Copy(context.Background())
			})
		})
		run("put", func(to string) error {
			return into(to, func(v *kvault.Vault) error { return putAgain(from, v, kind.keys) })
		})
		run("file", func(to string) error { return copyFile(path, to) })
	}
}

func into(path string, fn func(*kvault.Vault) error) error {
	v, err := kvault.Open(context.Background(), path, nil)
	if err != nil {
		return err
	}
	defer v.Close()
	if err := fn(v); err != nil {
		return err
	}
	return v.Close()
}

// putAgain reads all values and puts them, with neither metadata nor conditions.
func putAgain(from, to *kvault.Vault, keys int) (err error) {
	ctx := context.Background()
	if keys == 1 {
		r, err := from.NewReader(ctx, "k00000")
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = to.PutReader(ctx, "k00000", r, nil)
		return err
	}
	failed := to.PutAll(ctx, func(yield func(string, []byte) bool) {
		for it, e := range from.Items(ctx, nil) {
			if err = e; err != nil || !yield(it.Key, it.Value) {
				return
			}
		}
	})
	if failed != nil {
		return failed
	}
	return err
}

func copyFile(from, to string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.Create(to)
	if err != nil {
		return err
	}
	// Plain reads and writes, not a clone of the file by its system.
	if _, err := io.Copy(struct{ io.Writer }{w}, struct{ io.Reader }{r}); err != nil {
		w.Close()
		return err
	}
	return w.Close()
}
