package api_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/api"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

type keysAnswer struct {
	Keys []struct {
		Key      string
		Base64   []byte `json:"key_base64"`
		Folder   bool
		Path     string
		Size     *int64
		Modified time.Time
		Type     string
		Tag      string
		CRC32C   string `json:"crc32c"`
		Meta     map[string]string
	}
	Next string
}

// all lists in pages. Folders end in "*".
func (c client) all(pairs ...string) (list []string) {
	c.t.Helper()
	for after := []string(nil); ; {
		a := into[keysAnswer](c, "keys"+query(append(pairs, after...)...))
		for _, e := range a.Keys {
			key := e.Key
			if e.Base64 != nil {
				key = string(e.Base64)
			}
			if e.Folder {
				key += "*"
			}
			list = append(list, key)
		}
		if a.Next == "" {
			return list
		}
		after = []string{"after", a.Next}
	}
}

func TestEntry(t *testing.T) {
	v := newVault(t)
	at := time.Date(2020, 1, 2, 3, 4, 5, 6000, time.UTC)
	e, err := v.PutWith(t.Context(), "a cat.jpg", []byte("jpeg"), &kvault.PutOptions{
		ContentType: "image/jpeg", ModTime: at, User: map[string]string{"camera": "x"},
	})
	if err != nil {
		t.Fatal(err)
	}
	put(t, v, "sub/x")
	got := everything(t, v).get("keys" + query("delimiter", "/"))
	want := fmt.Sprintf(`{"keys":[{"key":"a cat.jpg","size":4,"modified":"2020-01-02T03:04:05.000006Z",`+
		`"type":"image/jpeg","tag":%q,"crc32c":"%08x","path":"/v/a%%20cat.jpg"}`+"\n"+
		`,{"key":"sub/","folder":true}`+"\n]}\n", e.Tag, e.Checksum)
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

var oddKeys = []string{
	"\x00", "\x00\x00", "a", "a\x00", "a/", "a//", "a//b", "a/b", "a/\xff", "a/\xff\xff", "a0", "café",
	"e\u0301", "\"quoted\"", "<script>", "line\nend", "..", "../x", "./y", " ", "%2F", "+", "&", "k?=#",
	"\xff", "\xff/", "\xff/a", "\xff/\xff", "\xff\xff", "\xff\xff/x", "\xff\xff\xff", strings.Repeat("l", kvault.MaxKey),
}

// Whatever the size of the pages, each key comes once, in order, as the vault lists it.
func TestPages(t *testing.T) {
	v := newVault(t)
	put(t, v, oddKeys...)
	c := everything(t, v)
	for _, prefix := range []string{"", "a/", "\xff", "absent"} {
		for _, delimiter := range []string{"", "/", "//", "\xff"} {
			for _, reverse := range []bool{false, true} {
				var want []string
				for e, err := range v.List(t.Context(), &kvault.ListOptions{
					Prefix: prefix, Delimiter: delimiter, Reverse: reverse,
				}) {
					if err != nil {
						t.Fatal(err)
					}
					if e.Folder {
						e.Key += "*"
					}
					want = append(want, e.Key)
				}
				for _, limit := range []string{"1", "3", "1000"} {
					got := c.all("prefix", prefix, "delimiter", delimiter, "limit", limit,
						"reverse", fmt.Sprint(reverse))
					if !slices.Equal(got, want) {
						t.Errorf("prefix %q, delimiter %q, reverse %v, limit %s:\n%q, want\n%q",
							prefix, delimiter, reverse, limit, got, want)
					}
				}
			}
		}
	}
}

// A page that ends with the last entry says so.
func TestLastPage(t *testing.T) {
	v := newVault(t)
	put(t, v, "a", "b", "c")
	c := everything(t, v)
	if a := into[keysAnswer](c, "keys?limit=3"); len(a.Keys) != 3 || a.Next != "" {
		t.Errorf("%+v", a)
	}
	if a := into[keysAnswer](c, "keys?limit=2"); len(a.Keys) != 2 || a.Next == "" {
		t.Errorf("%+v", a)
	}
	if got := c.get("keys?prefix=absent"); got != "{\"keys\":[]}\n" {
		t.Errorf("%q", got)
	}
}

// The path of each key leads to it.
func TestPathOfKeys(t *testing.T) {
	v := newVault(t)
	put(t, v, oddKeys...)
	for _, e := range into[keysAnswer](everything(t, v), "keys").Keys {
		key := e.Key
		if e.Base64 != nil {
			key = string(e.Base64)
		}
		r, err := http.NewRequest("GET", "http://host"+e.Path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := wire.KeyOf(r.URL, "/v/"); err != nil || got != key {
			t.Errorf("%q leads to %q, %v; want %q", e.Path, got, err, key)
		}
	}
}

// Keys that stay are there once, though others come and go between the pages.
func TestPagesBesideWrites(t *testing.T) {
	v := newVault(t)
	want := map[bool][]string{}
	for i := range 100 {
		key := fmt.Sprintf("%03d", i)
		put(t, v, key+"/stays", key+"/too", key+"stays")
		want[false] = append(want[false], key+"/stays", key+"/too", key+"stays")
		want[true] = append(want[true], key+"/*", key+"stays")
	}
	stop := make(chan struct{})
	var writer sync.WaitGroup
	defer writer.Wait()
	defer close(stop)
	writer.Go(func() {
		for r := rand.New(rand.NewPCG(1, 2)); ; {
			select {
			case <-stop:
				return
			default:
			}
			key := fmt.Sprintf("%03d%s", r.IntN(100), []string{"", "\xff", "0x", "/s", "/z", "stays0"}[r.IntN(6)])
			var err error
			if r.IntN(2) == 0 {
				err = v.Put(t.Context(), key, nil)
			} else {
				_, err = v.Delete(t.Context(), key)
			}
			if err != nil && t.Context().Err() == nil {
				t.Error(err)
			}
		}
	})
	c := everything(t, v)
	for _, folders := range []bool{false, true} {
		for _, reverse := range []string{"false", "true"} {
			pairs := []string{"limit", "7", "reverse", reverse}
			if folders {
				pairs = append(pairs, "delimiter", "/")
			}
			var got []string
			for _, key := range c.all(pairs...) {
				if slices.Contains(want[folders], key) {
					got = append(got, key)
				}
			}
			if reverse == "true" {
				slices.Reverse(got)
			}
			if !slices.Equal(got, want[folders]) {
				t.Errorf("folders %v, reverse %s: %q", folders, reverse, got)
			}
		}
	}
}

func TestCursorsOfOthers(t *testing.T) {
	v := newVault(t)
	put(t, v, "a", "b/1", "b/2", "c")
	c := everything(t, v)
	for after, want := range map[string][]string{
		"a": {"b/*", "c"}, "b": {"b/*", "c"}, "b/": {"c"}, "b/1": {"c"}, "b/9": {"c"}, "c": nil, "\x00": {"a", "b/*", "c"},
	} {
		got := c.all("after", base64.RawURLEncoding.EncodeToString([]byte(after)), "delimiter", "/")
		if !slices.Equal(got, want) {
			t.Errorf("after %q: %q, want %q", after, got, want)
		}
	}
	// Behind a folder of bytes 0xFF nothing can lie.
	if got := c.all("after", "_w", "delimiter", "\xff"); got != nil {
		t.Errorf("behind the last folder: %q", got)
	}
}

func benchmarkKeys(b *testing.B, keys func(i int) string, pairs ...string) {
	v := newVault(b)
	items := func(yield func(string, []byte) bool) {
		for i := range 100_000 {
			if !yield(keys(i), []byte("value")) {
				return
			}
		}
	}
	if err := v.PutAll(b.Context(), items); err != nil {
		b.Fatal(err)
	}
	c := serve(b, api.New(v), grantOf(false, ""))
	path := "keys" + query(pairs...)
	for b.Loop() {
		c.get(path)
	}
}

func BenchmarkKeys(b *testing.B) {
	flat := func(i int) string { return fmt.Sprintf("photos/%06d.jpg", i) }
	folders := func(i int) string { return fmt.Sprintf("photos/%04d/%02d.jpg", i/10, i%10) }
	last := func(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }
	for name, tt := range map[string]struct {
		keys  func(int) string
		pairs []string
	}{
		"first":             {flat, nil},
		"last":              {flat, []string{"after", last("photos/098999.jpg")}},
		"reverse":           {flat, []string{"reverse", "true"}},
		"delimiter/first":   {flat, []string{"prefix", "photos/", "delimiter", "/"}},
		"delimiter/last":    {flat, []string{"prefix", "photos/", "delimiter", "/", "after", last("photos/098999.jpg")}},
		"folders/first":     {folders, []string{"prefix", "photos/", "delimiter", "/"}},
		"folders/last":      {folders, []string{"prefix", "photos/", "delimiter", "/", "after", last("photos/8999/")}},
		"delimiter/onlyone": {flat, []string{"delimiter", "/"}},
	} {
		b.Run(name, func(b *testing.B) { benchmarkKeys(b, tt.keys, tt.pairs...) })
	}
}
