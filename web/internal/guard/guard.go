// Package guard is what every request goes through before a section of the server answers it:
// limits, checks of where the request comes from, the token, and afterwards the log and metrics.
// It does not know what the sections do.
package guard

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// Paths that a Guard answers itself.
const (
	HealthPath  = "/healthz"
	MetricsPath = "/metrics"
)

// Options are the limits of a Guard. Zero is none.
type Options struct {
	// Tokens are the secrets that requests must carry one of, and nil for none.
	Tokens *access.Tokens
	// Grant is what requests may do where there are no tokens.
	Grant access.Grant
	// Hosts are the names that the server answers to: see checkHost.
	Hosts []string
	// Logger gets a record of each request. It must not be nil.
	Logger *slog.Logger
	// Stall is how long a client may keep the server waiting: see pace.
	Stall time.Duration
	// MaxBody is the length of the longest body.
	MaxBody int64
	// MaxRequests is the number of requests that sections answer at one time.
	MaxRequests int
	// Section names the part of the server that a request is for, in the metrics.
	Section func(*http.Request) string
}

// Guard is an http.Handler around another. It is safe for concurrent use.
type Guard struct {
	v      *kvault.Vault
	next   http.Handler
	o      Options
	gate   gate
	meters *meters
	origin *http.CrossOriginProtection
}

// New returns a Guard of next, which gets only requests that passed all checks, with their Grant in
// the context. The vault is for the health and the metrics.
func New(v *kvault.Vault, next http.Handler, o Options) *Guard {
	g := &Guard{v: v, next: next, o: o, origin: http.NewCrossOriginProtection()}
	g.gate.max = o.MaxRequests
	g.meters = newMeters()
	return g
}

// Shutdown has further requests refused, and waits until all others have ended or ctx has.
func (g *Guard) Shutdown(ctx context.Context) error { return g.gate.close(ctx) }

// ServeHTTP answers a request, and logs and counts it.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start, id := time.Now(), rand.Text()
	res := newResponse(w, r, g.o.Stall)
	h := res.Header()
	h.Set("X-Request-Id", id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	// Without it any site can tell by <img src="http://127.0.0.1:8080/v/..."> which keys exist.
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if res.body != nil {
		r2 := *r
		r2.Body = res.body
		r = &r2
	}
	g.meters.inFlight.Add(1)
	defer func() {
		p := recover()
		if p != nil && p != http.ErrAbortHandler {
			g.answerPanic(res, r, id, p)
		}
		res.finish()
		g.meters.inFlight.Add(-1)
		took := time.Since(start)
		g.meters.count(g.section(r), r.Method, res, took)
		g.log(res, r, id, took)
		if p != nil && (p == http.ErrAbortHandler || res.broken != nil) {
			// net/http closes the connection, so that the client sees that a part is missing.
			panic(http.ErrAbortHandler)
		}
	}()
	g.answer(res, r)
}

// answer lets a request through to the next handler, or refuses it.
func (g *Guard) answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == HealthPath {
		g.health(w, r)
		return
	}
	for _, check := range []func(*http.Request) error{checkURL, g.checkHost, g.origin.Check} {
		if err := check(r); err != nil {
			wire.Fail(w, r, asRefusal(err))
			return
		}
	}
	grant, err := g.login(w, r)
	if err == nil && !g.gate.enter() {
		err = g.gate.refusal(w)
	}
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	defer g.gate.leave()
	if r.ContentLength != 0 && !reads(r.Method) && !grant.WriteAny() {
		w.Header().Set("Connection", "close") // net/http would wait for the body before it answers
		wire.Fail(w, r, wire.Forbidden())
		return
	}
	if r, err = g.limitBody(w, r); err != nil {
		wire.Fail(w, r, err)
		return
	}
	r = r.WithContext(access.With(r.Context(), grant))
	if r.URL.Path == MetricsPath {
		g.metrics(w, r)
		return
	}
	g.next.ServeHTTP(w, r)
}

// reads reports whether a method changes nothing. Whoever may change nothing has no body to send with
// another.
func reads(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, "PROPFIND":
		return true
	}
	return false
}

// asRefusal is err as it is, or what CrossOriginProtection refuses.
func asRefusal(err error) error {
	if e := (*wire.Error)(nil); errors.As(err, &e) {
		return e
	}
	return &wire.Error{Status: http.StatusForbidden, Cause: err,
		Text: "a page of another site may not change anything here"}
}

func (g *Guard) section(r *http.Request) string {
	switch r.URL.Path {
	case HealthPath, MetricsPath:
		return r.URL.Path
	}
	return g.o.Section(r)
}
