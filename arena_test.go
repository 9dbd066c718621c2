package kvault_test

import (
	"bytes"
	"fmt"
	"iter"
	"path/filepath"
	"sync"
	"testing"

	"github.com/kohakuvault/kvault"
)

// sized are items of such lengths, one after the other in the same memory. Their bytes depend on
// seed.
func sized(seed byte, lengths ...int) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		var buf []byte
		for i, n := range lengths {
			buf = append(buf[:0], valueOf(seed, i, n)...)
			if !yield(fmt.Sprint(seed, "/", i), buf) {
				return
			}
		}
	}
}

func valueOf(seed byte, i, n int) []byte {
	return bytes.Repeat([]byte{seed, byte(i), byte(n), byte(n >> 8), 7}, n/5+1)[:n]
}

// batchLengths are more than fits into one piece of memory, with values that just fit and that do
// not.
var batchLengths = []int{0, 1, 300 << 10, 0, 64 << 10, 64<<10 + 1, 1<<20 - 1, 1, 1 << 20, 1<<20 + 1, 700 << 10, 400 << 10, 3, 2 << 20, 64<<10 - 1, 10}

func wantSized(t *testing.T, v *kvault.Vault, seed byte, lengths ...int) {
	t.Helper()
	for i, n := range lengths {
		got, err := v.Get(t.Context(), fmt.Sprint(seed, "/", i))
		if err != nil || !bytes.Equal(got, valueOf(seed, i, n)) {
			t.Errorf("batch %d: value %d of %d bytes is wrong: %d bytes, %v", seed, i, n, len(got), err)
		}
	}
}

// wantSums compares all values with their checksums.
func wantSums(t *testing.T, v *kvault.Vault) {
	t.Helper()
	if _, err := v.Check(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func newFileVault(t *testing.T) *kvault.Vault {
	t.Helper()
	return openFile(t, filepath.Join(t.TempDir(), "vault.kv"), nil)
}

func TestPutAllOfAllLengths(t *testing.T) {
	v := newFileVault(t)
	for seed := range byte(3) {
		if err := v.PutAll(t.Context(), sized(seed, batchLengths...)); err != nil {
			t.Fatal(err)
		}
	}
	for seed := range byte(3) {
		wantSized(t, v, seed, batchLengths...)
	}
	wantSums(t, v)
}

func TestPutAllsAtOnce(t *testing.T) {
	v := newFileVault(t)
	var all sync.WaitGroup
	for seed := range byte(6) {
		all.Go(func() {
			if err := v.PutAll(t.Context(), sized(seed, batchLengths...)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for seed := range byte(6) {
		wantSized(t, v, seed, batchLengths...)
	}
	wantSums(t, v)
}

// cachedLengths are some that the cache takes.
var cachedLengths = []int{300 << 10, 300 << 10, 5, 0, 300 << 10}

// What waits in the cache must not lie in memory that the next batch takes.
func TestPutAllInTheCacheKeepsItsValues(t *testing.T) {
	v := newFileVault(t)
	enable(t, v, 64<<20, 64<<20)
	for seed := range byte(4) {
		if err := v.PutAll(t.Context(), sized(seed, cachedLengths...)); err != nil {
			t.Fatal(err)
		}
	}
	if n := v.CacheStats().Entries; n != 4*len(cachedLengths) {
		t.Errorf("%d entries are in the cache", n)
	}
	for seed := range byte(4) {
		wantSized(t, v, seed, cachedLengths...)
	}
	wantSums(t, v)
}

// A cache that is turned on while a batch is collected does not get it: its memory is the next
// one's.
func TestPutAllDuringEnableCache(t *testing.T) {
	v := newFileVault(t)
	err := v.PutAll(t.Context(), func(yield func(string, []byte) bool) {
		enable(t, v, 64<<20, 64<<20)
		sized(1, cachedLengths...)(yield)
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := v.CacheStats().Entries; n != 0 {
		t.Errorf("%d entries are in the cache", n)
	}
	if err := v.DisableCache(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := v.PutAll(t.Context(), sized(2, cachedLengths...)); err != nil {
		t.Fatal(err)
	}
	wantSized(t, v, 1, cachedLengths...)
	wantSized(t, v, 2, cachedLengths...)
	wantSums(t, v)
}

// BenchmarkPutAll stores batches of 16 values of 1 MiB over those of the batch before. The bytes of
// an operation are the memory that a batch has made.
func BenchmarkPutAll(b *testing.B) {
	v, err := kvault.Open(b.Context(), filepath.Join(b.TempDir(), "vault.kv"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	values := [][]byte{valueOf(1, 1, 1<<20), valueOf(2, 2, 1<<20)}
	batch := func(yield func(string, []byte) bool) {
		for i := range 16 {
			if !yield(fmt.Sprint(i), values[0]) {
				return
			}
		}
	}
	b.SetBytes(16 << 20)
	b.ReportAllocs()
	for b.Loop() {
		values[0], values[1] = values[1], values[0]
		if err := v.PutAll(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}
