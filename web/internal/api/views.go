package api

import (
	"context"
	"net/http"

	"github.com/kohakuvault/kvault/internal/describe"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// whole calls read, which reads much of a column, and writes what that returns. Few such requests
// run at a time, each for a limited time.
func (h *handler) whole(
	a *reply, r *http.Request, name string, read func(ctx context.Context) (any, error),
) error {
	if !access.Of(r.Context()).Read(name) {
		return wire.Forbidden()
	}
	_, err := shapeOf(r.Context(), h.v, selection{names: []string{name}})
	if err != nil || a.headOnly(r) {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.limits.Scan)
	defer cancel()
	var answer any
	err = h.scans.during(ctx, func() (err error) {
		answer, err = read(ctx)
		return err
	})
	if err != nil {
		return columnError(err)
	}
	return a.json(answer)
}

// summary answers with what "kvault col describe --json" says of the column.
func (h *handler) summary(a *reply, r *http.Request, name string, _ *parameters) error {
	return h.whole(a, r, name, func(ctx context.Context) (any, error) {
		return describe.Describe(ctx, h.v, name)
	})
}

// histogram answers with what "kvault col stats --json" says of the column.
func (h *handler) histogram(a *reply, r *http.Request, name string, p *parameters) error {
	bins := p.number("bins", describe.Bins, 1, describe.MaxBins)
	if p.err != nil {
		return p.err
	}
	return h.whole(a, r, name, func(ctx context.Context) (any, error) {
		return describe.StatsOf(ctx, h.v, name, int(bins))
	})
}
