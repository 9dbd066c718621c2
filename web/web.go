package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/api"
	"github.com/kohakuvault/kvault/web/internal/archive"
	"github.com/kohakuvault/kvault/web/internal/dav"
	"github.com/kohakuvault/kvault/web/internal/guard"
	"github.com/kohakuvault/kvault/web/internal/page"
	"github.com/kohakuvault/kvault/web/internal/preview"
	"github.com/kohakuvault/kvault/web/internal/resume"
	"github.com/kohakuvault/kvault/web/internal/thumb"
	"github.com/kohakuvault/kvault/web/internal/values"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// Handler serves a vault. It is safe for concurrent use.
type Handler struct {
	v        *kvault.Vault
	o        Options
	guard    *guard.Guard
	sections []section
	uploads  *resume.Handler
}

// section is a part of the server that answers everything below a path, which ends in a slash.
type section struct {
	mount   string
	handler http.Handler
}

// New returns a Handler that serves v, which stays the caller's to close after Shutdown. The error
// is kvault.ErrInvalid for options that make no sense.
func New(v *kvault.Vault, o *Options) (*Handler, error) {
	if v == nil {
		return nil, errors.New("web: the vault is nil")
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	opt := o.resolved()
	h := &Handler{v: v, o: opt}
	if err := h.addSections(); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	limits := guard.Options{
		Grant:       access.Everything(!opt.ReadOnly),
		Hosts:       opt.Hosts,
		Logger:      opt.Logger,
		Stall:       max(opt.StallTimeout, 0),
		MaxBody:     opt.MaxValue,
		MaxRequests: max(opt.MaxRequests, 0),
		Section:     func(r *http.Request) string { return h.section(r).mount },
	}
	if len(opt.Tokens) > 0 {
		tokens := access.NewTokens(opt.Tokens, opt.ReadOnly)
		limits.Tokens = &tokens
	}
	h.guard = guard.New(v, http.HandlerFunc(h.route), limits)
	return h, nil
}

// addSections makes the parts of the server. The first that a path is below answers.
func (h *Handler) addSections() (err error) {
	vs := values.New(h.v)
	if h.uploads, err = resume.New(h.v, resume.Options{MaxSize: h.o.MaxValue}); err != nil {
		return err
	}
	site, err := page.New(h.v, page.Options{})
	if err != nil {
		return err
	}
	h.sections = []section{
		{values.Mount, vs},
		{archive.Path, archive.New(h.v)},
		{api.Mount, api.New(h.v)},
		{resume.Mount, h.uploads},
		{dav.Mount, dav.New(h.v, vs)},
		{thumb.Mount, thumb.New(h.v)},
		{preview.Mount, preview.New(h.v)},
		{"/", site},
	}
	return nil
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.guard.ServeHTTP(w, r) }

func (h *Handler) route(w http.ResponseWriter, r *http.Request) {
	if s := h.section(r); s.handler != nil {
		s.handler.ServeHTTP(w, r)
		return
	}
	wire.Fail(w, r, &wire.Error{Status: http.StatusNotFound, Text: "there is nothing at this path"})
}

// section returns the section that a request is for. It goes by the path as the client wrote it:
// http.ServeMux would clean it, and keys are not to be.
func (h *Handler) section(r *http.Request) section {
	path := r.URL.EscapedPath()
	for _, s := range h.sections {
		if strings.HasPrefix(path, s.mount) || path == strings.TrimSuffix(s.mount, "/") {
			return s
		}
	}
	return section{}
}

// Shutdown refuses further requests with 503, and Connection: close, waits until the others have
// ended, and has the vault write what its cache holds. /healthz is 503 from then on. Resumable
// uploads are interrupted, keep what has come, and go on with the next server. If ctx ends first its
// error is returned, and nothing was flushed; Vault.Close still does it. Calling it again waits
// again.
//
// With a server of its own, shut that down first: it closes the connections that have no request.
func (h *Handler) Shutdown(ctx context.Context) error {
	h.uploads.Stop()
	if err := h.guard.Shutdown(ctx); err != nil {
		return fmt.Errorf("web: shut down: %w", err)
	}
	_, err := h.v.FlushCache(ctx)
	return err
}

// Server returns an http.Server for the handler, with limits for clients that send no request, or
// half of one. Its WriteTimeout and ReadTimeout are 0, for these would cut off long uploads and
// downloads; StallTimeout is in their place. Addr and TLSConfig are the caller's to set. Each call
// returns a new server.
func (h *Handler) Server() *http.Server {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		// The target of COPY and MOVE is a second URL, in a header.
		MaxHeaderBytes: 2*guard.MaxURL + 32<<10,
		ErrorLog:       slog.NewLogLogger(h.o.Logger.Handler(), slog.LevelWarn),
		// HTTP/2 can end a stream only with a frame, which a client that takes nothing does not take.
		HTTP2: &http.HTTP2Config{WriteByteTimeout: max(h.o.StallTimeout, 0)},
	}
	// Shutdown of the server waits for requests, and an upload may take hours.
	srv.RegisterOnShutdown(h.uploads.Stop)
	return srv
}
