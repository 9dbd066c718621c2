package sqlite

import (
	"context"
	"errors"
	"sync"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// A connection's memory never shrinks. One whose page cache outgrew this is closed rather than kept.
const retireBytes = 64 << 20

// pool keeps idle connections. It has no upper bound: a goroutine that holds many readers open must still be able to get
// one more connection.
type pool struct {
	open func(ctx context.Context) (*driver.Conn, error)
	keep int

	mu     sync.Mutex
	idle   []*driver.Conn
	closed bool
}

func newPool(keep int, open func(ctx context.Context) (*driver.Conn, error)) *pool {
	return &pool{open: open, keep: keep}
}

// get returns a connection that is bound to ctx until it is put back.
func (p *pool) get(ctx context.Context) (*driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		c.SetContext(ctx)
		return c, nil
	}
	p.mu.Unlock()
	return p.open(ctx)
}

// put gives a connection back, out of any transaction.
func (p *pool) put(c *driver.Conn) {
	if c == nil {
		return
	}
	fit := c.Rollback() == nil && !c.Broken() && c.MemoryUsed() < retireBytes
	c.SetContext(context.Background())
	p.mu.Lock()
	if fit && !p.closed && len(p.idle) < p.keep {
		p.idle = append(p.idle, c)
		c = nil
	}
	p.mu.Unlock()
	if c != nil {
		c.Close()
	}
}

func (p *pool) close() error {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	var errs []error
	for _, c := range idle {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
