package api_test

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// A client that stops reading holds no transaction. Without a write-ahead log one would keep every
// put from being committed.
func TestStalledReaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	v, err := kvault.Open(t.Context(), path, &kvault.Options{DisableWAL: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	long := strings.Repeat("k", 2000)
	add(t, v, "n", column.Int64, count(1_000_000)...)
	err = v.PutAll(t.Context(), func(yield func(string, []byte) bool) {
		for i := range 4000 {
			if !yield(fmt.Sprint(long, i), nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	c := everything(t, v)
	for _, path := range []string{"columns/n?format=ndjson", "columns/n?format=csv", "keys?limit=4000"} {
		res := c.do("GET", path, "")
		if _, err := io.ReadFull(res.Body, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		if err := v.Put(t.Context(), path, nil); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}
