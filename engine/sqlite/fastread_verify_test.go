package sqlite

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/ctxtest"
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

// What is read again at the end of a long value is not read to its end for a caller who has gone.
func TestStreamReadAgainEndsWithContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	v := stored{size: 4 << 20}
	s := openVault(t, path, nil)
	storeValues(t, s, v)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	alterRaw(t, path, v)
	s = openVault(t, path, nil)
	b, err := s.Open(t.Context(), v.key())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	p, end := make([]byte, v.size-1000), int64(v.size-1000)
	if _, err := b.(engine.Verifier).ReadOn(t.Context(), p, 0); err != nil {
		t.Fatal(err)
	}
	for asked := 0; ; asked++ {
		ctx := ctxtest.At(t, asked, engine.ErrNotFound)
		_, err := b.(engine.Verifier).ReadOn(ctx, p[:1000], end)
		if !ctx.Ended() {
			if !errors.Is(err, engine.ErrCorrupt) || asked < v.size/sumBytes {
				t.Errorf("asked %d times whether to go on, then %v", asked, err)
			}
			return
		}
		if err == nil || errors.Is(err, engine.ErrNotFound) {
			t.Fatalf("asked %d times, then %v", asked, err)
		}
	}
}
