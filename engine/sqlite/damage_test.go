package sqlite_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// A file that was cut off, or whose bits were flipped, gives errors; it does not end the process by
// way of the memory map.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	whole := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, whole, &sqlite.Options{OneRowLimit: 1 << 20, PageSize: 4096})
	for i := range 200 {
		put(t, s, fmt.Sprintf("k%03d", i), noise(i*200))
	}
	put(t, s, "large", noise(3<<20))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for round := range sqlite.Amount(16, 400) {
		hurt := append([]byte(nil), data...)
		if round%2 == 0 {
			hurt = hurt[:r.IntN(len(hurt))]
		} else {
			for range 1 + r.IntN(2000) {
				hurt[100+r.IntN(len(hurt)-100)] ^= 1 << r.IntN(8)
			}
		}
		path := filepath.Join(t.TempDir(), "hurt.kv")
		if err := os.WriteFile(path, hurt, 0o666); err != nil {
			t.Fatal(err)
		}
		readAllOf(t, path)
	}
}

// readAllOf reads everything that can be read; errors are fine, wrong values are not.
func readAllOf(t *testing.T, path string) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, &sqlite.Options{ReadOnly: true})
	if err != nil {
		return
	}
	defer s.Close()
	problems := map[string]bool{}
	checkErr := s.Check(t.Context(), func(p engine.Problem) { problems[p.Key] = true }, nil)
	for i := range 200 {
		key := fmt.Sprintf("k%03d", i)
		value, err := s.Get(t.Context(), key)
		if err == nil && len(value) != i*200 && checkErr == nil && len(problems) == 0 {
			t.Errorf("%s: %d bytes, and Check found nothing", key, len(value))
		}
	}
	if _, err := s.Get(t.Context(), "large"); err != nil && !errors.Is(err, engine.ErrCorrupt) && !errors.Is(err, engine.ErrNotFound) {
		t.Logf("large: %v", err)
	}
}
