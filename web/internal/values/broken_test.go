package values_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/stream"
	"github.com/kohakuvault/kvault/web/internal/values"
)

// alteredVault returns a vault whose file was changed by SQL between two uses.
func alteredVault(t *testing.T, sql string, sizes map[string]int) *kvault.Vault {
	t.Helper()
	path := filepath.Join(t.TempDir(), "v.kv")
	v, err := kvault.Open(t.Context(), path, &kvault.Options{OneRowLimit: 2 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for key, size := range sizes {
		if err := putFrom(v, key, io.LimitReader(zeros{}, int64(size))); err != nil {
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
		err = c.Exec(sql)
	}
	if err == nil {
		v, err = kvault.Open(t.Context(), path, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// get returns the status, or 0, and the error of reading the body.
func get(t *testing.T, s *httptest.Server, key string) (status int, body []byte, err error) {
	t.Helper()
	resp, err := s.Client().Get(s.URL + "/v/" + key)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// A damaged value is an error from the start, or an answer that ends too early.
func TestDamaged(t *testing.T) {
	v := alteredVault(t, `UPDATE kvault SET value = CAST(x'79' || substr(value, 2) AS BLOB) WHERE length(value) > 42;
		UPDATE kvault_chunks SET data = CAST(x'79' || substr(data, 2) AS BLOB) WHERE id & 3 = 3`,
		map[string]int{"small": 1000, "row": 3 << 19, "chunks": 5 << 20, "range": 5 << 20})
	s := server(t, v)
	if status, body, err := get(t, s, "small"); status != 500 || err != nil || !strings.Contains(string(body), "damaged") {
		t.Errorf("small: %d %q %v", status, body, err)
	}
	for _, key := range []string{"row", "chunks"} {
		if status, body, err := get(t, s, key); status != 200 || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %d, %d bytes, %v", key, status, len(body), err)
		}
	}
	// Damage must not become part of a value with a right checksum.
	before := tagOf(t, v, "range")
	if a := ask(t, s, "PUT", "range", "x", "Content-Range", "bytes 0-0/*"); a.StatusCode != 500 || tagOf(t, v, "range") != before {
		t.Errorf("a part of a damaged value: %s", a.Status)
	}
	if a := ask(t, s, "HEAD", "small", ""); a.StatusCode != 200 {
		t.Errorf("HEAD reads the value: %s", a.Status)
	}
}

// sending acts before the first write of an answer, and lets it wait until nothing is held for it.
type sending struct {
	http.ResponseWriter
	act func() error
}

func (s *sending) Write(p []byte) (int, error) {
	if s.act != nil {
		if err := s.act(); err != nil {
			return 0, err
		}
		s.act = nil
		for stream.Holding() > 0 {
			time.Sleep(time.Millisecond)
		}
	}
	return s.ResponseWriter.Write(p)
}

// A version that goes while it is sent breaks the connection off.
func TestGoneWhileSent(t *testing.T) {
	for name, act := range map[string]func(r *http.Request, v *kvault.Vault) error{
		"removed":  func(r *http.Request, v *kvault.Vault) error { _, err := v.Delete(r.Context(), "k"); return err },
		"replaced": func(r *http.Request, v *kvault.Vault) error { return v.Put(r.Context(), "k", make([]byte, 3<<20)) },
		"described": func(r *http.Request, v *kvault.Vault) error {
			_, err := v.SetMetadata(r.Context(), "k", &kvault.MetadataOptions{ContentType: "a/b"})
			return err
		},
	} {
		v := vault(t)
		if err := v.Put(t.Context(), "k", make([]byte, 3<<20)); err != nil {
			t.Fatal(err)
		}
		h := values.New(v)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w = &sending{w, func() error { return act(r, v) }}
			h.ServeHTTP(w, r.WithContext(access.With(r.Context(), access.Everything(true))))
		}))
		if status, body, err := get(t, s, "k"); status != 200 || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %d, %d bytes, %v", name, status, len(body), err)
		}
		s.Close()
	}
}

// racing changes the value between its opening and its first read.
type racing struct {
	http.ResponseWriter
	times int
	act   func()
}

// Header is called between the two.
func (r *racing) Header() http.Header {
	if r.times > 0 {
		r.times--
		r.act()
	}
	return r.ResponseWriter.Header()
}

// The answer with the next version has nothing of the one before, to which a range belonged.
func TestGoneBeforeRange(t *testing.T) {
	v := vault(t)
	h := values.New(v)
	put := func(value string) {
		if err := v.Put(t.Context(), "k", []byte(value)); err != nil {
			t.Error(err)
		}
	}
	put("0123456789")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w = &racing{w, 1, func() { put("ABCDEFGHIJ") }}
		h.ServeHTTP(w, r.WithContext(access.With(r.Context(), access.Everything(true))))
	}))
	defer s.Close()
	a := ask(t, s, "GET", "k", "", "Range", "bytes=5-", "If-Range", tagOf(t, v, "k"))
	if a.StatusCode != 200 || a.body != "ABCDEFGHIJ" || a.Header.Get("Content-Range") != "" {
		t.Errorf("%s %q %v", a.Status, a.body, a.Header)
	}
}

