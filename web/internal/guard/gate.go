package guard

import (
	"context"
	"net/http"
	"sync"

	"github.com/kohakuvault/kvault/web/internal/wire"
)

// gate counts the requests that are being answered, and can be closed.
type gate struct {
	max int // 0: no limit

	mu     sync.Mutex
	n      int
	closed bool
	idle   chan struct{} // closed once the gate is and n is 0; made by close
}

// enter lets a request in, or reports that there are too many or the gate is closed.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.max > 0 && g.n >= g.max {
		return false
	}
	g.n++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.n == 0 && g.closed {
		close(g.idle)
	}
}

func (g *gate) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// refusal is the answer to a request that was not let in.
func (g *gate) refusal(w http.ResponseWriter) error {
	if !g.isClosed() {
		return &wire.Error{Status: http.StatusServiceUnavailable, Text: "the server is full; try again"}
	}
	w.Header().Set("Connection", "close")
	return &wire.Error{Status: http.StatusServiceUnavailable, Text: "the server is about to stop"}
}

// close refuses further requests, and waits until those let in have left or ctx has ended.
func (g *gate) close(ctx context.Context) error {
	g.mu.Lock()
	if !g.closed {
		g.closed, g.idle = true, make(chan struct{})
		if g.n == 0 {
			close(g.idle)
		}
	}
	idle := g.idle
	g.mu.Unlock()
	select {
	case <-idle:
		return nil
	default:
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
