package kvault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault"
)

func openDetached(t *testing.T, v *kvault.Vault, key string) *kvault.Reader {
	t.Helper()
	r, err := v.NewDetachedReader(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// onEachVault runs a test on vaults of both engines, with the cache off and on.
func onEachVault(t *testing.T, run func(t *testing.T, v *kvault.Vault)) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) { run(t, v) })
	t.Run("sqlite", func(t *testing.T) {
		run(t, openFile(t, filepath.Join(t.TempDir(), "v.kv"), &kvault.Options{ChunkSize: 100, OneRowLimit: 500}))
	})
}

func TestDetachedReaderKeepsTheRulesOfIO(t *testing.T) {
	onEachVault(t, func(t *testing.T, v *kvault.Vault) {
		for _, value := range []string{"", "x", "12345678", strings.Repeat("some text, ", 100)} {
			put(t, v, "a", value)
			r := openDetached(t, v, "a")
			if r.Size() != int64(len(value)) || r.Entry().Key != "a" || r.Entry().Tag == "" {
				t.Errorf("reader of %d bytes describes itself as %+v", len(value), r.Entry())
			}
			if err := iotest.TestReader(r, []byte(value)); err != nil {
				t.Errorf("%d bytes: %v", len(value), err)
			}
			var out strings.Builder
			if _, err := io.Copy(&out, openDetached(t, v, "a")); err != nil || out.String() != value {
				t.Errorf("copied %d bytes of %d, %v", out.Len(), len(value), err)
			}
		}
	})
}

func TestDetachedReaderTellsThatItsVersionIsGone(t *testing.T) {
	onEachVault(t, func(t *testing.T, v *kvault.Vault) {
		for name, change := range map[string]func() error{
			"put":    func() error { return v.Put(t.Context(), "a", []byte("the old version of the value")) },
			"delete": func() error { _, err := v.Delete(t.Context(), "a"); return err },
			"rename": func() error { return v.Rename(t.Context(), "a", "b", nil) },
		} {
			put(t, v, "a", "the old version of the value")
			r := openDetached(t, v, "a")
			head := make([]byte, 7)
			if _, err := io.ReadFull(r, head); err != nil || string(head) != "the old" {
				t.Fatalf("%q, %v", head, err)
			}
			if _, err := v.FlushCache(t.Context()); err != nil { // which makes no new version
				t.Fatal(err)
			}
			if _, err := io.ReadFull(r, head); err != nil || string(head) != " versio" {
				t.Fatalf("after a flush %q, %v", head, err)
			}
			if err := change(); err != nil {
				t.Fatal(err)
			}
			n, err := r.Read(head)
			wantErr(t, err, kvault.ErrTagMismatch)
			if n != 0 {
				t.Errorf("%s: %d bytes of another version", name, n)
			}
			_, err = r.ReadAt(head, 0)
			wantErr(t, err, kvault.ErrTagMismatch)
			_, err = r.WriteTo(io.Discard)
			wantErr(t, err, kvault.ErrTagMismatch)
		}
	})
}

func TestDetachedReaderOfNothing(t *testing.T) {
	onEachVault(t, func(t *testing.T, v *kvault.Vault) {
		_, err := v.NewDetachedReader(t.Context(), "")
		wantErr(t, err, kvault.ErrInvalid)
		_, err = v.NewDetachedReader(t.Context(), "missing")
		wantErr(t, err, kvault.ErrNotFound)
		put(t, v, "a", "0123456789")
		ctx, cancel := context.WithCancel(t.Context())
		r, err := v.NewDetachedReader(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		_, err = r.Read(make([]byte, 1))
		wantErr(t, err, context.Canceled)
		r = openDetached(t, v, "a")
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = r.Read(make([]byte, 1))
		wantErr(t, err, kvault.ErrClosed)
	})
}

// TestDetachedReadersHoldNothing has more readers open than a vault could have connections.
func TestDetachedReadersHoldNothing(t *testing.T) {
	const readers, size = 10_000, 2 << 20
	v := openFile(t, filepath.Join(t.TempDir(), "v.kv"), &kvault.Options{OneRowLimit: size / 2})
	put(t, v, "large", strings.Repeat("x", size))
	open := make([]*kvault.Reader, readers)
	p := make([]byte, 64<<10)
	before := inUse()
	for i := range open {
		open[i] = openDetached(t, v, "large")
		if i%100 != 0 {
			continue
		}
		if n, err := open[i].Read(p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	if used := inUse() - before; used > 100<<20 {
		t.Errorf("%d readers use %d bytes", readers, used)
	}
	// None of them keeps another program from emptying the log, or this one from shrinking the file.
	if _, err := v.Delete(t.Context(), "large"); err != nil {
		t.Fatal(err)
	}
	if err := v.Optimize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if s, err := v.Stats(t.Context()); err != nil || s.FileBytes > size/2 {
		t.Errorf("%+v, %v; want a file without the value", s, err)
	}
	runtime.KeepAlive(open)
}

// inUse is how many bytes the process has from the system and has not given back.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys - m.HeapReleased)
}

func TestDetachedReaderOfAlteredValues(t *testing.T) {
	v := alteredVault(t, nil)
	for _, key := range []string{"small", "row", "chunks"} {
		r := openDetached(t, v, key)
		got, err := io.ReadAll(r)
		wantErr(t, err, kvault.ErrCorrupt)
		if int64(len(got)) >= r.Size() {
			t.Errorf("%s: all %d bytes came out", key, len(got))
		}
		if _, again := r.Read(make([]byte, 1<<20)); again == nil {
			t.Errorf("%s: the same read failed once only", key)
		}
		// In one call, where the engine itself compares what it reads as a whole.
		whole := make([]byte, r.Size())
		if n, err := openDetached(t, v, key).Read(whole); n != 0 || !errors.Is(err, kvault.ErrCorrupt) {
			t.Errorf("%s: one Read gives %d bytes, %v", key, n, err)
		}
		if n, err := r.ReadAt(whole, 0); n != 0 || !errors.Is(err, kvault.ErrCorrupt) {
			t.Errorf("%s: one ReadAt gives %d bytes, %v", key, n, err)
		}
		if n, err := openDetached(t, v, key).WriteTo(io.Discard); n >= r.Size() || !errors.Is(err, kvault.ErrCorrupt) {
			t.Errorf("%s: WriteTo gives %d bytes, %v", key, n, err)
		}
	}
	v = alteredVault(t, &kvault.Options{DisableVerification: true})
	for _, key := range []string{"small", "row", "chunks"} {
		r := openDetached(t, v, key)
		if got, err := io.ReadAll(r); err != nil || int64(len(got)) != r.Size() {
			t.Errorf("%s: %d of %d bytes, %v", key, len(got), r.Size(), err)
		}
	}
}

// A value of another program has no tag: its reader keeps its version like any other.
func TestDetachedReaderOfAnotherProgramsValue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	v := openFile(t, path, nil)
	value := strings.Repeat("0123456789", 200_000)
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.Exec(fmt.Sprintf(`INSERT INTO kvault(key, value) VALUES(CAST('a' AS BLOB), CAST('%s' AS BLOB))`, value))
	if err != nil {
		t.Fatal(err)
	}
	r := openDetached(t, v, "a")
	put(t, v, "a", "new")
	if got, err := io.ReadAll(r); err != nil || string(got) != value {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
