package cli

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault"
)

// BenchmarkDu is du of a million keys: go test ./internal/cli -run - -bench Du -benchtime 3x
func BenchmarkDu(b *testing.B) {
	const keys, batch = 1_000_000, 50_000
	path := filepath.Join(b.TempDir(), "v.kv")
	v, err := kvault.Open(b.Context(), path, nil)
	if err != nil {
		b.Fatal(err)
	}
	for first := 0; first < keys; first += batch {
		err := v.PutAll(b.Context(), func(yield func(string, []byte) bool) {
			for i := first; i < first+batch; i++ {
				if !yield(fmt.Sprintf("d%03d/e%02d/f%07d.bin", i/1000, i/50%20, i), []byte("0123456789abcdef")) {
					return
				}
			}
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := v.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var out, errs bytes.Buffer
		code := Run(b.Context(), []string{"-f", path, "du", "--depth", "2"}, IO{
			Out: &out, Err: &errs, Getenv: func(string) string { return "" },
			IsTerminal: func(any) bool { return false },
		})
		if code != 0 {
			b.Fatal(errs.String())
		}
	}
}
