package driver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"net/url"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
)

// Narrow says that addresses have 32 bits. A connection's linear memory is so many addresses in a
// row, set aside when it opens.
const Narrow = bits.UintSize == 32

// maxMemory bounds one connection's linear memory. It holds the memory map too, so the driver's
// default of 256 MiB would leave a 256 MiB map silently unmapped.
func maxMemory() int64 {
	if Narrow { // all connections, and everything else, share 2 to 4 GiB
		return 192 << 20
	}
	return 1<<32 - 1<<16
}

// Config says what to open.
type Config struct {
	// Path of the file, or the name of an in-memory database if Memory.
	Path     string
	Memory   bool
	ReadOnly bool
	Create   bool
	// Immutable promises that no program writes the file, so that it can be read where no log file
	// may be made.
	Immutable bool
	// MaxMemory bounds the connection's memory, its memory map included; 0 means almost 4 GiB, or
	// 192 MiB where addresses are Narrow.
	MaxMemory int64
	// Mapped prepares the connection for a memory map. The driver maps past the end of the file,
	// where looking ends the process, and SQLite may look a few bytes past the last page: set
	// mmap_size to no more than the file's size.
	Mapped bool
	// VFS names the file system layer; empty is that of package walvfs over the operating system.
	// Tests set it.
	VFS string
	// Place is shared by the connections of a store; nil checks nothing. Watch is for those that
	// write.
	Place *walvfs.Place
	Watch bool
	// BusyTimeout is how long the connection waits for another process's locks from one SetContext
	// to the next.
	BusyTimeout time.Duration
}

// Conn is one connection. It is for one goroutine at a time.
type Conn struct {
	c     *sqlite3.Conn
	stmts map[string]*Stmt
	vfs   string
	// shared says that other connections may write the file, and leave their marks in the shared
	// memory of its log.
	shared bool
	hold   hold
	// schema is the version of the schema in the transaction schemaOf, which reads.
	schema, schemaOf int64
	// begun counts transactions. file is the database, once mainFile was called.
	begun int64
	file  vfs.File
	// place is what Whole compares with, if set. watch keeps the shared memory's file open for
	// that. writes says that the present transaction writes.
	place  *walvfs.Place
	watch  bool
	writes bool
	// checkpointed is the file under the present transaction, if it holds all of the snapshot and
	// that was found out.
	checkpointed *CheckpointedFile
	// Of is the caller's: the state of an immutable file that the connection has read.
	Of any
	// waited is how long it has waited for locks, in nanoseconds, and patienceEnds what that may
	// come to.
	waited       *atomic.Int64
	patienceEnds int64
	busyTimeout  time.Duration
	// broken says that the connection ran out of memory inside the driver and is to be discarded.
	broken bool
	// calls counts calls of SQLite, for the race detector: it sees here that two goroutines use a
	// connection at once, also where SQLite's own code is compiled without it.
	calls int64
}

// Open opens a connection with triggers, views and everything else that a foreign schema could run
// switched off.
func Open(ctx context.Context, cfg Config) (_ *Conn, err error) {
	most := cmp.Or(cfg.MaxMemory, maxMemory())
	defer func() {
		if KindOf(err) == OutOfMemory { // nothing of the file was looked at
			err = &Error{Kind: IO, err: fmt.Errorf("no room for a connection of %d MiB; "+
				"close other vaults and readers, or lower the size of the cache: %w", most>>20, err)}
		}
	}()
	defer guard(nil, &err)
	if !cfg.Memory {
		if err := walvfs.CheckPath(cfg.Path); err != nil {
			return nil, wrap(err)
		}
	}
	limited := sqlite3.WithMaxMemory(ctx, most)
	raw, err := sqlite3.OpenContext(limited, cfg.uri())
	if err != nil {
		return nil, wrap(cfg.Place.Explain(wrap(err)))
	}
	c := &Conn{
		c: raw, stmts: make(map[string]*Stmt), vfs: cfg.VFS, shared: !cfg.Memory && !cfg.Immutable,
		place: cfg.Place, watch: cfg.Watch, busyTimeout: cfg.BusyTimeout,
	}
	c.CountWaits(new(atomic.Int64))
	if err = c.configure(cfg); err == nil {
		err = wrap(c.place.Join(c.mainFile()))
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	c.SetContext(ctx)
	return c, nil
}

func (cfg Config) uri() string {
	q := url.Values{}
	switch {
	case cfg.ReadOnly:
		q.Set("mode", "ro")
	case cfg.Create:
		q.Set("mode", "rwc")
	default:
		q.Set("mode", "rw")
	}
	if cfg.Memory {
		q.Set("vfs", "mvcc")
		return "file:" + cfg.Path + "?" + q.Encode()
	}
	q.Set("vfs", cfg.vfsName())
	if cfg.Immutable {
		q.Set("immutable", "1")
	}
	u := url.URL{Path: filepath.ToSlash(cfg.Path)}
	return "file:" + u.EscapedPath() + "?" + q.Encode()
}

func (c *Conn) configure(cfg Config) error {
	for op, on := range map[sqlite3.DBConfig]bool{
		sqlite3.DBCONFIG_ENABLE_TRIGGER: false,
		sqlite3.DBCONFIG_ENABLE_VIEW:    false,
		sqlite3.DBCONFIG_TRUSTED_SCHEMA: false,
		sqlite3.DBCONFIG_DEFENSIVE:      true,
		// Without this, statements are compiled anew for each value that is bound, since statistics
		// might tell how many rows it finds.
		sqlite3.DBCONFIG_ENABLE_QPSG: true,
	} {
		if _, err := c.c.Config(op, on); err != nil {
			return wrap(err)
		}
	}
	return wrap(c.c.BusyHandler(c.waitBusy))
}

// Close releases the connection. Blobs of it must be closed before.
func (c *Conn) Close() (err error) {
	defer guard(c, &err)
	c.c.SetInterrupt(context.Background())
	for _, s := range slices.Collect(c.c.Stmts()) {
		(&Stmt{s: s, c: c}).close()
	}
	clear(c.stmts)
	err = wrap(c.c.Close())
	if c.hold.index != nil {
		err = errors.Join(err, c.hold.index.close())
		c.hold.index = nil
	}
	return err
}

// LeaveLog keeps Close from copying the log into the file.
func (c *Conn) LeaveLog() error {
	_, err := c.c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true)
	return wrap(err)
}

