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

// sparing calls open. If the process has as many files open as it may, all idle connections are
// closed, and it is called again. The caller holds no lock of a pool.
func sparing[T any](open func() (T, error)) (T, error) {
	opened, err := open()
	if !driver.OutOfFiles(err) {
		return opened, err
	}
	pools.Range(func(p, _ any) bool {
		p.(*pool).closeIdle()
		return true
	})
	return open()
}

// openSparing opens a connection and prepares it. Every connection to a file is opened by it.
func openSparing(ctx context.Context, conf driver.Config, prepare func(*driver.Conn) error) (*driver.Conn, error) {
	return sparing(func() (*driver.Conn, error) {
		conn, err := driver.Open(ctx, conf)
		if err != nil {
			return nil, conf.Explain(err)
		}
		if err := prepare(conn); err != nil {
			err = conf.Explain(err) // before a descriptor is free again
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	})
}

// lookAtFile has the connection open all files that it needs. Before that it knows of no log.
func lookAtFile(c *driver.Conn) error { return c.Exec(`SELECT 1 FROM sqlite_schema LIMIT 1`) }

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
	return p.open(ctx)
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
			time.AfterFunc(driver.HoldTime, p.sweep)
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
