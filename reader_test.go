package kvault_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/kohakuvault/kvault"
)

func open(t *testing.T, v *kvault.Vault, key string) *kvault.Reader {
	t.Helper()
	r, err := v.NewReader(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestReaderKeepsTheRulesOfIO(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		for _, value := range []string{"", "x", "12345678", strings.Repeat("some text, ", 100)} {
			put(t, v, "a", value)
			r := open(t, v, "a")
			if r.Size() != int64(len(value)) || r.Entry().Key != "a" || r.Entry().Size != r.Size() {
				t.Errorf("reader of %d bytes describes itself as %+v", len(value), r.Entry())
			}
			if err := iotest.TestReader(r, []byte(value)); err != nil {
				t.Errorf("%d bytes: %v", len(value), err)
			}
		}
	})
}

func TestReaderSeesOneVersion(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		for _, change := range []func() error{
			func() error { return v.Put(t.Context(), "a", []byte("new")) },
			func() error { _, err := v.Delete(t.Context(), "a"); return err },
			func() error { _, err := v.FlushCache(t.Context()); return err },
			func() error { _, err := v.Clear(t.Context()); return err },
		} {
			put(t, v, "a", "the old version of the value")
			r := open(t, v, "a")
			head := make([]byte, 7)
			if _, err := io.ReadFull(r, head); err != nil {
				t.Fatal(err)
			}
			if err := change(); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(r)
			if got := string(head) + string(rest); err != nil || got != "the old version of the value" {
				t.Errorf("read %q, %v", got, err)
			}
		}
	})
}

func TestReaderWriteToGoesOnWhereReadStopped(t *testing.T) {
	v := newVault(t, quick)
	put(t, v, "a", "0123456789abcdefghijklmnop")
	r := open(t, v, "a")
	if pos, err := r.Seek(-16, io.SeekEnd); pos != 10 || err != nil {
		t.Fatal(pos, err)
	}
	var out bytes.Buffer
	if n, err := io.Copy(&out, r); n != 16 || err != nil || out.String() != "abcdefghijklmnop" {
		t.Errorf("copied %d, %v: %q", n, err, out.String())
	}
	if n, err := r.WriteTo(&out); n != 0 || err != nil {
		t.Errorf("WriteTo at the end = %d, %v", n, err)
	}
}

func TestReaderSeekBounds(t *testing.T) {
	v := newVault(t, quick)
	put(t, v, "a", "0123456789")
	r := open(t, v, "a")
	for _, c := range []struct {
		offset int64
		whence int
	}{{-1, io.SeekStart}, {-11, io.SeekEnd}, {math.MaxInt64, io.SeekEnd}, {0, 3}} {
		_, err := r.Seek(c.offset, c.whence)
		wantErr(t, err, kvault.ErrInvalid)
	}
	if pos, err := r.Seek(100, io.SeekStart); pos != 100 || err != nil {
		t.Errorf("Seek beyond the end = %d, %v", pos, err)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("Read beyond the end = %d, %v", n, err)
	}
	if n, err := r.Read(nil); n != 0 || err != nil {
		t.Errorf("Read of nothing = %d, %v", n, err)
	}
	_, err := r.ReadAt(make([]byte, 1), -1)
	wantErr(t, err, kvault.ErrInvalid)
}

func TestReaderReadAtIsConcurrent(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		put(t, v, "a", "0123456789")
		r := open(t, v, "a")
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				p := make([]byte, 1)
				if _, err := r.ReadAt(p, int64(i)); err != nil || p[0] != byte('0'+i) {
					t.Errorf("ReadAt(%d) = %q, %v", i, p, err)
				}
			})
		}
		wg.Wait()
	})
}

func TestClosedReader(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		put(t, v, "a", "1")
		r := open(t, v, "a")
		if err := errors.Join(r.Close(), r.Close()); err != nil {
			t.Fatal(err)
		}
		_, err := r.Read(make([]byte, 1))
		wantErr(t, err, kvault.ErrClosed)
		_, err = r.ReadAt(make([]byte, 1), 0)
		wantErr(t, err, kvault.ErrClosed)
		_, err = r.Seek(0, io.SeekStart)
		wantErr(t, err, kvault.ErrClosed)
		_, err = r.WriteTo(io.Discard)
		wantErr(t, err, kvault.ErrClosed)
	})
}

func TestReaderOfAClosedVault(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		put(t, v, "a", "0123456789")
		r, atEnd := open(t, v, "a"), open(t, v, "a")
		if _, err := atEnd.Seek(0, io.SeekEnd); err != nil {
			t.Fatal(err)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		for _, r := range []*kvault.Reader{r, atEnd} {
			_, err := r.Read(make([]byte, 1))
			wantErr(t, err, kvault.ErrClosed)
		}
		for _, off := range []int64{0, 10} {
			_, err := r.ReadAt(make([]byte, 1), off)
			wantErr(t, err, kvault.ErrClosed)
		}
		_, err := r.WriteTo(io.Discard)
		wantErr(t, err, kvault.ErrClosed)
	})
}

func TestReaderContextBoundsAllReads(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		put(t, v, "a", "0123456789")
		ctx, cancel := context.WithCancel(t.Context())
		r, err := v.NewReader(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		cancel()
		_, err = r.Read(make([]byte, 1))
		wantErr(t, err, context.Canceled)
		_, err = r.WriteTo(io.Discard)
		wantErr(t, err, context.Canceled)
	})
}

func TestReaderOfAFailingStore(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	put(t, v, "a", "0123456789")
	r := open(t, v, "a")
	f.fail("read blob", -1, errBoom)
	n, err := r.WriteTo(io.Discard)
	wantErr(t, err, errBoom)
	if n != 0 {
		t.Errorf("%d bytes written", n)
	}
	_, err = r.Read(make([]byte, 20))
	wantErr(t, err, errBoom)
	_, err = r.ReadAt(make([]byte, 20), 5)
	wantErr(t, err, errBoom)
	_, err = v.GetRange(t.Context(), "a", 0, 5)
	wantErr(t, err, errBoom)
	f.fail("read blob", 3, kvault.ErrBusy)
	if got, err := io.ReadAll(r); err != nil || string(got) != "0123456789" {
		t.Errorf("after a busy time: %q, %v", got, err)
	}
}