// Broken says that the connection must not be used again.
func (c *Conn) Broken() bool { return c.broken }

// Exec runs SQL that returns nothing. What it prepares is known to Close, which has to end it if it
// runs out of memory.
func (c *Conn) Exec(sql string) (err error) {
	defer guard(c, &err)
	for err == nil && sql != "" {
		var s *sqlite3.Stmt
		if s, sql, err = c.c.Prepare(sql); err != nil {
			return wrapCompiled(err)
		}
		if s == nil {
			break
		}
		err = s.Exec()
		if closeErr := s.Close(); err == nil {
			err = closeErr
		}
	}
	return wrap(err)
}

// Prepare returns the statement for sql, compiled once per connection and ready to bind.
func (c *Conn) Prepare(sql string) (_ *Stmt, err error) {
	if s, ok := c.stmts[sql]; ok {
		return s, nil
	}
	defer guard(c, &err)
	raw, _, err := c.c.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, wrapCompiled(err)
	}
	s := &Stmt{s: raw, c: c}
	c.stmts[sql] = s
	return s, nil
}

// InTransaction says whether a transaction is open.
func (c *Conn) InTransaction() bool { return !c.c.GetAutocommit() }

// Changes is the number of rows that the last statement changed; TotalChanges counts since the
// connection opened.
func (c *Conn) Changes() int64 { return c.c.Changes() }

// TotalChanges counts the rows changed since the connection was opened.
func (c *Conn) TotalChanges() int64 { return c.c.TotalChanges() }

// LastInsertRowID is the row id of the last insert.
func (c *Conn) LastInsertRowID() int64 { return c.c.LastInsertRowID() }

// OnWAL calls fn after each commit with the length of the write-ahead log in pages, in place of
// SQLite's own automatic checkpoints.
func (c *Conn) OnWAL(fn func(pages int)) {
	c.c.WALHook(func(_ *sqlite3.Conn, _ string, pages int) error { fn(pages); return nil })
}

// Checkpoint copies what it can of the write-ahead log into the file without waiting for anyone. It
// returns the pages of the log and how many of them the file now holds. truncate waits for readers
// and empties the log file. After an I/O error nothing of the log counts as copied, as with
// SyncBackfill: a sync that failed was for what earlier calls have copied, too.
func (c *Conn) Checkpoint(truncate bool) (log, done int, err error) {
	defer guard(c, &err)
	mode := sqlite3.CHECKPOINT_PASSIVE
	if truncate {
		mode = sqlite3.CHECKPOINT_TRUNCATE
	}
	if err := c.Whole(); err != nil {
		return 0, 0, err
	}
	if err := c.RepairLog(); err != nil {
		return 0, 0, err
	}
	log, done, err = c.c.WALCheckpoint("main", mode)
	if err = wrap(err); KindOf(err) == IO {
		err = errors.Join(err, c.forgetBackfill())
	}
	c.place.Note(openFiles{c})
	return log, done, err
}

// MemoryUsed is what SQLite's page cache holds on this connection in bytes.
func (c *Conn) MemoryUsed() int64 {
	n, _, err := c.c.Status(sqlite3.DBSTATUS_CACHE_USED, false)
	if err != nil {
		return math.MaxInt64
	}
	return n
}

// Quote returns name as an SQL identifier.
func Quote(name string) string { return sqlite3.QuoteIdentifier(name) }

// guard turns the driver's panic when it runs out of memory into an error and marks the connection
// as broken. The panic is an error of the system where that has no more memory, or addresses.
func guard(c *Conn, errp *error) {
	if c != nil {
		c.calls++
	}
	r := recover()
	if r == nil {
		return
	}
	cause, ok := r.(error)
	if _, system := r.(syscall.Errno); !ok || !system && cause.Error() != "sqlite3: out of memory" {
		panic(r)
	}
	if c != nil {
		c.broken = true
	}
	*errp = &Error{Kind: OutOfMemory, err: fmt.Errorf("out of memory in SQLite: %w", cause)}
}
