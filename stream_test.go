package kvault_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

// text is longer than a few chunks of quick, and no multiple of one.
const text = "a value of several chunks of eight bytes"

// staged is how many values are being written, or were left behind.
func staged(t *testing.T, f *faulty) int64 {
	t.Helper()
	s, err := f.Store.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.Staged
}

func TestPutReader(t *testing.T) {
	sources := map[string]func(io.Reader) io.Reader{
		"plain":       func(r io.Reader) io.Reader { return r },
		"one byte":    iotest.OneByteReader,
		"half":        iotest.HalfReader,
		"data at EOF": iotest.DataErrReader,
	}
	both(t, func(t *testing.T, v *kvault.Vault, f *faulty) {
		for name, source := range sources {
			for n := range len(text) {
				for _, o := range []*kvault.PutOptions{nil, {Size: int64(n), SizeKnown: true}} {
					value := text[:n]
					e, err := v.PutReader(t.Context(), "a", source(strings.NewReader(value)), o)
					if err != nil || e.Size != int64(n) || !e.HasChecksum || len(e.Tag) != 16 {
						t.Fatalf("%s, %d bytes, %+v: %+v, %v", name, n, o, e, err)
					}
					wantGet(t, v, "a", value)
					same, err := v.PutWith(t.Context(), "b", []byte(value), nil)
					if err != nil || same.Checksum != e.Checksum || same.ContentType != e.ContentType {
						t.Fatalf("stream of %d bytes made %+v, Put %+v, %v", n, e, same, err)
					}
				}
			}
		}
		if n := staged(t, f); n != 0 {
			t.Errorf("%d stages left behind", n)
		}
	})
}

// The original destroys the old value first.
func TestFailedStreamLeavesTheOldValue(t *testing.T) {
	for name, c := range map[string]struct {
		source io.Reader
		o      *kvault.PutOptions
		want   error
		io     bool
	}{
		"failing at once":     {iotest.ErrReader(errBoom), nil, errBoom, true},
		"failing late":        {io.MultiReader(strings.NewReader(text), iotest.ErrReader(errBoom)), nil, errBoom, true},
		"failing with data":   {&withData{text[:20], errBoom}, nil, errBoom, true},
		"own unexpected EOF":  {io.MultiReader(strings.NewReader(text), iotest.ErrReader(io.ErrUnexpectedEOF)), nil, io.ErrUnexpectedEOF, true},
		"early unexpected":    {&withData{"abc", io.ErrUnexpectedEOF}, nil, io.ErrUnexpectedEOF, true},
		"no progress":         {idle{}, nil, io.ErrNoProgress, true},
		"impossible count":    {liar{}, nil, nil, true},
		"short":               {strings.NewReader(text), &kvault.PutOptions{Size: int64(len(text)) + 1}, kvault.ErrInvalid, false},
		"long":                {strings.NewReader(text), &kvault.PutOptions{Size: int64(len(text)) - 1}, kvault.ErrInvalid, false},
		"long by chunks":      {strings.NewReader(text), &kvault.PutOptions{Size: 16}, kvault.ErrInvalid, false},
		"long, within one":    {strings.NewReader("12345"), &kvault.PutOptions{Size: 4}, kvault.ErrInvalid, false},
		"not empty":           {strings.NewReader("1"), &kvault.PutOptions{SizeKnown: true}, kvault.ErrInvalid, false},
		"empty":               {strings.NewReader(""), &kvault.PutOptions{Size: 1}, kvault.ErrInvalid, false},
		"condition":           {strings.NewReader(text), &kvault.PutOptions{IfAbsent: true}, kvault.ErrExists, false},
		"condition, in chunk": {strings.NewReader("1"), &kvault.PutOptions{IfTag: "nope"}, kvault.ErrTagMismatch, false},
	} {
		t.Run(name, func(t *testing.T) {
			v, f := newFaultyVault(t, quick)
			put(t, v, "a", "old")
			_, err := v.PutReader(t.Context(), "a", c.source, c.o)
			var e *kvault.Error
			var ioErr *kvault.IOError
			if !errors.As(err, &e) || e.Op != "put" || c.want != nil && !errors.Is(err, c.want) || errors.As(err, &ioErr) != c.io {
				t.Errorf("error is %v; want %v, IOError %v", err, c.want, c.io)
			}
			f.wantStored(t, "a", "old")
			if n := staged(t, f); n != 0 {
				t.Errorf("%d stages left behind", n)
			}
		})
	}
}

// withData gives its data together with the error.
type withData struct {
	data string
	err  error
}

