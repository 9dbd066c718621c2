package sqlite

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

// alterRaw changes a byte of the file in which a value lies, of a file whose log is empty.
func alterRaw(t *testing.T, path string, v stored) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(file, v.value()[v.size/2:][:50]) // which no page may cut in two
	if at < 0 {
		t.Fatalf("%s is not in the file", v.key())
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte{file[at] ^ 1}, int64(at))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// SQLite alone reports damage. It has here in memory what fast reads find altered in the file,
// until the store is opened again.
func TestMismatchIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	values := []stored{{size: 1000}, {size: oneRow}, {size: 1_200_000, chunk: 300_000}}
	o := Options{OneRowLimit: oneRow}
	s := openFast(t, path, o)
	storeValues(t, s, values...)
	swept(t, s)
	if err := sweepAndEmptyLog(s); err != nil {
		t.Fatal(err)
	}
	if !canTell(s) {
		t.Skip("there are no fast reads here")
	}
	fast := s.fast
	for _, v := range values {
		s.fast = nil
		if _, err := s.Get(t.Context(), v.key()); err != nil {
			t.Fatal(err)
		}
		alterRaw(t, path, v)
		s.fast = fast
		if got, err := s.Get(t.Context(), v.key()); err != nil || !bytes.Equal(got, v.value()) {
			t.Errorf("%s: %d bytes, %v; SQLite has it right", v.key(), len(got), err)
		}
	}
	s.Close()
	s = openFast(t, path, o)
	for _, v := range values {
		for how, read := range wholeReads {
			if got, err := read(s, v.key()); !errors.Is(err, engine.ErrCorrupt) || len(got) >= v.size {
				t.Errorf("%s, %s: %d bytes, %v; want ErrCorrupt", v.key(), how, len(got), err)
			}
		}
	}
}

// Where bytes were returned that SQLite does not find in the file, the stream fails, and calls
// nothing damaged.
func TestStreamThatWasReadWrong(t *testing.T) {
	s := openFast(t, filepath.Join(t.TempDir(), "v.kv"), Options{})
	v := stored{size: 2 << 20}
	storeValues(t, s, v)
	swept(t, s)
	if err := sweepAndEmptyLog(s); err != nil {
		t.Fatal(err)
	}
	if !canTell(s) {
		t.Skip("there are no fast reads here")
	}
	got, err := streamedAnd(s, v.key(), 20_000, func(b *blob, at int) {
		if at == 40_000 {
			b.cursor.fast.ahead[5] ^= 1
		}
	})
	var ioErr *engine.IOError
	if !errors.As(err, &ioErr) || errors.Is(err, engine.ErrCorrupt) || len(got) >= v.size {
		t.Errorf("%d bytes, %v; want an *engine.IOError", len(got), err)
	}
}
