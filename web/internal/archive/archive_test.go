package archive_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/archive"
)

func vault(t testing.TB) *kvault.Vault {
	t.Helper()
	v, err := kvault.Open(t.Context(), ":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func handler(v *kvault.Vault, g access.Grant) http.Handler {
	h := archive.New(v)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(access.With(r.Context(), g)))
	})
}

func server(t *testing.T, v *kvault.Vault) *httptest.Server {
	s := httptest.NewServer(handler(v, access.Everything(false)))
	t.Cleanup(s.Close)
	return s
}

func pathOf(prefix, format string) string {
	return archive.Path + "?" + url.Values{"prefix": {prefix}, "format": {format}}.Encode()
}

// fetch returns the body, and the error of reading it.
func fetch(t *testing.T, s *httptest.Server, prefix, format string) (*http.Response, []byte, error) {
	t.Helper()
	resp, err := s.Client().Get(s.URL + pathOf(prefix, format))
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// unpack returns the contents of the files of an archive by name; a folder is there with "folder".
func unpack(t *testing.T, format string, body []byte) map[string]string {
	t.Helper()
	files := map[string]string{}
	add := func(name string, mode fs.FileMode, value []byte) {
		if _, twice := files[name]; twice {
			t.Errorf("%q is there twice", name)
		}
		if files[name] = string(value); mode.IsDir() {
			files[name] = "folder"
		}
	}
	if format == "zip" {
		z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			value, err := io.ReadAll(r) // which compares the CRC
			if err != nil {
				t.Fatal(f.Name, err)
			}
			add(f.Name, f.Mode(), value)
		}
		return files
	}
	for r := tar.NewReader(bytes.NewReader(body)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		value, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		add(h.Name, h.FileInfo().Mode(), value)
	}
}

func TestArchive(t *testing.T) {
	v := vault(t)
	large := strings.Repeat("0123456789abcdef", 100_000)
	mtime := time.Date(2024, 5, 6, 7, 8, 10, 123456789, time.UTC)
	for key, value := range map[string]string{
		"photos/2024/a.jpg": large, "photos/2024/ö.txt": "umlaut", "photos/2024/empty": "",
		"photos/2025/b": "b", "photos/2024/sub/": "", "other": "other",
	} {
		if _, err := v.PutWith(t.Context(), key, []byte(value), &kvault.PutOptions{ModTime: mtime}); err != nil {
			t.Fatal(err)
		}
	}
	s := server(t, v)
	for _, format := range []string{"zip", "tar"} {
		resp, body, err := fetch(t, s, "photos/2024", format)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		if got, want := resp.Header.Get("Content-Disposition"), "attachment; filename=2024."+format; got != want {
			t.Errorf("Content-Disposition %q, want %q", got, want)
		}
		want := map[string]string{"2024/a.jpg": large, "2024/ö.txt": "umlaut", "2024/empty": "", "2024/sub/": "folder"}
		if got := unpack(t, format, body); !maps.Equal(got, want) {
			t.Errorf("%s: %d files %q", format, len(got), slices.Sorted(maps.Keys(got)))
		}
		_, body, err = fetch(t, s, "", format)
		if err != nil || len(unpack(t, format, body)) != 6 {
			t.Errorf("%s of everything: %v", format, err)
		}
	}
	_, body, _ := fetch(t, s, "other", "tar")
	h, err := tar.NewReader(bytes.NewReader(body)).Next()
	if err != nil || !h.ModTime.Equal(mtime.Truncate(time.Second)) || len(body) != 512*4 {
		t.Errorf("tar: %v %v, %d bytes", h, err, len(body))
	}
	_, body, _ = fetch(t, s, "other", "zip")
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil || !z.File[0].Modified.Equal(mtime.Truncate(time.Second)) {
		t.Errorf("zip: %v", err)
	}
}

// hostile are keys that would leave the target of an unpacker, or have one name.
var hostile = []string{
	"/etc/passwd", "//etc", "../up", "a/../../up", "..", ".", "a/./b", "a//b", "a///b", "a/b", "a", "a%", "a/",
	"%61", "%2Fetc", "%2fetc", "%", "%%", "%4", "C:\\evil", "C:evil", "c/C:x", "a\\..\\b", "nul\x00byte", "line\nbreak",
	"\xff", "\xfe\xff/x", "\u202egpj.exe", "ä", "...", "..a", "x/..", "x/...", "x/", "x//", "/", "//", "sub/%2F", "sub//",
	"\x7f", "\u0085", "%FF", "a/%2Fb", strings.Repeat("long/", 2000), strings.Repeat("n", 65535), strings.Repeat("%41", 20000),
}

