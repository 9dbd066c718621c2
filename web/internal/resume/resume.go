// Package resume serves resumable uploads, by tus 1.0.0 and by the drafts of the IETF protocol that
// tusd knows (draft-ietf-httpbis-resumable-upload, Upload-Draft-Interop-Version 3 to 6).
//
// An upload is one of the vault, so it survives a restart of the server, and expires. The request
// that creates it names its key: in the URL, as below /v/ ("POST /up/photos/cat.jpg", or
// "POST /up/?key=..."), else in the metadata "key", else in the metadata "filename", which in the
// drafts is that of Content-Disposition. The metadata "filetype" is the content type, in the drafts
// the Content-Type. The headers for time and user metadata are those of a PUT of the value, and of
// the conditions If-None-Match: * and If-Match with one tag are possible.
//
// The upload becomes the value of its key as soon as its last byte is there; that answer has the
// ETag. If a condition does not hold then, the answer is 412. The upload stays until it is deleted
// or expires, and every HEAD and PATCH tries to publish it again. Of the last uploads that this
// process has published, HEAD and PATCH still answer that they are complete, as the answer to the
// last byte may have been lost.
//
// An ID of an upload is no secret. Every request for one needs a token that may write its key.
package resume

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// Mount is where New's handler serves.
const Mount = "/up/"

// Options configure a Handler. The zero value is the default.
type Options struct {
	// MaxSize is the length in bytes of the longest upload. 0 means no limit.
	MaxSize int64
	// Expires is how long an upload is kept after its last write. 0 means
	// [kvault.DefaultUploadExpiry].
	Expires time.Duration
}

// Handler serves the uploads of a vault. It is safe for concurrent use.
type Handler struct {
	v       *kvault.Vault
	o       Options
	tus     *handler.UnroutedHandler
	routes  http.Handler
	pieces  *pieces
	recent  *recent
	stopped context.Context
	stop    context.CancelFunc
}

// New returns a Handler for requests below Mount.
func New(v *kvault.Vault, o Options) (*Handler, error) {
	if o.MaxSize < 0 || o.Expires < 0 {
		return nil, fmt.Errorf("the largest size %d or the expiry %v of uploads is negative: %w",
			o.MaxSize, o.Expires, kvault.ErrInvalid)
	}
	h := &Handler{v: v, o: o, pieces: newPieces(), recent: newRecent()}
	h.stopped, h.stop = context.WithCancel(context.Background())
	s := &store{h}
	composer := handler.NewStoreComposer()
	composer.UseCore(s)
	composer.UseTerminater(s)
	composer.UseLengthDeferrer(s)
	composer.UseLocker(newLocker())
	var err error
	h.tus, err = handler.NewUnroutedHandler(handler.Config{
		StoreComposer: composer, BasePath: Mount, MaxSize: o.MaxSize,
		EnableExperimentalProtocol: true, DisableDownload: true,
		Cors:   &handler.CorsConfig{Disable: true},
		Logger: silent(),
		// The store itself goes on when a client has gone. tusd would keep a goroutine for this long
		// after every request.
		GracefulRequestCompletionTimeout: time.Nanosecond,
	})
	if err != nil {
		return nil, err
	}
	h.routes = h.tus.Middleware(http.HandlerFunc(h.route))
	return h, nil
}

// Stop interrupts the requests that receive bytes. Each keeps what has come, and is answered with
// 503, so that its client goes on when the server is back. It does not wait for them.
func (h *Handler) Stop() { h.stop() }

// ServeHTTP answers a request for a path below Mount.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := newCall(w, r)
	defer context.AfterFunc(h.stopped, func() { c.body.interrupt(handler.ErrServerShutdown) })()
	r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
	r.Body = c.body
	h.routes.ServeHTTP(c, r)
	c.finish(r)
}

// route answers a request whose method and version tusd has looked at.
func (h *Handler) route(w http.ResponseWriter, r *http.Request) {
	c := callOf(r.Context())
	if coding := r.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		w.Header().Set("Accept-Encoding", "identity")
		c.fail(&wire.Error{Status: http.StatusUnsupportedMediaType,
			Text: "a value is stored as it comes: send it without Content-Encoding"})
		return
	}
	switch r.Method {
	case http.MethodPost:
		if r.Header.Get("Upload-Concat") != "" {
			// Taken for a whole upload, a part would replace the value.
			c.fail(bad("this server does not join uploads: send one"))
			return
		}
		h.tus.PostFile(w, r)
		return
	case http.MethodHead, http.MethodPatch, http.MethodDelete:
	default:
		w.Header().Set("Allow", "OPTIONS, POST, HEAD, PATCH, DELETE")
		c.fail(&wire.Error{Status: http.StatusMethodNotAllowed, Text: "uploads do not take " + r.Method})
		return
	}
	id, _ := strings.CutPrefix(r.URL.Path, Mount)
	var err error
	if c.upload, err = h.open(r, id); err != nil {
		c.fail(err)
		return
	}
	at := *r.URL
	at.Path = id
	r.URL = &at // r is a copy that tusd made
	switch r.Method {
	case http.MethodHead:
		h.tus.HeadFile(w, r)
	case http.MethodPatch:
		h.tus.PatchFile(w, r)
	case http.MethodDelete:
		h.tus.DelFile(w, r)
	}
}

// open finds the upload that a request is for. That comes before tusd interrupts another request
// for its lock.
func (h *Handler) open(r *http.Request, id string) (*upload, error) {
	found := &upload{h: h}
	u, err := h.v.OpenUpload(r.Context(), id)
	var key string
	if err == nil {
		found.u, key = u, u.Key()
	} else {
		p, ok := h.recent.find(id)
		if !ok || !errors.Is(err, kvault.ErrNoUpload) || r.Method == http.MethodDelete {
			return nil, err
		}
		found.published, key = p, p.key
	}
	if !access.Of(r.Context()).Write(key) {
		return nil, wire.Forbidden()
	}
	return found, nil
}
