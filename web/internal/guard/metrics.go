package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// statsTimeout bounds what the vault may take for its health or its figures.
const statsTimeout = 10 * time.Second

// methods have a label of their own in the metrics. All others, which a client may invent, share
// one.
var methods = []string{
	"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS",
	"COPY", "MOVE", "MKCOL", "PROPFIND", "PROPPATCH", "LOCK", "UNLOCK",
}

// durations are the upper bounds of the histogram of durations, in seconds: 1 ms to an hour.
var durations = []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10, 60, 600, 3600}

type meters struct {
	set            *metrics.Set
	inFlight       atomic.Int64
	sent, received *metrics.Counter
	failedLogins   *metrics.Counter
}

func newMeters() *meters {
	m := &meters{set: metrics.NewSet()}
	m.sent = m.set.NewCounter("kvault_http_sent_bytes_total")
	m.received = m.set.NewCounter("kvault_http_received_bytes_total")
	m.failedLogins = m.set.NewCounter("kvault_http_failed_logins_total")
	m.set.NewGauge("kvault_http_requests_in_flight", func() float64 {
		return float64(m.inFlight.Load())
	})
	return m
}

// count adds a request that has ended.
func (m *meters) count(section, method string, w *response, took time.Duration) {
	if !slices.Contains(methods, method) {
		method = "other"
	}
	if section == "" {
		section = "none"
	}
	class := strconv.Itoa(w.status/100) + "xx" // 0xx: the handler gave up before it answered
	m.set.GetOrCreateCounter(`kvault_http_requests_total{section="` + section +
		`",method="` + method + `",status="` + class + `"}`).Inc()
	name := `kvault_http_request_duration_seconds{section="` + section + `"}`
	m.set.GetOrCreatePrometheusHistogramExt(name, durations).Update(took.Seconds())
	m.sent.AddInt64(w.sent)
	if w.body != nil {
		m.received.AddInt64(w.body.received.Load())
	}
}

// metrics answers with all figures in the text format of Prometheus.
func (g *Guard) metrics(w http.ResponseWriter, r *http.Request) {
	if err := g.mayMeter(r); err != nil {
		wire.Fail(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), statsTimeout)
	defer cancel()
	s, err := g.v.Stats(ctx)
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	var b bytes.Buffer // a few KB, so that a slow client holds nothing of the Set
	g.meters.set.WritePrometheus(&b)
	writeStats(&b, s)
	metrics.WriteProcessMetrics(&b)
	h := w.Header()
	h.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	if r.Method != http.MethodHead {
		w.Write(b.Bytes()) // the response keeps the error
	}
}

// mayMeter lets in a token that may read every key. Without tokens it lets in this machine only.
func (g *Guard) mayMeter(r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return &wire.Error{Status: http.StatusMethodNotAllowed, Text: "metrics can only be read"}
	}
	if g.o.Tokens != nil {
		if !access.Of(r.Context()).ReadPrefix("") {
			return wire.Forbidden()
		}
		return nil
	}
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !remote.Addr().IsLoopback() {
		return &wire.Error{Status: http.StatusForbidden,
			Text: "a server without tokens shows its metrics to its own machine only"}
	}
	return nil
}

func writeStats(w io.Writer, s kvault.Stats) {
	for _, m := range []struct {
		name  string
		value int64
	}{
		{"kvault_keys", s.Keys},
		{"kvault_file_bytes", s.FileBytes},
		{"kvault_free_bytes", s.FreeBytes},
		{"kvault_log_bytes", s.LogBytes},
		{"kvault_staged_values", s.Staged},
		{"kvault_staged_bytes", s.StagedBytes},
		{"kvault_cache_entries", int64(s.Cache.Entries)},
		{"kvault_cache_bytes", s.Cache.Bytes},
		{"kvault_cache_flushes_total", s.Cache.Flushes},
		{"kvault_cache_failed_flushes_total", s.Cache.FailedFlushes},
	} {
		fmt.Fprintf(w, "%s %d\n", m.name, m.value)
	}
}

// health answers whether the vault can be read, to anyone, and tells no more than that.
func (g *Guard) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), statsTimeout)
	defer cancel()
	status, text := http.StatusOK, "ok\n"
	if err := g.alive(ctx); err != nil {
		status, text = http.StatusServiceUnavailable, "unavailable\n"
		if res, ok := w.(wire.Failure); ok {
			res.Failed(err)
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		io.WriteString(w, text) // the response keeps the error
	}
}

// alive looks up a key. That there is none is an answer too.
func (g *Guard) alive(ctx context.Context) error {
	if g.gate.isClosed() {
		return kvault.ErrClosed
	}
	_, err := g.v.Stat(ctx, "healthz")
	if errors.Is(err, kvault.ErrNotFound) {
		return nil
	}
	return err
}
