package thumb

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open serves the thumbnails of a new vault, to requests that may read what grant says.
func open(t *testing.T, grant access.Grant) (*kvault.Vault, *Handler, *httptest.Server) {
	t.Helper()
	v, err := kvault.Open(t.Context(), ":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	h := New(v)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(access.With(r.Context(), grant)))
	}))
	t.Cleanup(func() {
		server.Close()
		v.Close()
	})
	return v, h, server
}

func put(t *testing.T, v *kvault.Vault, key string, value []byte) {
	t.Helper()
	if err := v.Put(t.Context(), key, value); err != nil {
		t.Fatal(err)
	}
}

func get(
	t *testing.T,
	server *httptest.Server,
	path string,
	header ...string,
) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

// picture is red on its left half, and blue on its right.
func picture(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{R: 255, A: 255}
			if x >= w/2 {
				c = color.RGBA{B: 255, A: 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

func encoded(t *testing.T, encode func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(t *testing.T, img image.Image) []byte {
	return encoded(t, func(w io.Writer) error { return jpeg.Encode(w, img, nil) })
}

func asPNG(t *testing.T, img image.Image) []byte {
	return encoded(t, func(w io.Writer) error { return png.Encode(w, img) })
}

func TestSizesAndFormats(t *testing.T) {
	v, _, server := open(t, access.Everything(false))
	glass := picture(300, 600)
	glass.SetRGBA(0, 0, color.RGBA{})
	put(t, v, "a photo.jpg", asJPEG(t, picture(1600, 1200)))
	put(t, v, "glass.png", asPNG(t, glass))
	put(
		t,
		v,
		"small.gif",
		encoded(t, func(w io.Writer) error { return gif.Encode(w, picture(60, 20), nil) }),
	)
	put(t, v, "line.png", asPNG(t, picture(20_000, 2)))
	put(t, v, "named wrongly.txt", asPNG(t, image.NewGray16(image.Rect(0, 0, 40, 40))))
	put(t, v, "lossless.webp", lossless)
	for _, test := range []struct {
		path, contentType string
		w, h              int
	}{
		{"a%20photo.jpg?size=128", "image/jpeg", 128, 96},
		{"a%20photo.jpg", "image/jpeg", 256, 192},
		{"a%20photo.jpg?size=512", "image/jpeg", 512, 384},
		{"glass.png", "image/png", 128, 256},
		{"small.gif", "image/jpeg", 60, 20},
		{"line.png", "image/jpeg", 256, 1},
		{"named%20wrongly.txt", "image/jpeg", 40, 40},
		{"lossless.webp", "image/png", 1, 1},
	} {
		resp, body := get(t, server, "/thumb/"+test.path)
		config, _, err := image.DecodeConfig(bytes.NewReader(body))
		if err != nil || resp.StatusCode != http.StatusOK ||
			resp.Header.Get("Content-Type") != test.contentType ||
			config.Width != test.w ||
			config.Height != test.h {
			t.Errorf(
				"%s: %s, %s, %d by %d, %v",
				test.path,
				resp.Status,
				resp.Header.Get("Content-Type"),
				config.Width,
				config.Height,
				err,
			)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff",
			"Content-Security-Policy": "default-src 'none'; sandbox", "Cache-Control": "private, no-cache"} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, not %q", test.path, name, got, want)
			}
		}
	}
	_, body := get(t, server, "/thumb/a%20photo.jpg")
	img, err := jpeg.Decode(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if r, _, b, _ := img.At(20, 100).RGBA(); r < 0xE000 || b > 0x2000 {
		t.Errorf("the left half is not red: %x, %x", r, b)
	}
}

// lossless is a WebP file of one transparent pixel.
var lossless = []byte(
	"RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00",
)

func TestRefusals(t *testing.T) {
	v, _, server := open(t, granted(t, "mine/"))
	put(t, v, "other.png", asPNG(t, picture(4, 4)))
	put(t, v, "mine/a.png", asPNG(t, picture(4, 4)))
	for path, want := range map[string]int{
		"mine/a.png":          http.StatusOK,
		"other.png":           http.StatusForbidden,
		"absent.png":          http.StatusForbidden,
		"mine/absent.png":     http.StatusNotFound,
		"mine/a.png?size=100": http.StatusBadRequest,
		"":                    http.StatusBadRequest,
	} {
		if resp, body := get(t, server, "/thumb/"+path); resp.StatusCode != want {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
	resp, err := http.Post(server.URL+"/thumb/mine/a.png", "image/png", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %s", resp.Status)
	}
}

// counted counts the calls of decode.
func counted(h *Handler) *atomic.Int32 {
	var n atomic.Int32
	inner := h.decode
	h.decode = func(ctx context.Context, v *kvault.Vault, s *slots, of id) (thumbnail, error) {
		n.Add(1)
		return inner(ctx, v, s, of)
	}
	return &n
}

func TestCaching(t *testing.T) {
	v, h, server := open(t, access.Everything(false))
	decoded := counted(h)
	put(t, v, "a.png", asPNG(t, picture(4, 4)))
	put(t, v, "broken.png", []byte("\x89PNG\r\n\x1a\n"))
	e, err := v.Stat(t.Context(), "a.png")
	if err != nil {
		t.Fatal(err)
	}
	resp, _ := get(t, server, "/thumb/a.png")
	tag := resp.Header.Get("ETag")
	for _, header := range []string{tag, `"x", W/` + tag} {
		if resp, _ := get(t, server, "/thumb/a.png", "If-None-Match", header); resp.StatusCode != http.StatusNotModified {
			t.Errorf("If-None-Match %s: %s", header, resp.Status)
		}
	}
	if resp, _ := get(t, server, "/thumb/a.png?tag="+e.Tag); resp.Header.Get(
		"Cache-Control",
	) != "private, max-age=31536000, immutable" {
		t.Errorf("with the tag in the URL: %v", resp.Header)
	}
	never := strings.Replace(tag, "-256", "-512", 1) // asked for, and never made
	resp, _ = get(t, server, "/thumb/a.png?size=512", "If-None-Match", never)
	if resp.StatusCode != http.StatusNotModified {
		t.Errorf("If-None-Match %s: %s", never, resp.Status)
	}
	if n := decoded.Load(); n != 1 {
		t.Errorf("decoded %d times", n)
	}
	for range 2 {
		get(t, server, "/thumb/broken.png")
	}
	if n := decoded.Load(); n != 2 {
		t.Errorf("a broken file is decoded anew each time")
	}
	put(t, v, "a.png", asPNG(t, picture(8, 4)))
	resp, body := get(t, server, "/thumb/a.png", "If-None-Match", tag)
	if config, _, err := image.DecodeConfig(bytes.NewReader(body)); err != nil || config.Width != 8 ||
		resp.Header.Get("ETag") == tag {
		t.Errorf("the old picture of a new value: %v", err)
	}
	v.Delete(t.Context(), "a.png")
	if resp, _ := get(t, server, "/thumb/a.png", "If-None-Match", resp.Header.Get("ETag")); resp.StatusCode != http.StatusNotFound {
		t.Errorf("of a deleted value: %s", resp.Status)
	}
}

// Requests for one thumbnail decode once. If the client that it is made for goes, another's request
// makes it.
func TestTogether(t *testing.T) {
	v, h, _ := open(t, access.Everything(false))
	put(t, v, "a.png", asPNG(t, picture(4, 4)))
	e, err := v.Stat(t.Context(), "a.png")
	if err != nil {
		t.Fatal(err)
	}
	of := id{"a.png", e.Tag, 128}
	started, inner := make(chan struct{}, 20), h.decode
	h.decode = func(ctx context.Context, v *kvault.Vault, s *slots, of id) (thumbnail, error) {
		started <- struct{}{}
		if ctx.Value(waits{}) != nil {
			<-ctx.Done()
			return thumbnail{}, ctx.Err()
		}
		return inner(ctx, v, s, of)
	}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), waits{}, true))
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := h.thumbnail(ctx, of); err == nil {
			t.Error("the first has a thumbnail")
		}
	})
	<-started
	for range 10 {
		all.Go(func() {
			if got, err := h.thumbnail(t.Context(), of); err != nil || len(got.data) == 0 {
				t.Errorf("no thumbnail: %v", err)
			}
		})
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := h.thumbnail(gone, of); err == nil {
		t.Error("a client that is gone has a thumbnail")
	}
	cancel()
	all.Wait()
	if len(started) != 1 {
		t.Errorf("decoded %d times after the first", len(started))
	}
}

type waits struct{}

// A decoder that panics ends the wait of others, and has its place again.
func TestPanic(t *testing.T) {
	v, h, _ := open(t, access.Everything(false))
	put(t, v, "a.png", asPNG(t, picture(4, 4)))
	e, err := v.Stat(t.Context(), "a.png")
	if err != nil {
		t.Fatal(err)
	}
	inner := h.decode
	h.decode = func(context.Context, *kvault.Vault, *slots, id) (thumbnail, error) { panic("decoder") }
	func() {
		defer func() { recover() }()
		h.thumbnail(t.Context(), id{"a.png", e.Tag, 128})
	}()
	h.decode = inner
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := h.thumbnail(ctx, id{"a.png", e.Tag, 128}); err != nil {
		t.Error(err)
	}
}

func TestSlots(t *testing.T) {
	s := newSlots()
	release, err := s.take(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := s.take(ctx, units*unit); err == nil {
		t.Error("all units were free")
	}
	var all sync.WaitGroup
	for range 10 { // Two that wanted all, and had a part each, would wait forever.
		all.Go(func() {
			release, err := s.take(t.Context(), units*unit)
			if err != nil {
				t.Error(err)
				return
			}
			release()
		})
	}
	time.Sleep(10 * time.Millisecond) // until they wait, or else the test shows less
	release()
	all.Wait()
	if len(s.free) != 0 || len(s.turn) != 0 {
		t.Errorf("%d units are taken after all", len(s.free))
	}
}

func TestCacheForgets(t *testing.T) {
	c := newCache(3 * item{thumbnail: thumbnail{data: make([]byte, 1000)}}.size())
	of := func(size int) id { return id{size: size} }
	for size := range 3 {
		c.put(of(size), thumbnail{data: make([]byte, 1000)})
	}
	c.get(of(0))
	c.put(of(3), thumbnail{data: make([]byte, 1000)})
	for size, want := range []bool{true, false, true, true} {
		if _, found, _ := c.get(of(size)); found != want {
			t.Errorf("%d: %v", size, found)
		}
	}
	c.put(of(9), thumbnail{data: make([]byte, 1<<20)})
	if c.size != 0 || c.recent.Len() != 0 || len(c.items) != 0 {
		t.Errorf("after one that does not fit: %d bytes, %d items", c.size, len(c.items))
	}
}

// granted may read the keys with a prefix.
func granted(t *testing.T, prefix string) access.Grant {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.SetBasicAuth("", "secret")
	g, known := access.NewTokens([]access.Token{{Secret: "secret", Prefix: prefix}}, true).Grant(r)
	if !known {
		t.Fatal("the token is not known")
	}
	return g
}
