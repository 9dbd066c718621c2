package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/vaultjson"
)

type statsAnswer struct {
	vaultjson.Stats
	Cache cacheStats `json:"cache"`
}

type cacheStats struct {
	Enabled       bool  `json:"enabled"`
	Locked        bool  `json:"locked,omitempty"`
	Entries       int   `json:"entries"`
	Bytes         int64 `json:"bytes"`
	Capacity      int64 `json:"capacity"`
	Flushes       int64 `json:"flushes"`
	FailedFlushes int64 `json:"failed_flushes"`
	// Failing says that the latest flush failed. The error is for the log: it names files.
	Failing bool `json:"failing,omitempty"`
}

func cacheStatsOf(s kvault.CacheStats) cacheStats {
	return cacheStats{
		s.Enabled, s.Locked, s.Entries, s.Bytes, s.Capacity, s.Flushes, s.FailedFlushes,
		s.LastError != nil,
	}
}

// stats answers with the figures of the vault.
func (h *handler) stats(a *reply, r *http.Request) error {
	if p := parametersOf(r); p.err != nil {
		return p.err
	}
	if err := mayList(r, ""); err != nil || a.headOnly(r) {
		return err
	}
	ctx := r.Context()
	s, err := h.v.Stats(ctx)
	if err != nil {
		return err
	}
	s.Location = ""
	var u folderUsage
	err = h.counts.during(ctx, func() (err error) {
		u, err = h.count(ctx, "", 0, time.Now().Add(h.limits.Adding))
		return err
	})
	var sum *int64
	switch {
	case err == nil && !u.More:
		sum = &u.Size
	case err != nil && (ctx.Err() != nil || !errors.Is(err, kvault.ErrCorrupt)):
		return err // a listing that meets damage leaves the other figures of use
	}
	return a.json(statsAnswer{vaultjson.StatsOf(s, sum), cacheStatsOf(s.Cache)})
}
