package resume

import (
	"context"
	"net/http"

	"github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"
	"golang.org/x/exp/slog"

	"github.com/kohakuvault/kvault/web/internal/wire"
)

// locker has one request at a time use an upload. The one that comes later interrupts the one
// before, whose client has often gone.
type locker struct{ memory *memorylocker.MemoryLocker }

func newLocker() locker { return locker{memorylocker.New()} }

// NewLock returns a lock for an upload.
func (l locker) NewLock(id string) (handler.Lock, error) {
	inner, err := l.memory.NewLock(id)
	return lock{inner}, err
}

type lock struct{ inner handler.Lock }

// Lock waits for the lock until ctx ends. Its holder is interrupted by way of its body: tusd's own
// way, which it hands over, is a data race.
func (l lock) Lock(ctx context.Context, _ func()) error {
	c := callOf(ctx)
	err := l.inner.Lock(ctx, func() { c.body.interrupt(handler.ErrUploadInterrupted) })
	if err != nil {
		text := "another request uses the upload"
		c.fail(&wire.Error{Status: http.StatusLocked, Text: text, Cause: err})
	}
	return err
}

// Unlock releases the lock.
func (l lock) Unlock() error { return l.inner.Unlock() }

// silent returns a logger that drops what tusd says of each request: the server logs requests
// itself, and their errors with the causes. tusd takes no logger of the standard library.
func silent() *slog.Logger { return slog.New(nothing{}) }

type nothing struct{}

func (nothing) Enabled(context.Context, slog.Level) bool  { return false }
func (nothing) Handle(context.Context, slog.Record) error { return nil }
func (n nothing) WithAttrs([]slog.Attr) slog.Handler      { return n }
func (n nothing) WithGroup(string) slog.Handler           { return n }
