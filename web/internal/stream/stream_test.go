package stream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"go.uber.org/goleak"

	"github.com/kohakuvault/kvault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func content(size int) []byte {
	value := make([]byte, size)
	for i := range value {
		value[i] = byte(i) ^ byte(i>>8) ^ byte(i>>16)
	}
	return value
}

func open(t *testing.T, path string, o *kvault.Options) *kvault.Vault {
	t.Helper()
	v, err := kvault.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func put(t *testing.T, v *kvault.Vault, key string, value []byte) {
	t.Helper()
	if err := v.Put(t.Context(), key, value); err != nil {
		t.Fatal(err)
	}
}

// during calls act with the number of bytes that came before each write.
type during struct {
	bytes.Buffer
	act func(before int) error
}

func (d *during) Write(p []byte) (int, error) {
	if err := d.act(d.Len()); err != nil {
		return 0, err
	}
	return d.Buffer.Write(p)
}

// Values come whole whether a copy is fast, lets go in between, or is one of too many.
func TestCopy(t *testing.T) {
	v := open(t, filepath.Join(t.TempDir(), "v.kv"), &kvault.Options{OneRowLimit: 2 << 20})
	s := NewSource(v)
	for _, size := range []int{0, 1, smallPiece, smallPiece + 1, largePiece, largePiece + 1, 2*largePiece + 3, 5 << 20} {
		value := content(size)
		put(t, v, "k", value)
		for name, act := range map[string]func(r *Value, before int) error{
			"fast":   func(*Value, int) error { return nil },
			"let go": func(r *Value, before int) error { r.letGo(); return nil },
			"again": func(r *Value, before int) error {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.since = time.Time{}
				return nil
			},
		} {
			r, err := s.Open(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			d := &during{act: func(before int) error { return act(r, before) }}
			n, reading, writing := r.Copy(d, r, int64(size))
			if n != int64(size) || reading != nil || writing != nil || !bytes.Equal(d.Bytes(), value) {
				t.Errorf("%s: %d of %d bytes, %v, %v", name, n, size, reading, writing)
			}
			if r.held != nil {
				t.Errorf("%s: something is held after the copy", name)
			}
			r.Close()
		}
	}
}

// When as many copies are fast as may be, the others go in small pieces.
func TestCopySmallPieces(t *testing.T) {
	v := open(t, ":memory:", nil)
	put(t, v, "k", content(3<<20))
	for _, slots := range []chan struct{}{fast, medium} {
		for range cap(slots) {
			slots <- struct{}{}
			defer func() { <-slots }()
		}
	}
	r, err := NewSource(v).Open(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	last := -1
	d := &during{act: func(before int) error {
		if last >= 0 && before-last > smallPiece || r.held != nil {
			t.Errorf("a piece of %d bytes, held: %v", before-last, r.held != nil)
		}
		last = before
		return nil
	}}
	if _, reading, writing := r.Copy(d, r, 3<<20); reading != nil || writing != nil || !bytes.Equal(d.Bytes(), content(3<<20)) {
		t.Error(reading, writing)
	}
}

// A writer that blocks holds nothing of the vault once waiting is over.
func TestBlockedWriterLetsGo(t *testing.T) {
	v := open(t, filepath.Join(t.TempDir(), "v.kv"), nil)
	put(t, v, "k", content(3<<20))
	r, err := NewSource(v).Open(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	d := &during{act: func(before int) error {
		if before > 0 {
			return nil
		}
		for held := true; held; time.Sleep(time.Millisecond) { // as a client who does not read
			r.mu.Lock()
			held = r.held != nil
			r.mu.Unlock()
		}
		_, err := v.Delete(t.Context(), "k")
		return err
	}}
	n, reading, _ := r.Copy(d, r, 3<<20)
	if !errors.Is(reading, kvault.ErrTagMismatch) || n > 2*largePiece {
		t.Errorf("%d bytes of a version that is gone, %v", n, reading)
	}
}

var errFull = errors.New("full")

func TestCopyErrors(t *testing.T) {
	v := open(t, ":memory:", nil)
	for _, size := range []int{1000, 200 << 10, 3 << 20} {
		put(t, v, "k", content(size))
		r, err := NewSource(v).Open(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		if _, reading, writing := r.Copy(&during{act: func(int) error { return errFull }}, r, int64(size)); reading != nil || writing != errFull {
			t.Errorf("the writer fails: %v, %v", reading, writing)
		}
		if _, reading, writing := r.Copy(io.Discard, bytes.NewReader(make([]byte, size-1)), int64(size)); reading != io.ErrUnexpectedEOF || writing != nil {
			t.Errorf("the reader ends too early: %v, %v", reading, writing)
		}
		r.Close()
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := NewSource(v).Open(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	d := &during{act: func(int) error { cancel(); return nil }}
	if _, reading, _ := r.Copy(d, r, 3<<20); !errors.Is(reading, context.Canceled) {
		t.Errorf("cancelled: %v", reading)
	}
	if _, err := NewSource(v).Open(t.Context(), "none"); !errors.Is(err, kvault.ErrNotFound) {
		t.Errorf("no such key: %v", err)
	}
}

// alter changes the file of a closed vault by SQL, as other programs and faults of the disk do.
func alter(t *testing.T, path, sql string) {
	t.Helper()
	c, err := sqlite3.Open(path)
	if err == nil {
		defer c.Close()
		_, err = c.Config(sqlite3.DBCONFIG_ENABLE_TRIGGER, false)
	}
	if err == nil {
		err = c.Exec(sql)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The end of a damaged value is withheld, whatever the copy held meanwhile.
func TestDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	v := open(t, path, &kvault.Options{OneRowLimit: 4 << 20})
	sizes := map[string]int{"small": 1000, "row": 3 << 20, "chunks": 5 << 20}
	for key, size := range sizes {
		put(t, v, key, content(size))
	}
	v.Close()
	alter(t, path, `UPDATE kvault SET value = CAST(substr(value, 1, 500) || x'79' || substr(value, 502) AS BLOB) WHERE length(value) > 42;
		UPDATE kvault_chunks SET data = CAST(x'79' || substr(data, 2) AS BLOB) WHERE id & 3 = 1`)
	v = open(t, path, nil)
	for key, size := range sizes {
		for name, act := range map[string]func(r *Value){"held": func(*Value) {}, "let go": (*Value).letGo} {
			r, err := NewSource(v).Open(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			n, reading, _ := r.Copy(&during{act: func(int) error { act(r); return nil }}, r, int64(size))
			if !errors.Is(reading, kvault.ErrCorrupt) || n >= int64(size) {
				t.Errorf("%s, %s: %d of %d bytes, %v", key, name, n, size, reading)
			}
			r.Close()
		}
	}
}

// Small values of other programs are read at once; of large ones so many are open at a time.
func TestUntagged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	open(t, path, nil).Close()
	alter(t, path, `INSERT INTO kvault(key, value, size) VALUES (x'61', zeroblob(1000), 1000), (x'62', zeroblob(300000), 300000)`)
	v := open(t, path, nil)
	s := NewSource(v)
	var readers []*Value
	for range 2 * untagged {
		small, err := s.Open(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		readers = append(readers, small)
		large, err := s.Open(t.Context(), "b")
		if err == nil {
			readers = append(readers, large)
		} else if !errors.Is(err, ErrOccupied) {
			t.Fatal(err)
		}
	}
	if len(readers) != 3*untagged {
		t.Errorf("%d readers, want %d", len(readers), 3*untagged)
	}
	for _, r := range readers {
		if n, reading, _ := r.Copy(io.Discard, r, r.Entry.Size); n != r.Entry.Size || reading != nil {
			t.Errorf("%d bytes of %v, %v", n, r.Entry, reading)
		}
		r.Close()
	}
	r, err := s.Open(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
}

func TestSeek(t *testing.T) {
	v := open(t, ":memory:", nil)
	put(t, v, "k", []byte("0123456789"))
	r, err := NewSource(v).Open(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, test := range []struct {
		offset int64
		whence int
		want   string
	}{{3, io.SeekStart, "34"}, {1, io.SeekCurrent, "67"}, {-2, io.SeekEnd, "89"}, {0, io.SeekStart, "01"}, {20, io.SeekStart, ""}} {
		if _, err := r.Seek(test.offset, test.whence); err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 2)
		if n, err := r.Read(p); string(p[:n]) != test.want || (n == 0) != (err == io.EOF) {
			t.Errorf("%v: %q, %v", test, p[:n], err)
		}
	}
	if _, err := r.Seek(-1, io.SeekStart); !errors.Is(err, kvault.ErrInvalid) {
		t.Errorf("before the start: %v", err)
	}
}
