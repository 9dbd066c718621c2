package kvault_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kohakuvault/kvault"
)

// fill stores each key with itself as the value.
func fill(t *testing.T, v *kvault.Vault, keys ...string) {
	t.Helper()
	for _, key := range keys {
		put(t, v, key, key)
	}
}

func names(entries []fs.DirEntry) []string {
	out := []string{}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() {
			name += "/"
		}
		out = append(out, name)
	}
	return out
}

func readDir(t *testing.T, fsys fs.FS, name string) []string {
	t.Helper()
	entries, err := fs.ReadDir(fsys, name)
	if err != nil {
		t.Errorf("ReadDir(%q): %v", name, err)
	}
	return names(entries)
}

// wantPathError checks that err is a *fs.PathError about name with that cause.
func wantPathError(t *testing.T, what, name string, err, cause error) {
	t.Helper()
	var pe *fs.PathError
	if !errors.As(err, &pe) || pe.Path != name || cause != nil && !errors.Is(err, cause) {
		t.Errorf("%s: error %v, want a *fs.PathError on %q that matches %v", what, err, name, cause)
	}
	var ke *kvault.Error
	if errors.As(err, &ke) {
		t.Errorf("%s: error %q names its call twice", what, err)
	}
}

func TestFSConformance(t *testing.T) {
	keys := []string{"a", "b/c", "b/d/e", "b-c", "b0", "photos/cat.jpg", "photos/dog.jpg", "with space/ü/日本.txt", "x/y/z/deep"}
	for _, cached := range []bool{false, true} {
		v := newVault(t, quick)
		if cached {
			enable(t, v, 1<<20, 1<<20)
		}
		fill(t, v, keys...)
		if err := fstest.TestFS(v.FS(t.Context()), keys...); err != nil {
			t.Errorf("cached %v: %v", cached, err)
		}
	}
}

// TestFSOddNames has names that fs.ValidPath takes and fstest does not, because no operating system
// has both.
func TestFSOddNames(t *testing.T) {
	v := newVault(t, nil)
	keys := []string{"back\\slash", "c:", "nul\x00", "per%20cent", "tab\t"}
	fill(t, v, keys...)
	fsys := v.FS(t.Context())
	if got := readDir(t, fsys, "."); !slices.Equal(got, keys) {
		t.Errorf("ReadDir: %q, want %q", got, keys)
	}
	for _, key := range keys {
		if got, err := fs.ReadFile(fsys, key); err != nil || string(got) != key {
			t.Errorf("ReadFile(%q): %q, %v", key, got, err)
		}
	}
}

func TestFSOfAnEmptyVault(t *testing.T) {
	fsys := newVault(t, nil).FS(t.Context())
	if err := fstest.TestFS(fsys); err != nil {
		t.Error(err)
	}
	if got := readDir(t, fsys, "."); len(got) != 0 {
		t.Errorf("the root holds %q", got)
	}
}

