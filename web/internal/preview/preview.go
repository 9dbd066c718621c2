// Package preview shows Markdown as HTML that can do nothing: GET /render/KEY. It does not know the
// page that frames it.
package preview

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"mime"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/contenttype"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// Mount is where New's handler serves.
const Mount = "/render/"

// MaxText is how much of a text is shown, in bytes.
const MaxText = 512 << 10

// Handler serves previews of the texts in a vault. It is safe for concurrent use.
type Handler struct {
	v *kvault.Vault
	// busy lets few texts be rendered at a time: each takes many times its size in memory.
	busy chan struct{}
}

// New returns a Handler for requests below Mount.
func New(v *kvault.Vault) *Handler {
	return &Handler{v, make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// IsMarkdown reports whether a value with that content type and key is Markdown.
func IsMarkdown(contentType, key string) bool {
	if contentType == "" {
		contentType = contenttype.ByName(key)
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	name := strings.ToLower(key)
	named := strings.HasSuffix(name, ".md") || strings.HasSuffix(name, ".markdown")
	return media == "text/markdown" || media == "text/x-markdown" || media == "text/plain" && named
}

// ServeHTTP answers GET and HEAD for a path below Mount. A value that is no Markdown is status 415.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.serve(w, r); err != nil {
		wire.Fail(w, r, err)
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return &wire.Error{Status: http.StatusMethodNotAllowed, Text: "previews can only be read"}
	}
	key, err := wire.KeyOf(r.URL, Mount)
	if err != nil {
		return err
	}
	if !access.Of(r.Context()).Read(key) {
		return wire.Forbidden()
	}
	e, err := h.v.Stat(r.Context(), key)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if !IsMarkdown(e.ContentType, key) {
		return &wire.Error{Status: http.StatusUnsupportedMediaType, Text: "only Markdown is rendered"}
	}
	shown, err := h.render(r.Context(), key)
	if err != nil {
		return err
	}
	setHeaders(w.Header(), len(shown))
	if r.Method == http.MethodGet {
		io.WriteString(w, shown) // an error here is the browser's
	}
	return nil
}

//go:embed preview.css
var style string

// policy takes every right from the text: it runs no script, sends no form, and loads nothing but
// images of this server and the one style sheet, known by its hash. A link opens a new tab. The
// origin stays, because browsers would not load the images into a frame without one; without
// scripts nothing can use it.
var policy = "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox; " +
	"default-src 'none'; img-src 'self'; style-src 'sha256-" + styleHash() + "'; " +
	"form-action 'none'; base-uri 'none'; frame-ancestors 'self'"

func styleHash() string {
	sum := sha256.Sum256([]byte(style))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func setHeaders(h http.Header, length int) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(length))
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
}

// patience is how long a request waits for the texts before it.
const patience = 10 * time.Second

// render returns a document of the text of key, once the texts before it are done.
func (h *Handler) render(ctx context.Context, key string) (string, error) {
	select {
	case h.busy <- struct{}{}:
		defer func() { <-h.busy }()
	case <-time.After(patience):
		return "", &wire.Error{
			Status: http.StatusServiceUnavailable, Text: "other texts are being prepared; try again",
		}
	case <-ctx.Done():
		return "", ctx.Err()
	}
	text, err := h.v.GetRange(ctx, key, 0, MaxText+1)
	if err != nil {
		return "", err
	}
	cut := len(text) > MaxText
	if cut {
		text = text[:MaxText]
	}
	body, err := markdownOf(key, text)
	if err != nil {
		return "", err
	}
	return document(key, body, cut)
}

var page = template.Must(template.New("preview").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{.Title}}</title>
<style>{{.Style}}</style>
</head>
<body>
{{.Body}}
{{if .Cut}}<p><em>The text goes on. Only the first 512 KiB are shown.</em></p>{{end}}
</body>
</html>
`))

func document(title string, body template.HTML, cut bool) (string, error) {
	var b strings.Builder
	err := page.Execute(&b, struct {
		Title string
		Style template.CSS
		Body  template.HTML
		Cut   bool
	}{title, template.CSS(style), body, cut})
	return b.String(), err
}