func (w *withData) Read(p []byte) (int, error) {
	n := copy(p, w.data)
	w.data = w.data[n:]
	if w.data == "" {
		return n, w.err
	}
	return n, nil
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

type liar struct{}

func (liar) Read(p []byte) (int, error) { return len(p) + 1, nil }

func TestStreamInvisibleUntilComplete(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	put(t, v, "a", "old")
	g := &gated{first: strings.NewReader(text[:20]), rest: strings.NewReader(text[20:]), reached: make(chan struct{}), gate: make(chan struct{})}
	reached := g.reached
	done := make(chan error)
	go func() {
		_, err := v.PutReader(t.Context(), "a", g, nil)
		done <- err
	}()
	<-reached
	wantGet(t, v, "a", "old")
	if n := staged(t, f); n != 1 {
		t.Errorf("%d stages while the stream runs", n)
	}
	// A slow reader does not hold the write lock: this put, and this transaction, would wait for
	// ever.
	put(t, v, "b", "other")
	if err := v.Update(t.Context(), func(tx *kvault.Tx) error { return tx.Put(t.Context(), "c", nil) }); err != nil {
		t.Error(err)
	}
	close(g.gate)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wantGet(t, v, "a", text)
}

func TestCancelledStreamLeavesTheOldValue(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	put(t, v, "a", "old")
	ctx, cancel := context.WithCancel(t.Context())
	r := io.MultiReader(strings.NewReader(text[:20]), readerFunc(func(p []byte) (int, error) {
		cancel()
		return copy(p, text[20:]), nil
	}))
	_, err := v.PutReader(ctx, "a", r, nil)
	wantErr(t, err, context.Canceled)
	f.wantStored(t, "a", "old")
	if n := staged(t, f); n != 0 {
		t.Errorf("%d stages left behind", n)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestPanickingSourceLeavesNothingBehind(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	func() {
		defer func() {
			if recover() != errBoom {
				t.Error("the panic was swallowed")
			}
		}()
		v.PutReader(t.Context(), "a", io.MultiReader(strings.NewReader(text), readerFunc(func([]byte) (int, error) { panic(errBoom) })), nil)
	}()
	wantMissing(t, v, "a")
	if n := staged(t, f); n != 0 {
		t.Errorf("%d stages left behind", n)
	}
}

// A retry must not read again from a half-read source, and a failing store leaves the old value.
func TestStreamIntoABusyStore(t *testing.T) {
	for _, call := range []string{"stage", "write chunk", "apply"} {
		t.Run(call, func(t *testing.T) {
			v, f := newFaultyVault(t, quick)
			put(t, v, "a", "old")
			f.fail(call, 3, kvault.ErrBusy)
			if _, err := v.PutReader(t.Context(), "a", strings.NewReader(text), nil); err != nil {
				t.Fatal(err)
			}
			wantGet(t, v, "a", text)
			f.fail(call, 4, kvault.ErrBusy)
			_, err := v.PutReader(t.Context(), "a", strings.NewReader("another value, longer than a chunk"), nil)
			wantErr(t, err, kvault.ErrBusy)
			wantGet(t, v, "a", text)
			f.on(nil)
			if n := staged(t, f); n != 0 {
				t.Errorf("%d stages left behind", n)
			}
		})
	}
}

// counter counts the bytes that it gives out.
type counter struct {
	left int64
	most int
}

func (c *counter) Read(p []byte) (int, error) {
	c.most = max(c.most, len(p))
	n := min(int64(len(p)), c.left)
	c.left -= n
	if n == 0 {
		return 0, io.EOF
	}
	return int(n), nil
}

func TestStreamTakesOneChunkOfMemory(t *testing.T) {
	v := newVault(t, nil)
	for _, o := range []*kvault.PutOptions{nil, {Size: 1 << 20}, {ChunkSize: 1000}, {ChunkSize: 1}} {
		src := &counter{left: 1 << 20}
		most := kvault.DefaultChunkSize + 1
		if o != nil && o.ChunkSize > 0 {
			most = o.ChunkSize + 1
			src.left = 5000
		}
		want := src.left
		e, err := v.PutReader(t.Context(), "a", src, o)
		if err != nil || e.Size != want || src.most > most {
			t.Errorf("%+v: %d bytes stored, %v; asked for up to %d at once", o, e.Size, err, src.most)
		}
	}
}

func TestEndlessSourceIsLeftAtItsSize(t *testing.T) {
	v := newVault(t, quick)
	const endless = 1 << 30
	for _, size := range []int64{5, 20} {
		src := &counter{left: endless}
		_, err := v.PutReader(t.Context(), "a", src, &kvault.PutOptions{Size: size})
		wantErr(t, err, kvault.ErrInvalid)
		if took := endless - src.left; took > size+9 {
			t.Errorf("took %d bytes of a source of size %d", took, size)
		}
	}
}

func TestSmallStreamGoesToTheCache(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 1000, 1000)
	if _, err := v.PutReader(t.Context(), "a", strings.NewReader("12345678"), nil); err != nil {
		t.Fatal(err)
	}
	if s := v.CacheStats(); s.Entries != 1 {
		t.Errorf("one chunk is not cached: %+v", s)
	}
	if _, err := v.PutReader(t.Context(), "b", strings.NewReader("123456789"), nil); err != nil {
		t.Fatal(err)
	}
	wantGet(t, v, "b", "123456789")
	if got := f.batches(); len(got) != 2 || got[0][0].Key != "a" || got[1][0].Key != "b" {
		t.Errorf("batches %+v; want what was pending first, then the stream", got)
	}
}

func TestPutFileGoesByTheNameOfTheFile(t *testing.T) {
	v := newVault(t, quick)
	path := filepath.Join(t.TempDir(), "file.css")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ key, given, want string }{
		{"a", "", "text/css; charset=utf-8"},
		{"a.json", "", "application/json"},
		{"a.nosuchthing", "", "text/css; charset=utf-8"},
		{"a", "x/own", "x/own"},
	} {
		e, err := v.PutFile(t.Context(), c.key, path, &kvault.PutOptions{ContentType: c.given})
		if err != nil || e.ContentType != c.want {
			t.Errorf("%s, given %q: content type %q, %v; want %q", c.key, c.given, e.ContentType, err, c.want)
		}
	}
}

func TestPutFileOfATimeThatDoesNotFit(t *testing.T) {
	v := newVault(t, quick)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, year := range []int{1601, 2400} {
		when := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Skip(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		e, err := v.PutFile(t.Context(), "a", path, nil)
		if err != nil || !e.ModTime.Equal(engine.FitModTime(info.ModTime())) {
			t.Errorf("%v was stored as %v, %v", info.ModTime(), e.ModTime, err)
		}
	}
}

func TestFitModTime(t *testing.T) {
	v := newVault(t, quick)
	ok := time.Date(2020, 1, 2, 3, 4, 5, 6, time.UTC)
	for _, c := range [][2]time.Time{
		{ok, ok},
		{time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1678, 1, 1, 0, 0, 0, 0, time.UTC)},
		{time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2261, 12, 31, 23, 59, 59, 999_999_999, time.UTC)},
	} {
		fit := engine.FitModTime(c[0])
		if !fit.Equal(c[1]) {
			t.Errorf("%v fits as %v, want %v", c[0], fit, c[1])
		}
		if e, err := v.PutWith(t.Context(), "a", nil, &kvault.PutOptions{ModTime: fit}); err != nil || !e.ModTime.Equal(fit) {
			t.Errorf("%v came back as %v, %v", fit, e.ModTime, err)
		}
	}
}

