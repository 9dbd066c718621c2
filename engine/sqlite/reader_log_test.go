package sqlite_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// A reader that stays open does not keep the write-ahead log from being reset for ever.
func TestReaderDoesNotHoldTheLog(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"inline", "chunks"} {
		for _, fate := range []string{"kept", "replaced"} {
			t.Run(kind+" "+fate, func(t *testing.T) { testReaderAndLog(t, kind, fate) })
		}
	}
}

func testReaderAndLog(t *testing.T, kind, fate string) {
	path := filepath.Join(t.TempDir(), "v.kv")
	o := &sqlite.Options{}
	if kind == "chunks" {
		o.OneRowLimit = 1 << 20
	}
	s := open(t, path, o)
	value := noise(4 << 20)
	put(t, s, "read", value)
	b := must[engine.Blob](t)(s.Open(t.Context(), "read"))
	defer b.Close()
	if fate == "replaced" {
		put(t, s, "read", []byte("other"))
	}
	// While something pins it the log only grows. Once nothing does, the next writer starts it from
	// its beginning and cuts the file to its limit.
	filler := noise(1 << 20)
	other := rand.NewChaCha8([32]byte{})
	deadline := time.Now().Add(time.Minute)
	for written := 0; ; written += len(filler) {
		other.Read(filler) // pages that stay the same would not reach the log
		put(t, s, fmt.Sprint("filler", written%8), filler)
		info, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		if written > 160<<20 && info.Size() < 80<<20 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log has %d bytes after %d were written", info.Size(), written)
		}
	}
	got := make([]byte, len(value))
	if _, err := b.ReadAt(t.Context(), got, 0); err != nil || !bytes.Equal(got, value) {
		t.Errorf("the reader lost its version: %v", err)
	}
}