func TestFSStat(t *testing.T) {
	v := newVault(t, nil)
	when := time.Date(2024, 2, 29, 12, 34, 56, 789, time.UTC)
	if _, err := v.PutWith(t.Context(), "a/b.txt", []byte("value"), &kvault.PutOptions{ModTime: when, ContentType: "text/x"}); err != nil {
		t.Fatal(err)
	}
	fsys := v.FS(t.Context())
	open, err := fsys.Open("a/b.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	byStat, err1 := fs.Stat(fsys, "a/b.txt")
	byFile, err2 := open.Stat()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for how, fi := range map[string]fs.FileInfo{"FS": byStat, "File": byFile} {
		if fi.Name() != "b.txt" || fi.Size() != 5 || fi.Mode() != 0o444 || fi.IsDir() || !fi.ModTime().Equal(when) {
			t.Errorf("Stat of %s: %s", how, fs.FormatFileInfo(fi))
		}
		if e, ok := fi.Sys().(kvault.Entry); !ok || e.ContentType != "text/x" || e.Key != "a/b.txt" {
			t.Errorf("Sys of %s: %+v", how, fi.Sys())
		}
	}
	for _, name := range []string{".", "a"} {
		fi, err := fs.Stat(fsys, name)
		if err != nil || fi.Name() != name || !fi.IsDir() || fi.Mode() != fs.ModeDir|0o555 || !fi.ModTime().IsZero() || fi.Size() != 0 || fi.Sys() != nil {
			t.Errorf("Stat(%q): %v, %v", name, fi, err)
		}
	}
}

func TestFSFile(t *testing.T) {
	v := newVault(t, quick)
	put(t, v, "k", "0123456789abcdef")
	f, err := v.FS(t.Context()).Open("k")
	if err != nil {
		t.Fatal(err)
	}
	put(t, v, "k", "new")
	p := make([]byte, 4)
	if n, err := f.(io.ReaderAt).ReadAt(p, 14); n != 2 || err != io.EOF || string(p[:n]) != "ef" {
		t.Errorf("ReadAt: %q, %v", p[:n], err)
	}
	if pos, err := f.(io.Seeker).Seek(-6, io.SeekEnd); pos != 10 || err != nil {
		t.Errorf("Seek: %d, %v", pos, err)
	}
	var w strings.Builder
	if n, err := io.Copy(&w, f); n != 6 || err != nil || w.String() != "abcdef" {
		t.Errorf("Copy: %q, %v", w.String(), err)
	}
	if n, err := f.Read(p); n != 0 || err != io.EOF {
		t.Errorf("Read at the end: %d, %v", n, err)
	}
	_, err = f.(io.Seeker).Seek(-1, io.SeekStart)
	wantPathError(t, "Seek", "k", err, fs.ErrInvalid)
	if err := f.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	_, err = f.Read(p)
	wantPathError(t, "Read after Close", "k", err, fs.ErrClosed)
	_, err = f.Stat()
	wantPathError(t, "Stat after Close", "k", err, fs.ErrClosed)
}

func TestFSErrors(t *testing.T) {
	v := newVault(t, nil)
	fill(t, v, "file", "folder/x", "a", "a/b")
	fsys := v.FS(t.Context())
	calls := map[string]func(string) error{
		"Open":     func(name string) error { _, err := fsys.Open(name); return err },
		"Stat":     func(name string) error { _, err := fs.Stat(fsys, name); return err },
		"ReadFile": func(name string) error { _, err := fs.ReadFile(fsys, name); return err },
		"ReadDir":  func(name string) error { _, err := fs.ReadDir(fsys, name); return err },
	}
	for what, call := range calls {
		for _, name := range []string{"missing", "folder/missing", "file/x", "fol", "missing/x"} {
			wantPathError(t, what, name, call(name), fs.ErrNotExist)
		}
		for _, name := range []string{"", "/file", "file/", "./file", "folder//x", "..", "\xff"} {
			wantPathError(t, what, name, call(name), fs.ErrInvalid)
		}
	}
	wantPathError(t, "ReadFile of a folder", "folder", calls["ReadFile"]("folder"), nil)
	wantPathError(t, "ReadFile of a folder and file", "a", calls["ReadFile"]("a"), nil)
	wantPathError(t, "ReadDir of a file", "file", calls["ReadDir"]("file"), nil)
}

// The functions of package os look at the error in a *fs.PathError, but at none beneath that.
func TestFSErrorsForOS(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	put(t, v, "a", "value")
	calls := func(fsys fs.FS, name string) map[string]error {
		_, open := fsys.Open(name)
		_, stat := fs.Stat(fsys, name)
		_, read := fs.ReadFile(fsys, name)
		_, dir := fs.ReadDir(fsys, name)
		return map[string]error{"open": open, "stat": stat, "read": read, "readdir": dir}
	}
	for _, name := range []string{"none", "no/such", "a/b", strings.Repeat("k", kvault.MaxKey+1)} {
		for what, err := range calls(v.FS(t.Context()), name) {
			if !os.IsNotExist(err) || os.IsTimeout(err) || os.IsPermission(err) {
				t.Errorf("%s of %.10q: %v is not what os.IsNotExist takes", what, name, err)
			}
		}
	}
	late, cancel := context.WithTimeoutCause(t.Context(), -1, kvault.ErrNotFound)
	defer cancel()
	for what, err := range calls(v.FS(late), "a") {
		if !os.IsTimeout(err) || os.IsNotExist(err) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s past its deadline: %v is not what os.IsTimeout takes", what, err)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	f.fail("list", -1, kvault.ErrBusy)
	w := newOn(t, f, &kvault.Options{RetryDelay: time.Hour, BusyTimeout: 2 * time.Hour})
	for what, err := range calls(w.FS(short), "a") {
		if !os.IsTimeout(err) {
			t.Errorf("%s whose deadline passes while it waits: %v is not what os.IsTimeout takes", what, err)
		}
	}
	f.on(nil)

	file, err := v.FS(t.Context()).Open("a")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// That the target of a copy is not there says nothing of the file.
	if _, err := file.(io.WriterTo).WriteTo(failingWriter{fs.ErrNotExist}); os.IsNotExist(err) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("copy to a target that is not there: %v", err)
	}
}

// failingWriter fails with err.
type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestFSEngineFailures(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	fill(t, v, "a", "b/c")
	fsys := v.FS(t.Context())
	open, err := fsys.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	rewind := func() io.Reader {
		if _, err := open.(io.Seeker).Seek(0, io.SeekStart); err != nil {
			t.Errorf("Seek: %v", err)
		}
		return open
	}
	root, err := fsys.Open(".")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		call, what, path string
		run              func() error
	}{
		{"open", "Open", "a", func() error { _, err := fsys.Open("a"); return err }},
		{"list", "Open", "a", func() error { _, err := fsys.Open("a"); return err }},
		{"stat", "Stat", "a", func() error { _, err := fs.Stat(fsys, "a"); return err }},
		{"list", "Stat", "b", func() error { _, err := fs.Stat(fsys, "b"); return err }},
		{"get", "ReadFile", "a", func() error { _, err := fs.ReadFile(fsys, "a"); return err }},
		{"list", "ReadFile", "a", func() error { _, err := fs.ReadFile(fsys, "a"); return err }},
		{"list", "ReadDir", ".", func() error { _, err := fs.ReadDir(fsys, "."); return err }},
		{"list", "ReadDir of an opened folder", ".", func() error { _, err := root.(fs.ReadDirFile).ReadDir(5); return err }},
		{"read blob", "Read", "a", func() error { _, err := rewind().Read(make([]byte, 1)); return err }},
		{"read blob", "ReadAt", "a", func() error { _, err := open.(io.ReaderAt).ReadAt(make([]byte, 1), 0); return err }},
		{"read blob", "WriteTo", "a", func() error { _, err := io.Copy(io.Discard, rewind()); return err }},
	}
	for _, tt := range tests {
		f.fail(tt.call, -1, errBoom)
		wantPathError(t, tt.what+" with a failing "+tt.call, tt.path, tt.run(), errBoom)
		f.on(nil)
		if err := tt.run(); err != nil {
			t.Errorf("%s after a failing %s: %v", tt.what, tt.call, err)
		}
	}
	f.fail("stat", -1, errBoom)
	_, err = fs.ReadDir(fsys, "a") // a file: whether it exists is asked, and not known
	wantPathError(t, "ReadDir with a failing stat", "a", err, errBoom)
}

