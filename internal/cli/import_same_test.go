package cli

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault"
)

// TestSameWithUntrueSize: a file may hold more than its system states, and differ from what the
// vault has. Then it is read again.
func TestSameWithUntrueSize(t *testing.T) {
	v, err := kvault.Open(t.Context(), ":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := v.Put(t.Context(), "k", make([]byte, 4096)); err != nil {
		t.Fatal(err)
	}
	name, content := filepath.Join(t.TempDir(), "f"), bytes.Repeat([]byte("x"), smallFile+10)
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info := madeInfo{size: 4096}
	it := &item{source: source{info: info}, value: content[:smallFile], file: f, content: newSizedReader(f, info)}
	if same, err := it.same(t.Context(), v, "k"); same || err != nil {
		t.Errorf("same: %v, %v", same, err)
	}
	if _, err := io.ReadAll(it.content); err != nil {
		t.Error(err)
	}
}