// A value that is replaced whenever it is to be read is no reason for a client to think that its
// condition does not hold.
func TestGoneAlways(t *testing.T) {
	v := vault(t)
	h := values.New(v)
	put := func() {
		if err := v.Put(t.Context(), "k", []byte("value")); err != nil {
			t.Error(err)
		}
	}
	put()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w = &racing{w, 1000, put}
		h.ServeHTTP(w, r.WithContext(access.With(r.Context(), access.Everything(true))))
	}))
	defer s.Close()
	if a := ask(t, s, "GET", "k", ""); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s %q", a.Status, a.body)
	}
}

// Browsers say what a value is to become. It never becomes what acts in a page.
func TestNoPartOfAPage(t *testing.T) {
	v := vault(t)
	if err := v.Put(t.Context(), "x.js", []byte("alert(1)")); err != nil {
		t.Fatal(err)
	}
	s := server(t, v)
	for dest, want := range map[string]int{"script": 403, "style": 403, "worker": 403, "serviceworker": 403,
		"image": 200, "video": 200, "empty": 200, "document": 200, "iframe": 200} {
		if a := ask(t, s, "GET", "x.js", "", "Sec-Fetch-Dest", dest); a.StatusCode != want {
			t.Errorf("%s: %s, want %d", dest, a.Status, want)
		}
	}
}

// A version that goes before anything of it was sent is no error: the next one is sent.
func TestGoneBeforeSent(t *testing.T) {
	v := vault(t)
	h := values.New(v)
	put := func(value string) {
		o := &kvault.PutOptions{User: map[string]string{value[:1]: "x"}}
		if _, err := v.PutWith(t.Context(), "k", []byte(value), o); err != nil {
			t.Error(err)
		}
	}
	put("old")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w = &racing{w, 1, func() { put("new value") }}
		h.ServeHTTP(w, r.WithContext(access.With(r.Context(), access.Everything(true))))
	}))
	defer s.Close()
	a := ask(t, s, "GET", "k", "")
	if a.StatusCode != 200 || a.body != "new value" || a.Header.Get("Etag") != tagOf(t, v, "k") ||
		a.Header.Get("X-Kvault-Meta-O") != "" || a.Header.Get("X-Kvault-Meta-N") != "x" {
		t.Errorf("%s %q %v", a.Status, a.body, a.Header)
	}
}

// Values of other programs have no ETag, until their metadata is changed.
func TestUntagged(t *testing.T) {
	v := alteredVault(t, `INSERT INTO kvault(key, value, size) VALUES (x'61', x'616263', 3), (x'62', zeroblob(300000), 300000)`, nil)
	s := server(t, v)
	for key, size := range map[string]int{"a": 3, "b": 300_000} {
		for _, method := range []string{"GET", "HEAD"} {
			a := ask(t, s, method, key, "")
			if a.StatusCode != 200 || a.ContentLength != int64(size) || a.Header.Get("Etag") != "" || a.Header.Get("Last-Modified") != "" {
				t.Errorf("%s %s: %s %v", method, key, a.Status, a.Header)
			}
		}
		for _, test := range []struct {
			method string
			status int
			header []string
		}{
			{"PUT", 412, []string{"If-Match", `""`}},
			{"PUT", 412, []string{"If-None-Match", "*"}},
			{"PUT", 409, []string{"Content-Range", "bytes 0-0/*"}},
			{"PATCH", 204, []string{"If-Match", "*"}},
			{"PUT", 204, []string{"Content-Range", "bytes 0-0/*"}},
		} {
			body := "x"
			if test.method == "PATCH" {
				body = "{}"
			}
			if a := ask(t, s, test.method, key, body, test.header...); a.StatusCode != test.status {
				t.Errorf("%s %s %q: %s %s, want %d", test.method, key, test.header, a.Status, a.body, test.status)
			}
		}
	}
}

// curl sends the type of a form with --data. No value is one, and a part of a value changes no type.
func TestTypeOfForm(t *testing.T) {
	v := vault(t)
	s := server(t, v)
	const form = "application/x-www-form-urlencoded"
	if a := ask(t, s, "PUT", "notes.txt", "0123456789", "Content-Type", form); a.StatusCode != 201 {
		t.Fatal(a.Status)
	}
	if a := ask(t, s, "PUT", "notes.txt", "x", "Content-Type", form, "Content-Range", "bytes 3-3/*"); a.StatusCode != 204 {
		t.Fatal(a.Status)
	}
	item, err := v.GetItem(t.Context(), "notes.txt")
	if err != nil || item.ContentType != "text/plain; charset=utf-8" || string(item.Value) != "012x456789" {
		t.Errorf("%q %q, %v", item.ContentType, item.Value, err)
	}
}

// Two names for one value are a mistake: curl -T adds the file's to a path that ends in a slash.
func TestTwoKeys(t *testing.T) {
	v := vault(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		values.New(v).ServeHTTP(w, r.WithContext(access.With(r.Context(), access.Everything(true))))
	}))
	defer s.Close()
	r, err := http.NewRequest("PUT", s.URL+"/v/cat.jpg?key=..%2Fcat.jpg", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	if n, err := v.Len(t.Context()); a.StatusCode != 400 || n != 0 || err != nil {
		t.Errorf("%s, %d keys, %v", a.Status, n, err)
	}
}
