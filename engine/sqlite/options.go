package sqlite

import (
	"fmt"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// Limits and defaults of Options.
const (
	DefaultPageSize    = 8192
	DefaultCacheKB     = 100000
	DefaultBusyTimeout = 5 * time.Second
	DefaultOneRowLimit = 64 << 20
	// MaxOneRowLimit leaves room for key and size under the 10^9 bytes that SQLite holds in one row as commonly compiled.
	MaxOneRowLimit = 1_000_000_000 - 1<<20
	// MaxKey is the longest key in bytes.
	MaxKey = engine.MaxKey
)

// Options configure Open. The zero value is the default of each.
type Options struct {
	// Table is the key-value table; empty means kvault, or kv where a file of the Python package has only that.
	Table string
	// PageSize is the page size in bytes of a file that is created: a power of two from 512 to 65536.
	PageSize int
	// MmapSize is how many bytes of the file are memory-mapped for reading, at most what the file holds when a connection
	// opens, and 64 MiB on systems of 32 bits. 0 or less, the default, maps nothing. Do not map a file that anything may
	// cut off while it is open, such as Shrink, Optimize or another program's VACUUM: reading behind its end would end the process.
	MmapSize int64
	// CacheKB bounds the writer's page cache in KiB. Each reader gets at most an eighth of it, and
	// so do the pages that all readers share.
	CacheKB int
	// BusyTimeout is how long one call waits for another process's lock; negative does not wait.
	BusyTimeout time.Duration
	// OneRowLimit is the largest value in bytes that is kept as one row, and so readable by other programs.
	OneRowLimit int64
	// ReadOnly opens an existing vault without ever writing to it, but for undoing a transaction in
	// whose middle a program with a rollback journal was killed. Where no log can be made, as on a
	// full disk or in the folder of another user, a read that another program's change meets is
	// made again, up to BusyTimeout, and fails with ErrBusy after that; transactions and blobs that
	// are open then fail at once. While there is a log that cannot be used, reads fail with
	// ErrReadOnly.
	ReadOnly bool
	// MustExist refuses to create a file.
	MustExist bool
	// DisableWAL uses a rollback journal instead of the write-ahead log. Readers and writers then wait for each other: a
	// read-only transaction keeps every writer from committing while it is open, and a blob of a large value reads
	// from a temporary copy. Every commit is synced as with Full, since less would not keep the file sound in a power cut.
	DisableWAL bool
	// Full syncs at every commit, so that an acknowledged write survives a power cut.
	Full bool
	// vfs is the file system layer that tests put under SQLite.
	vfs string
	// name is what messages call the file; empty means its path.
	name string
	// logBytes is what tests put in place of checkpointBytes.
	logBytes int
	// noFastReads has SQLite read everything.
	noFastReads bool
}

func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	setDefault(&c.PageSize, DefaultPageSize)
	setDefault(&c.CacheKB, DefaultCacheKB)
	setDefault(&c.BusyTimeout, DefaultBusyTimeout)
	setDefault(&c.OneRowLimit, DefaultOneRowLimit)
	c.MmapSize = max(c.MmapSize, 0)
	switch {
	case c.PageSize < 512 || c.PageSize > 65536 || c.PageSize&(c.PageSize-1) != 0:
		return c, fmt.Errorf("page size %d: want a power of two from 512 to 65536: %w", c.PageSize, engine.ErrInvalid)
	case c.CacheKB < 0:
		return c, fmt.Errorf("cache of %d KiB: want a positive size: %w", c.CacheKB, engine.ErrInvalid)
	case c.OneRowLimit < 0 || c.OneRowLimit > MaxOneRowLimit:
		return c, fmt.Errorf("one-row limit %d: want 1 to %d bytes: %w", c.OneRowLimit, MaxOneRowLimit, engine.ErrInvalid)
	}
	if c.Table != "" {
		return c, format.CheckTable(c.Table)
	}
	return c, nil
}

func setDefault[T int | int64 | time.Duration](p *T, def T) {
	if *p == 0 {
		*p = def
	}
}
