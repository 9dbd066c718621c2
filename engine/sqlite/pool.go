package sqlite

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// A connection's memory never shrinks. One whose page cache outgrew this is closed rather than kept.
const retireBytes = 64 << 20

// pool keeps idle connections. It has no upper bound: a goroutine that holds many readers open must still be able to get
// one more connection.
type pool struct {
	open func(ctx context.Context) (*driver.Conn, error)
	keep int
	// hold lets connections keep their snapshots from one use to the next.
	hold bool

	mu     sync.Mutex
	idle   []*driver.Conn
	closed bool
	// paused counts the calls that need all snapshots gone, and sweeping says that the idle ones will be given up soon.
	paused   int
	sweeping bool
}

func newPool(keep int, open func(ctx context.Context) (*driver.Conn, error)) *pool {
	p := &pool{open: open, keep: keep}
	pools.Store(p, nil)
	return p
}

// pools are all that are not closed.
var pools sync.Map

// openSparing opens a connection. If the process has as many files open as it may, all idle
// connections are closed, and it is tried again.
func (p *pool) openSparing(ctx context.Context) (*driver.Conn, error) {
	c, err := p.open(ctx)
	if !driver.OutOfFiles(err) {
		return c, err
	}
	pools.Range(func(other, _ any) bool {
		other.(*pool).closeIdle()
		return true
	})
	return p.open(ctx)
}

func (p *pool) closeIdle() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		_ = c.Close()
	}
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
		hold := p.hold && p.paused == 0
		p.mu.Unlock()
		c.SetContext(ctx)
		if hold {
			if err := c.Resume(); err != nil {
				p.put(c)
				return nil, err
			}
		}
		return c, nil
	}
	p.mu.Unlock()
	return p.openSparing(ctx)
}

// put gives a connection back. It ends its transaction, unless that is a snapshot to be kept.
func (p *pool) put(c *driver.Conn) {
	if c == nil {
		return
	}
	fit := p.settle(c) == nil && !c.Broken() && c.MemoryUsed() < retireBytes
	c.SetContext(context.Background())
	p.mu.Lock()
	if fit && !p.closed && len(p.idle) < p.keep && (p.paused == 0 || !c.InTransaction()) {
		p.idle = append(p.idle, c)
		if c.InTransaction() && !p.sweeping {
			p.sweeping = true
			time.AfterFunc(driver.HoldPeriod, p.sweep)
		}
		c = nil
	}
	p.mu.Unlock()
	if c != nil {
		c.Close()
	}
}

func (p *pool) settle(c *driver.Conn) error {
	if p.hold {
		return c.Keep()
	}
	return c.Rollback()
}

// sweep ends the snapshots of connections that nobody uses.
func (p *pool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweeping = false
	p.endIdle()
}

// endIdle ends the snapshots of idle connections. It is called with mu held: ending one takes a microsecond.
func (p *pool) endIdle() {
	p.idle = slices.DeleteFunc(p.idle, func(c *driver.Conn) bool {
		fit := c.Rollback() == nil
		if !fit {
			c.Close()
		}
		return !fit
	})
}

// release ends the snapshots that are kept for nobody.
func (p *pool) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endIdle()
}

// pause has no snapshot kept until resume is called.
func (p *pool) pause() (resume func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused++
	p.endIdle()
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.paused--
	}
}

func (p *pool) close() error {
	pools.Delete(p)
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