func TestFSOutlivedByItsVault(t *testing.T) {
	v := newVault(t, nil)
	fill(t, v, "a")
	fsys := v.FS(t.Context())
	f, err := fsys.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	short := v.FS(ctx)
	cancel()
	for _, name := range []string{".", "a"} {
		_, err := short.Open(name)
		wantPathError(t, "Open with a canceled context", name, err, context.Canceled)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".", "a"} {
		_, err := fsys.Open(name)
		wantPathError(t, "Open after Close", name, err, kvault.ErrClosed)
	}
	_, err = f.Read(make([]byte, 1))
	wantPathError(t, "Read after Close", "a", err, kvault.ErrClosed)
}

func TestFSWalkAndSub(t *testing.T) {
	v := newVault(t, nil)
	fill(t, v, "a/b/c", "a/b/d", "a/e", "a", "f", "g//h")
	fsys := v.FS(t.Context())
	walk := func(fsys fs.FS) []string {
		var seen []string
		err := fs.WalkDir(fsys, ".", func(name string, _ fs.DirEntry, err error) error {
			seen = append(seen, name)
			return err
		})
		if err != nil {
			t.Errorf("WalkDir: %v", err)
		}
		return seen
	}
	if got, want := walk(fsys), []string{".", "a", "a/b", "a/b/c", "a/b/d", "a/e", "f", "g"}; !slices.Equal(got, want) {
		t.Errorf("WalkDir: %q, want %q", got, want)
	}
	sub, err := fs.Sub(fsys, "a")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := walk(sub), []string{".", "b", "b/c", "b/d", "e"}; !slices.Equal(got, want) {
		t.Errorf("WalkDir of a folder: %q, want %q", got, want)
	}
	if got, err := fs.ReadFile(sub, "b/c"); err != nil || string(got) != "a/b/c" {
		t.Errorf("ReadFile: %q, %v", got, err)
	}
	if err := fstest.TestFS(sub, "b/c", "b/d", "e"); err != nil {
		t.Error(err)
	}
	if got, err := fs.Glob(fsys, "a/b/*"); err != nil || !slices.Equal(got, []string{"a/b/c", "a/b/d"}) {
		t.Errorf("Glob: %q, %v", got, err)
	}
}