func TestHostileNames(t *testing.T) {
	v := vault(t)
	for _, key := range hostile {
		if err := v.Put(t.Context(), key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	s := server(t, v)
	for _, format := range []string{"zip", "tar"} {
		_, body, err := fetch(t, s, "", format)
		if err != nil {
			t.Fatal(err)
		}
		files := unpack(t, format, body)
		if len(files) != len(hostile) {
			t.Errorf("%s: %d files of %d keys", format, len(files), len(hostile))
		}
		for name, key := range files {
			if !fs.ValidPath(name) || !filepath.IsLocal(name) || strings.ContainsAny(name, "\\\x00\n") ||
				strings.HasPrefix(name, "C:") {
				t.Errorf("%s: %q has the name %q", format, key, name)
			}
			if len(name) > 4096 {
				t.Errorf("%s: a name of %d bytes", format, len(name))
			}
			text, err := url.PathUnescape(strings.TrimSuffix(name, "%"))
			if len(key) < 3000 && !strings.Contains(key, "%") && (err != nil || text != key) {
				t.Errorf("%s: the name %q of %q stands for %q", format, name, key, text)
			}
			for other := range files {
				if strings.HasPrefix(other, name+"/") {
					t.Errorf("%s: the file %q would be a folder too: %q", format, name, other)
				}
			}
		}
	}
}

func TestRefused(t *testing.T) {
	v := vault(t)
	for _, key := range []string{"a/1", "b/1"} {
		if err := v.Put(t.Context(), key, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	grant, _ := access.NewTokens([]access.Token{{Secret: "s", Prefix: "a/"}}, false).Grant(&http.Request{
		Header: http.Header{"Authorization": {"Bearer s"}},
	})
	h := handler(v, grant)
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", pathOf("a/", "tar"), 200},
		{"HEAD", pathOf("a/", "tar"), 200},
		{"GET", pathOf("b/", "tar"), 403},
		{"GET", pathOf("a", "tar"), 403},
		{"GET", pathOf("", "zip"), 403},
		{"HEAD", pathOf("", "zip"), 403},
		{"GET", pathOf("a/2", "tar"), 404},
		{"GET", pathOf("a/", "rar"), 400},
		{"GET", archive.Path, 400},
		{"POST", pathOf("a/", "tar"), 405},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(test.method, test.path, nil))
		if w.Code != test.status {
			t.Errorf("%s %s: %d, want %d", test.method, test.path, w.Code, test.status)
		}
		if test.method == "HEAD" && w.Body.Len() > 0 {
			t.Errorf("%s %s has a body", test.method, test.path)
		}
	}
}

// changing lets a test act between two writes of an answer.
type changing struct {
	http.ResponseWriter
	written int
	at      int
	act     func()
}

func (c *changing) Write(p []byte) (int, error) {
	if c.written += len(p); c.act != nil && c.written > c.at {
		c.act()
		c.act = nil
	}
	return c.ResponseWriter.Write(p)
}

func TestChangedMeanwhile(t *testing.T) {
	for _, format := range []string{"zip", "tar"} {
		for name, test := range map[string]struct {
			act   func(ctx context.Context, v *kvault.Vault) error
			files int // or -1 if the archive breaks off
		}{
			"replaced":      {func(ctx context.Context, v *kvault.Vault) error { return v.Put(ctx, "a", []byte("other")) }, -1},
			"removed":       {func(ctx context.Context, v *kvault.Vault) error { _, err := v.Delete(ctx, "a"); return err }, -1},
			"next removed":  {func(ctx context.Context, v *kvault.Vault) error { _, err := v.Delete(ctx, "b"); return err }, 2},
			"next replaced": {func(ctx context.Context, v *kvault.Vault) error { return v.Put(ctx, "b", []byte("other")) }, 3},
		} {
			t.Run(format+" "+name, func(t *testing.T) {
				v := vault(t)
				for _, key := range []string{"a", "b", "c"} {
					if err := v.Put(t.Context(), key, bytes.Repeat([]byte(key), 200<<10)); err != nil {
						t.Fatal(err)
					}
				}
				h := handler(v, access.Everything(false))
				var acted error
				s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					h.ServeHTTP(&changing{w, 0, 1000, func() { acted = test.act(r.Context(), v) }}, r)
				}))
				defer s.Close()
				_, body, err := fetch(t, s, "", format)
				if acted != nil {
					t.Fatal(acted)
				}
				if test.files < 0 {
					if !errors.Is(err, io.ErrUnexpectedEOF) {
						t.Fatalf("%d bytes with error %v, want the connection broken off", len(body), err)
					}
					return
				}
				if err != nil || len(unpack(t, format, body)) != test.files {
					t.Fatalf("%v, %d bytes", err, len(body))
				}
			})
		}
	}
}

func TestDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	v, err := kvault.Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for key, size := range map[string]int{"small/a": 1000, "large/a": 3 << 20} {
		if err := v.Put(t.Context(), key, bytes.Repeat([]byte("x"), size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := sqlite3.Open(path)
	if err == nil {
		defer c.Close()
		_, err = c.Config(sqlite3.DBCONFIG_ENABLE_TRIGGER, false)
	}
	if err == nil {
		err = c.Exec(`UPDATE kvault SET value = CAST(substr(value, 1, length(value) - 1) || x'79' AS BLOB)`)
	}
	if err != nil {
		t.Fatal(err)
	}
	if v, err = kvault.Open(t.Context(), path, nil); err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	s := server(t, v)
	for _, prefix := range []string{"small/", "large/", ""} {
		for _, format := range []string{"zip", "tar"} {
			if _, body, err := fetch(t, s, prefix, format); err == nil {
				t.Errorf("%s of damaged values below %q: %d bytes without an error", format, prefix, len(body))
			}
		}
	}
}

func TestTooManyForZip(t *testing.T) {
	v := vault(t)
	h := archive.New(v)
	h.SetMaxZip(3)
	for i, want := range []map[string]int{{"zip": 200, "tar": 200}, {"zip": 400, "tar": 200}} {
		for key := range 3 + i {
			if err := v.Put(t.Context(), fmt.Sprint(key), nil); err != nil {
				t.Fatal(err)
			}
		}
		for format, status := range want {
			w, r := httptest.NewRecorder(), httptest.NewRequest("HEAD", pathOf("", format), nil)
			h.ServeHTTP(w, r.WithContext(access.With(r.Context(), access.Everything(false))))
			if w.Code != status {
				t.Errorf("%s of %d keys: %d, want %d", format, 3+i, w.Code, status)
			}
		}
	}
}
