package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/kohakuvault/kvault/web/internal/wire"
)

// answerPanic logs a panic of a section with its stack, and answers 500 if nothing was sent.
func (g *Guard) answerPanic(w *response, r *http.Request, id string, p any) {
	g.o.Logger.LogAttrs(context.Background(), slog.LevelError, "panic", slog.String("id", id),
		slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	err := fmt.Errorf("panic: %v", p)
	if w.status == 0 {
		wire.Fail(w, r, err)
		return
	}
	w.cause, w.broken = err, err
}

// log writes the record of a request: at level Error if the server failed, and at Debug for the
// requests of monitors. It has neither the query nor any header, which may hold secrets.
func (g *Guard) log(w *response, r *http.Request, id string, took time.Duration) {
	level := slog.LevelInfo
	switch {
	case w.status >= 500 && w.status != http.StatusServiceUnavailable:
		level = slog.LevelError
	case w.status >= 500,
		w.status == http.StatusUnauthorized, w.status == http.StatusMisdirectedRequest:
		level = slog.LevelWarn
	case r.URL.Path == HealthPath, r.URL.Path == MetricsPath:
		level = slog.LevelDebug
	}
	ctx, logger := context.Background(), g.o.Logger
	if !logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("id", id),
		slog.String("method", short(r.Method, 20)),
		slog.String("path", short(r.URL.EscapedPath(), 500)),
		slog.Int("status", w.status),
		slog.Int64("sent", w.sent),
		slog.Duration("took", took),
		slog.String("remote", r.RemoteAddr),
	}
	if w.body != nil {
		attrs = append(attrs, slog.Int64("received", w.body.received.Load()))
	}
	if w.cause != nil && w.status >= 400 {
		attrs = append(attrs, slog.String("cause", causeOf(w.cause)))
	}
	if w.broken != nil {
		attrs = append(attrs, slog.String("broken", w.broken.Error()))
	}
	logger.LogAttrs(ctx, level, "request", attrs...)
}

// causeOf says why a request failed, in full where the client is told less.
func causeOf(err error) string {
	if e := (*wire.Error)(nil); errors.As(err, &e) && e.Cause != nil {
		return e.Cause.Error()
	}
	return err.Error()
}

func short(s string, most int) string {
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
