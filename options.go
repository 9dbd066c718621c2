package kvault

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/kohakuvault/kvault/engine/sqlite"
)

// Durability is what a write that has returned survives.
type Durability uint8

const (
	// Normal survives a crash of the program. A power cut may lose the last commits, but never
	// damages the vault.
	Normal Durability = iota
	// Full survives a power cut too, at the price of a sync for each commit.
	Full
)

// Defaults of Options.
const (
	DefaultChunkSize  = 1 << 20
	DefaultAttempts   = 4
	DefaultRetryDelay = 20 * time.Millisecond
	// DefaultBusyTimeout is the default of the SQLite engine.
	DefaultBusyTimeout = sqlite.DefaultBusyTimeout
)

// maxChunkSize bounds the memory of a chunk, so that it also fits in a row of any engine.
const maxChunkSize = 256 << 20

// Options configure Open and New. Nil and the zero value are the defaults.
type Options struct {
	// Table is the name of the table with the keys, made of letters, digits and underscores. One
	// file can hold several such tables. Empty means "kvault", or "kv" in a file of the Python
	// package that has only that.
	Table string
	// ChunkSize is the number of bytes that a stream holds in memory, and the size of the chunks of
	// a value above OneRowLimit. Default 1 MiB, at most 256 MiB.
	ChunkSize int
	// Attempts is the number of attempts of a call when the database is busy, within BusyTimeout.
	// Default 4.
	Attempts int
	// RetryDelay is the wait before the second attempt. It doubles before each further one. Default
	// 20 ms.
	RetryDelay time.Duration
	// DisableWAL uses a rollback journal in place of the write-ahead log. Readers and writers then
	// block each other, and every commit is as durable, and as slow, as with Full: with less, a
	// power cut could damage such a file.
	DisableWAL bool
	// PageSize is the page size in bytes of a new file, a power of two from 512 to 65536. Default
	// 8192. The Python package's 32768 reads streams about a fifth faster, and takes almost twice
	// as long for each small put.
	PageSize int
	// MmapSize is the number of bytes of the file that are mapped to memory for reading, at most 64
	// MiB on systems of 32 bits. Default 0. If a mapped file is truncated while it is open, an
	// access ends the process: Shrink, Optimize and another program's VACUUM truncate files.
	MmapSize int64
	// CacheKB is the size of SQLite's page cache in KiB for the writing connection. Each reading
	// connection has at most an eighth of it, and the page cache that all readers share has an
	// eighth as well. Default 100000.
	CacheKB int
	// BusyTimeout is the longest time that a call waits for another process's lock, all attempts
	// and the delays between them included. Each part of a call, such as a chunk of a stream or the
	// flush before a write, has that time. Default 5 s. If it is negative, a call makes a single
	// attempt and does not wait.
	BusyTimeout time.Duration
	// OneRowLimit is the size in bytes of the largest value that is stored in one row, which the
	// Python package can read too. Larger values are stored in chunks. Default 64 MiB. A
	// negative number means the most that a row holds, 10^9 bytes less 1 MiB: with that, the package
	// can read every value that it could hold. Where no other program reads the file, 4 MiB is
	// faster: long rows are slower to read than chunks, and make other writers wait. Relayout moves
	// existing values.
	OneRowLimit int64
	// ReadOnly opens an existing vault and never writes to it, with one exception: it rolls back
	// the transaction of a program with DisableWAL that was killed. It reads a vault even where it
	// can make no log: on read-only media, on a full disk or in the folder of another user. If
	// another program changes the vault there, an open View or Reader fails with ErrBusy. While
	// another program has the vault open there, all reads may fail with ErrReadOnly.
	ReadOnly bool
	// MustExist fails with ErrNoVault where Open would create a vault.
	MustExist bool
	// Durability is what a write that has returned survives. Default Normal.
	Durability Durability
	// DisableVerification has reads return what the file holds, right or wrong. They otherwise
	// compare values with the checksums that they were stored with, and fail with ErrCorrupt. It
	// saves about a tenth of a millisecond for each MiB. Use it to get at the rest of a damaged
	// value. Values of other programs have no checksum.
	DisableVerification bool
	// OnError, if not nil, is called with the error of a failed flush that no caller waits for. The
	// entries stay in the cache, and further flushes follow: see CacheOptions.IdleFlush. Background
	// flushes wait until OnError returns, so it must not call Close or DisableCache and wait for
	// them; it may call DiscardCached and runtime.Goexit. A panic in it is not recovered.
	OnError func(error)
}

// check refuses options that make no sense for any engine.
func (o *Options) check() error {
	switch {
	case o == nil:
	case o.ChunkSize < 0 || o.ChunkSize > maxChunkSize:
		return invalid("ChunkSize %d: want 1 to %d bytes", o.ChunkSize, maxChunkSize)
	case o.Attempts < 0:
		return invalid("Attempts %d is negative", o.Attempts)
	case o.RetryDelay < 0:
		return invalid("RetryDelay %v is negative", o.RetryDelay)
	case o.Durability > Full:
		return invalid("Durability %d: want Normal or Full", o.Durability)
	}
	return nil
}

// resolved returns a copy of o with the defaults filled in. check must have accepted o.
func (o *Options) resolved() Options {
	var c Options
	if o != nil {
		c = *o
	}
	c.ChunkSize = cmp.Or(c.ChunkSize, DefaultChunkSize)
	c.Attempts = cmp.Or(c.Attempts, DefaultAttempts)
	c.RetryDelay = cmp.Or(c.RetryDelay, DefaultRetryDelay)
	c.BusyTimeout = cmp.Or(c.BusyTimeout, DefaultBusyTimeout)
	return c
}

// Open opens the vault in the SQLite file at path, or creates it. The path ":memory:" makes a vault
// in memory that lives until it is closed. ctx bounds the opening only. Files of the Python package
// are vaults too.
//
// Errors: ErrInvalid for options that make no sense, ErrNoVault if there is no vault and none may
// be created, ErrCorrupt if the file is damaged or no SQLite database, ErrBusy if another process
// holds its lock.
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

			DisableVerification: opt.DisableVerification,
		})
		return err
	})
	if err != nil {
		return nil, fail("open", path, err)
	}
	return newVault(store, opt), nil
}

// Create makes a new vault at path of what fill puts into it, or none: the file has another name in
// the same folder until fill has returned nil and all of it is on the disk, so no other program
// sees a part of it, and neither an error nor a crash leaves one. What a killed process leaves
// under that other name is removed by the next Create, Backup or Restore to the folder. The vault
// that fill gets is closed when fill returns.
//
// Errors are that of fill, ErrExists if path or a log for it exists, ErrInvalid for ":memory:", no
// path, ReadOnly and MustExist, and those of Open.
func Create(ctx context.Context, path string, o *Options, fill func(*Vault) error) error {
	if err := o.check(); err != nil {
		return fail("create", path, err)
	}
	if path == "" || path == ":memory:" {
		return fail("create", path, invalid("path %q: name the file that is to be made; Open makes vaults in memory", path))
	}
	if o != nil && (o.ReadOnly || o.MustExist) {
		return fail("create", path, invalid("ReadOnly and MustExist are for vaults that exist"))
	}
	var own error
	err := sqlite.Create(path, func(tmp string) error {
		v, err := Open(ctx, tmp, o)
		if e := (*Error)(nil); errors.As(err, &e) {
			return e.Err // which is about path, not about the name that the file has for now
		}
		if err != nil {
			return err
		}
		if own = fill(v); own != nil {
			return errors.Join(own, v.Close())
		}
		return v.Close()
	})
	if own != nil {
		return own
	}
	return fail("create", path, err)
}
