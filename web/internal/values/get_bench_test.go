package values_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/values"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// BenchmarkGet compares a GET of a value with one of a plain file, over loopback.
func BenchmarkGet(b *testing.B) {
	dir := b.TempDir()
	v, err := kvault.Open(b.Context(), filepath.Join(dir, "v.kv"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(dir, filepath.Base(r.URL.Path)))
	}))
	defer files.Close()
	s := server(b, v)
	for _, size := range []int64{1 << 10, 100 << 10, 16 << 20, 1 << 30} {
		name := fmt.Sprint(size)
		if err := fill(v, filepath.Join(dir, name), name, size); err != nil {
			b.Fatal(err)
		}
		for _, from := range []struct{ what, url string }{
			{"file", files.URL + "/" + name}, {"value", s.URL + wire.PathOf(values.Mount, name)},
		} {
			b.Run(fmt.Sprintf("%d/%s", size, from.what), func(b *testing.B) {
				b.SetBytes(size)
				for b.Loop() {
					if err := fetch(s.Client(), from.url, size); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// fill stores size bytes in a file and as a value.
func fill(v *kvault.Vault, path, key string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	piece := make([]byte, min(size, 1<<20))
	for i := range piece {
		piece[i] = byte(i * i >> 8)
	}
	for range size / int64(len(piece)) {
		if _, err := f.Write(piece); err != nil {
			return err
		}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return putFrom(v, key, f)
}

func fetch(c *http.Client, url string, size int64) error {
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, make([]byte, 256<<10))
	if err == nil && n != size {
		err = fmt.Errorf("got %d of %d bytes", n, size)
	}
	return err
}

func putFrom(v *kvault.Vault, key string, r io.Reader) error {
	_, err := v.PutReader(context.Background(), key, r, nil)
	return err
}