// TestPutFileReadsToTheEnd of files that say they are empty.
func TestPutFileReadsToTheEnd(t *testing.T) {
	const path = "/proc/sys/kernel/ostype"
	want, err := os.ReadFile(path)
	if err != nil {
		t.Skip(err)
	}
	v := newVault(t, quick)
	if _, err := v.PutFile(t.Context(), "a", path, nil); err != nil {
		t.Fatal(err)
	}
	wantGet(t, v, "a", string(want))
}

func TestPutFile(t *testing.T) {
	v := newVault(t, quick)
	dir := t.TempDir()
	path := filepath.Join(dir, "file.txt")
	when := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, when, when)); err != nil {
		t.Fatal(err)
	}
	e, err := v.PutFile(t.Context(), "a", path, nil)
	if err != nil || !e.ModTime.Equal(when) || e.Size != int64(len(text)) {
		t.Errorf("PutFile = %+v, %v", e, err)
	}
	wantGet(t, v, "a", text)
	given := when.Add(time.Hour)
	if e, err = v.PutFile(t.Context(), "a", path, &kvault.PutOptions{ModTime: given}); err != nil || !e.ModTime.Equal(given) {
		t.Errorf("with a time given: %+v, %v", e, err)
	}
	_, err = v.PutFile(t.Context(), "a", path, &kvault.PutOptions{Size: 1})
	wantErr(t, err, kvault.ErrInvalid)
	_, err = v.PutFile(t.Context(), "", path, nil)
	wantErr(t, err, kvault.ErrInvalid)
	_, err = v.PutFile(t.Context(), "a", dir, nil)
	wantErr(t, err, kvault.ErrInvalid)
	_, err = v.PutFile(t.Context(), "a", filepath.Join(dir, "none"), nil)
	wantErr(t, err, fs.ErrNotExist)
	var ioErr *kvault.IOError
	var pathErr *fs.PathError
	if !errors.As(err, &ioErr) || !errors.As(err, &pathErr) {
		t.Errorf("missing file: %v; want an IOError with the path", err)
	}
	if errors.Is(err, kvault.ErrNotFound) {
		t.Errorf("a missing file looks like a missing key: %v", err)
	}
	wantGet(t, v, "a", text)
}
