package kvault

import (
	"cmp"
	"context"
	"time"

	"github.com/kohakuvault/kvault/engine/sqlite"
)

// Durability says what a returned write has survived.
type Durability uint8

const (
	// Normal survives a crash of the program. A power cut may lose the last commits, but never damages the vault.
	Normal Durability = iota
	// Full survives a power cut too, at the price of a sync for each commit.
	Full
)

// Defaults of Options.
const (
	DefaultChunkSize  = 1 << 20
	DefaultRetries    = 4
	DefaultRetryDelay = 20 * time.Millisecond
	// DefaultBusyTimeout is that of the SQLite engine.
	DefaultBusyTimeout = sqlite.DefaultBusyTimeout
)

// maxChunkSize bounds what a chunk may take in memory, and lets it fit in a row of any engine.
const maxChunkSize = 256 << 20

// Options configure Open and New. Nil and the zero value are the defaults.
type Options struct {
	// Table is the table of the file that holds the keys, so that one file can hold several vaults: letters, digits and
	// underscores. Empty means "kvault", or "kv" in a file of the Python package that has only that.
	Table string
	// ChunkSize is how many bytes of a stream are in memory at a time, and the size of the pieces in which a value above
	// OneRowLimit is stored. Default 1 MiB, at most 256 MiB.
	ChunkSize int
	// Retries is how many times a call is attempted when the database is busy, within BusyTimeout.
	// Default 4; 1 or less means one attempt.
	Retries int
	// RetryDelay is the wait before the second attempt; it doubles before each further one. Default 20 ms.
	RetryDelay time.Duration
	// DisableWAL uses a rollback journal in place of the write-ahead log. Readers and writers then block each other, and every
	// commit is as durable, and as slow, as with Full: nothing less keeps such a file sound in a power cut.
	DisableWAL bool
	// PageSize is the page size in bytes of a file that is created, a power of two from 512 to 65536. Default 8192: the reference's
	// 32768 reads streams about a fifth faster, and takes almost twice as long for each small put.
	PageSize int
	// MmapSize is how many bytes of the file are mapped to memory for reading. Default none: reading large values is then about
	// half as fast, but no file can end the process. At most 64 MiB are mapped on systems of 32 bits. Map only what nothing cuts off while it is open: Shrink, Optimize and
	// another program's VACUUM do.
	MmapSize int64
	// CacheKB is the size of SQLite's page cache in KiB for the connection that writes. Each one that reads has at most an eighth
	// of it. The pages that all of them share take as much at most, and values that are read again and again as well, or 8 MiB. Default 100000.
	CacheKB int
	// BusyTimeout is how long a call waits for another process's lock, all attempts and the delays
	// between them included. The parts of one call, such as the chunks of a stream or the flush
	// before a write, have that long each. Default 5 s; a negative one makes a single attempt and
	// does not wait.
	BusyTimeout time.Duration
	// OneRowLimit is the largest value in bytes that is kept as one row, which the Python package can read too. Larger
	// ones are kept in chunks. Default 64 MiB, at most MaxOneRowLimit, which is 10^9 bytes less 1 MiB: that keeps all it could hold
	// readable there. Where no other program reads the file, 4 MiB is faster: long rows are slower to read than chunks, and keep other
	// writers waiting. Relayout moves the values that are there already.
	OneRowLimit int64
	// ReadOnly opens an existing vault and never writes to it, except that it undoes what a program
	// with DisableWAL left unfinished when it was killed. It reads a vault even where it can make
	// no log, as on read-only media, on a full disk or in the folder of another user. If another
	// program changes the vault there, an open View or Reader fails with ErrBusy; while another
	// program has the vault open there, all reads may fail with ErrReadOnly.
	ReadOnly bool
	// MustExist fails with ErrNoVault where Open would create a vault.
	MustExist bool
	// Durability says what a returned write has survived. Default Normal.
	Durability Durability
	// OnError, if not nil, is told when a flush fails that no caller waits for. The entries
	// concerned stay in the cache, and flushing goes on: see CacheOptions.IdleFlush. Flushes in the
	// background wait for it to return, so it must not call Close or DisableCache and wait for
	// them; DiscardCached is fine. It may call runtime.Goexit. A panic in it is not recovered.
	OnError func(error)
}

// check refuses what can be refused without knowing the engine.
func (o *Options) check() error {
	switch {
	case o == nil:
	case o.ChunkSize < 0 || o.ChunkSize > maxChunkSize:
		return invalid("chunk size %d: want 1 to %d bytes", o.ChunkSize, maxChunkSize)
	case o.RetryDelay < 0:
		return invalid("retry delay %v is negative", o.RetryDelay)
	case o.Durability > Full:
		return invalid("durability %d: want Normal or Full", o.Durability)
	}
	return nil
}

// resolved is a copy of o, which check allows, with the defaults filled in.
func (o *Options) resolved() Options {
	var c Options
	if o != nil {
		c = *o
	}
	c.ChunkSize = cmp.Or(c.ChunkSize, DefaultChunkSize)
	c.Retries = max(cmp.Or(c.Retries, DefaultRetries), 1)
	c.RetryDelay = cmp.Or(c.RetryDelay, DefaultRetryDelay)
	c.BusyTimeout = cmp.Or(c.BusyTimeout, DefaultBusyTimeout)
	return c
}

// Open opens the vault in the SQLite file at path, or creates it. The path ":memory:" is a vault in memory, gone when it
// is closed. ctx bounds the opening only. Files that the Python package wrote are vaults too.
//
// Errors: ErrInvalid for options that cannot work, ErrNoVault if there is no vault and none may be created, ErrCorrupt if the
// file is damaged or no SQLite database, ErrBusy if another process holds it locked.
func Open(ctx context.Context, path string, o *Options) (*Vault, error) {
	if err := o.check(); err != nil {
		return nil, fail("open", path, err)
	}
	opt := o.resolved()
	var store *sqlite.Store
	err := retry(ctx, &opt, func() (err error) {
		store, err = sqlite.Open(ctx, path, &sqlite.Options{
			Table:       opt.Table,
			PageSize:    opt.PageSize,
			MmapSize:    opt.MmapSize,
			CacheKB:     opt.CacheKB,
			BusyTimeout: opt.BusyTimeout,
			OneRowLimit: opt.OneRowLimit,
			ReadOnly:    opt.ReadOnly,
			MustExist:   opt.MustExist,
			DisableWAL:  opt.DisableWAL,
			Full:        opt.Durability == Full,
		})
		return err
	})
	if err != nil {
		return nil, fail("open", path, err)
	}
	return newVault(store, opt), nil
}