func TestFSServesRanges(t *testing.T) {
	v := newVault(t, quick)
	when := time.Date(2024, 2, 29, 12, 34, 56, 0, time.UTC)
	value := strings.Repeat("0123456789", 1000)
	if _, err := v.PutReader(t.Context(), "media/clip.txt", strings.NewReader(value), &kvault.PutOptions{ModTime: when}); err != nil {
		t.Fatal(err)
	}
	handler := http.FileServer(http.FS(v.FS(t.Context())))
	tests := []struct {
		path, header, value string
		status              int
		body                string
	}{
		{"/media/clip.txt", "", "", 200, value},
		{"/media/clip.txt", "Range", "bytes=9995-", 206, "56789"},
		{"/media/clip.txt", "Range", "bytes=3-5", 206, "345"},
		{"/media/clip.txt", "Range", "bytes=-2", 206, "89"},
		{"/media/clip.txt", "Range", "bytes=20000-", 416, "invalid range: failed to overlap\n"},
		{"/media/clip.txt", "If-Modified-Since", when.Format(http.TimeFormat), 304, ""},
		{"/media/", "", "", 200, "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n<a href=\"clip.txt\">clip.txt</a>\n</pre>\n"},
		{"/media/none", "", "", 404, "404 page not found\n"},
	}
	for _, tt := range tests {
		req := httptest.NewRequest("GET", tt.path, nil)
		if tt.header != "" {
			req.Header.Set(tt.header, tt.value)
		}
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, req)
		if rec.Code != tt.status || rec.Body.String() != tt.body {
			t.Errorf("%s %s %s: %d %.200q, want %d %.200q", tt.path, tt.header, tt.value, rec.Code, rec.Body.String(), tt.status, tt.body)
		}
	}
}

func TestFSServeContent(t *testing.T) {
	v := newVault(t, quick)
	put(t, v, "k", "0123456789")
	f, err := v.FS(t.Context()).Open("k")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	req := httptest.NewRequest("GET", "/", nil)
	req.Header.Set("Range", "bytes=2-3,8-")
	rec := httptest.NewRecorder()
	http.ServeContent(rec, req, "k.txt", time.Time{}, f.(io.ReadSeeker))
	if body := rec.Body.String(); rec.Code != 206 || !strings.Contains(body, "\r\n\r\n23\r\n") || !strings.Contains(body, "\r\n\r\n89\r\n") {
		t.Errorf("two ranges: %d %q", rec.Code, body)
	}
}
