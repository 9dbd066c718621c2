package client

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// gateways dials the gateways of one cluster in turn, whatever host the request names, and passes
// by those that did not answer lately.
type gateways struct {
	addresses []string // host:port; empty for AWS
	dialer    net.Dialer
	pause     time.Duration // for which a gateway is passed by
	log       *slog.Logger

	mu     sync.Mutex
	next   int
	bad    map[string]time.Time // until when
	conns  map[*conn]struct{}
	anyBad atomic.Bool
	heard  atomic.Bool // something has come from any of them
}

func newGateways(endpoints []string, timeout time.Duration, log *slog.Logger) (*gateways, error) {
	g := &gateways{
		dialer: net.Dialer{Timeout: timeout / 2, KeepAlive: 15 * time.Second}, pause: 3 * timeout, log: log,
		bad: map[string]time.Time{}, conns: map[*conn]struct{}{},
	}
	for _, e := range endpoints {
		u, err := url.Parse(e)
		if err != nil {
			return nil, err
		}
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		g.addresses = append(g.addresses, net.JoinHostPort(u.Hostname(), port))
	}
	return g, nil
}

// order is in which order to dial: the next in turn first, and those passed by last. One whose time
// has passed is tried by this caller alone: for others it stays passed by until it has answered.
func (g *gateways) order(asked string) []string {
	if len(g.addresses) == 0 || asked != g.addresses[0] {
		return []string{asked} // AWS, or a proxy
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	var good, bad []string
	for i := range g.addresses {
		a := g.addresses[(g.next+i)%len(g.addresses)]
		until, marked := g.bad[a]
		switch {
		case !marked:
			good = append(good, a)
		case now.Before(until) || len(good) > 0:
			bad = append(bad, a)
		default:
			good = append(good, a)
			g.bad[a] = now.Add(g.pause)
		}
	}
	g.next++
	return append(good, bad...)
}

func (g *gateways) dial(ctx context.Context, network, asked string) (net.Conn, error) {
	var errs []error
	for _, address := range g.order(asked) {
		c, err := g.dialer.DialContext(ctx, network, address)
		if err == nil {
			wrapped := &conn{Conn: c, g: g, address: address}
			wrapped.heard.Store(time.Now().UnixNano())
			g.mu.Lock()
			g.conns[wrapped] = struct{}{}
			g.mu.Unlock()
			return wrapped, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
		g.pass(address, err)
	}
	return nil, errors.Join(errs...)
}

// pass passes a gateway by for a while.
func (g *gateways) pass(address string, why error) {
	if len(g.addresses) < 2 {
		return
	}
	g.mu.Lock()
	_, already := g.bad[address]
	g.bad[address] = time.Now().Add(g.pause)
	g.anyBad.Store(true)
	g.mu.Unlock()
	if !already {
		g.log.Info("a gateway is passed by", "gateway", address, "error", why)
	}
}

// answered says that something came from a gateway.
func (g *gateways) answered(address string) {
	g.mu.Lock()
	_, was := g.bad[address]
	delete(g.bad, address)
	g.anyBad.Store(len(g.bad) > 0)
	g.mu.Unlock()
	if was {
		g.log.Info("a gateway answers again", "gateway", address)
	}
}

// silent says that nothing came through a connection in time. The gateway is passed by, and what
// else is connected to it and was silent for so long is closed, so that no request waits for it
// again.
func (g *gateways) silent(c *conn, since time.Duration) {
	g.pass(c.address, errSilent)
	limit := time.Now().Add(-since).UnixNano()
	g.mu.Lock()
	var closing []*conn
	for other := range g.conns {
		if other.address == c.address && other.heard.Load() < limit {
			closing = append(closing, other)
		}
	}
	g.mu.Unlock()
	for _, other := range closing {
		_ = other.Close()
	}
}

// conn is a connection to a gateway.
type conn struct {
	net.Conn
	g       *gateways
	address string
	heard   atomic.Int64 // when something came last
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard.Store(time.Now().UnixNano())
		if !c.g.heard.Load() {
			c.g.heard.Store(true)
		}
		if c.g.anyBad.Load() {
			c.g.answered(c.address)
		}
	}
	return n, err
}

func (c *conn) Close() error {
	c.g.mu.Lock()
	delete(c.g.conns, c)
	c.g.mu.Unlock()
	return c.Conn.Close()
}
