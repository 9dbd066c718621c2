// Package thumb serves small pictures of images: GET /thumb/KEY?size=256. It bounds the memory that
// decoding takes, whatever the images are. It does not know what shows the pictures.
package thumb

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// Mount is where New's handler serves.
const Mount = "/thumb/"

// DefaultSize is the longest side of a thumbnail in pixels if the request names none. It may name
// one of 128, 256 and 512.
const DefaultSize = 256

// cacheSize is the most memory in bytes that finished thumbnails take.
const cacheSize = 32 << 20

// Handler serves thumbnails of the images in a vault. It is safe for concurrent use.
type Handler struct {
	v     *kvault.Vault
	cache *cache
	slots *slots
	// decode makes a thumbnail. It is a field for tests.
	decode func(context.Context, *kvault.Vault, *slots, id) (thumbnail, error)
}

// New returns a Handler for requests below Mount.
func New(v *kvault.Vault) *Handler {
	return &Handler{v: v, cache: newCache(cacheSize), slots: newSlots(), decode: decode}
}

// id names a thumbnail: that of one version of a value in one size.
type id struct {
	key, tag string
	size     int
}

// thumbnail is a finished picture, or why there is none.
type thumbnail struct {
	contentType string
	data        []byte
	err         *wire.Error
}

// ServeHTTP answers GET and HEAD for a path below Mount. Of a value that is no image, or a broken
// or too large one, there is no thumbnail, which is status 415.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.serve(w, r); err != nil {
		wire.Fail(w, r, err)
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return &wire.Error{Status: http.StatusMethodNotAllowed, Text: "thumbnails can only be read"}
	}
	key, err := wire.KeyOf(r.URL, Mount)
	if err != nil {
		return err
	}
	if !access.Of(r.Context()).Read(key) {
		return wire.Forbidden()
	}
	query := r.URL.Query()
	size, err := sizeOf(query.Get("size"))
	if err != nil {
		return err
	}
	e, err := h.v.Stat(r.Context(), key)
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("Cache-Control", "no-store")
	if tag := wire.ETag(e); tag != "" { // else nothing would show when the value changes
		header.Set("ETag", strings.TrimSuffix(tag, `"`)+"-"+strconv.Itoa(size)+`"`)
		header.Set("Cache-Control", cacheControl(query.Get("tag") == e.Tag))
		if strings.Contains(r.Header.Get("If-None-Match"), header.Get("ETag")) {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	t, err := h.thumbnail(r.Context(), id{key, e.Tag, size})
	if err != nil {
		return err
	}
	if t.err != nil {
		return t.err
	}
	header.Set("Content-Type", t.contentType)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(t.data))
	return nil
}

// cacheControl lets the browser keep a thumbnail for good if its URL names the version. Otherwise
// the browser asks each time whether the picture is still the same.
func cacheControl(named bool) string {
	if named {
		return "private, max-age=31536000, immutable"
	}
	return "private, no-cache"
}

func sizeOf(text string) (int, error) {
	switch text {
	case "":
		return DefaultSize, nil
	case "128", "256", "512":
		return strconv.Atoi(text)
	}
	return 0, &wire.Error{Status: http.StatusBadRequest, Text: "size is one of 128, 256 and 512"}
}

// thumbnail returns the picture from the cache, or makes it. Requests for one that is being made
// wait for that. If its maker gave up, because its client did, the next of them makes it.
func (h *Handler) thumbnail(ctx context.Context, of id) (thumbnail, error) {
	if of.tag == "" {
		return h.decode(ctx, h.v, h.slots, of)
	}
	for {
		t, found, made := h.cache.get(of)
		if found {
			return t, nil
		}
		if made == nil {
			return h.make(ctx, of)
		}
		select {
		case <-made:
		case <-ctx.Done():
			return thumbnail{}, ctx.Err()
		}
	}
}

// make decodes the image for the caller and all who wait. A panic of a decoder ends their wait too.
func (h *Handler) make(ctx context.Context, of id) (t thumbnail, err error) {
	defer h.cache.done(of)
	if t, err = h.decode(ctx, h.v, h.slots, of); err != nil {
		return thumbnail{}, err
	}
	h.cache.put(of, t)
	return t, nil
}
