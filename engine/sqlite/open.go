package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
)

// Memory is the path of a vault that lives in memory until it is closed.
const Memory = ":memory:"

// Open opens the vault file at path, or makes it. Values that a crash left half-written are swept
// away.
//
// Errors: ErrInvalid for unusable options, ErrNoVault if there is no file and none is to be made,
// or no key-value table in a file opened read-only; ErrCorrupt if the file is not an SQLite
// database; ErrBusy if another process holds its lock.
func Open(ctx context.Context, path string, o *Options) (*Store, error) {
	opt, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, opt: opt, open: make(map[closer]struct{}), closing: make(chan struct{})}
	s.conf = driver.Config{Path: path, ReadOnly: opt.ReadOnly, Create: !opt.MustExist && !opt.ReadOnly, BusyTimeout: opt.BusyTimeout,
		VFS: opt.vfs}
	if err := s.locate(); err != nil {
		return nil, err
	}
	s.path = cmp.Or(opt.name, path)
	idle := max(4, runtime.GOMAXPROCS(0))
	s.fast = newFastReads(&opt)
	s.reads = newPool(idle, func(ctx context.Context) (*driver.Conn, error) { return s.connect(ctx, opt.MmapSize, opt.CacheKB/8) })
	s.reads.hold = !s.conf.Memory
	s.streams = newPool(2, func(ctx context.Context) (*driver.Conn, error) { return s.connect(ctx, 0, min(opt.CacheKB/8, 2048)) })
	if err := s.start(ctx); err != nil {
		s.reads.close()
		s.streams.close()
		s.removeLog()
		if s.conf.Memory {
			driver.DropMemory(s.conf.Path)
		}
		return nil, s.explain(ctx, err)
	}
	return s, nil
}

// locate settles what the path means before SQLite sees it.
func (s *Store) locate() error {
	if s.path == Memory {
		if s.opt.ReadOnly || s.opt.MustExist {
			return fmt.Errorf("an in-memory vault is always new and cannot be opened read-only: %w", engine.ErrInvalid)
		}
		s.conf.Path, s.conf.Memory, s.conf.Create = fmt.Sprintf("/kvault-%016x", rand.Uint64()), true, true
		driver.CreateMemory(s.conf.Path)
		return nil
	}
	if s.path == "" {
		return fmt.Errorf("path is empty: %w", engine.ErrInvalid)
	}
	abs, err := filepath.Abs(s.path)
	if err != nil {
		return &engine.IOError{Op: "open", Err: err}
	}
	s.conf.Path = abs
	s.conf.Place = &walvfs.Place{Names: []string{abs}}
	info, err := os.Stat(abs)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a folder, not a vault file: %w", s.path, engine.ErrInvalid)
	case errors.Is(err, fs.ErrNotExist) && !s.conf.Create:
		return fmt.Errorf("%s does not exist: %w", s.path, engine.ErrNoVault)
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(abs)); err != nil {
			return &engine.IOError{Op: "create vault", Err: err}
		}
	case err != nil:
		return &engine.IOError{Op: "open", Err: err}
	default:
		if err := s.soleName(); err != nil {
			return err
		}
	}
	return s.resolve()
}

func (s *Store) start(ctx context.Context) error {
	if s.opt.ReadOnly {
		return s.startReading(ctx)
	}
	conn, err := s.connectWriter(ctx)
	if err != nil {
		return err
	}
	s.conf.Create = false // the connections after the first are to this file, and make no other should it be moved away
	// A vault that is complete is opened without the write lock, which another process may be
	// holding.
	if s.table, err = inspect(conn, s.opt.Table); err == nil && (s.table == nil || !s.table.tracked) {
		s.table, err = establish(conn, s.opt.Table)
	}
	if err != nil {
		conn.Close()
		return err
	}
	err = s.noteJournal(conn)
	if err == nil {
		err = conn.Whole()
	}
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	s.writer = newWriter(s, conn)
	if err := s.writer.startSweeping(ctx); err != nil {
		return errors.Join(err, s.writer.close())
	}
	return nil
}

func (s *Store) startReading(ctx context.Context) error {
	_, noLog := os.Stat(s.conf.Path + "-wal")
	s.noLog = errors.Is(noLog, fs.ErrNotExist)
	err := s.attempt(ctx, func() error { return s.startReadingOnce(ctx) })
	switch driver.KindOf(err) {
	case driver.CannotOpen, driver.ReadOnly, driver.Full: // as when no log can be made
		s.removeBegunLog(ctx)
		s.conf.Immutable, s.logless = true, &logless{path: s.conf.Path, timeout: s.opt.BusyTimeout}
		err = s.attempt(ctx, func() error { return s.startReadingOnce(ctx) })
		if err != nil {
			err = errors.Join(err, s.logless.close())
		}
	}
	return err
}

func (s *Store) startReadingOnce(ctx context.Context) error {
	conn, err := s.getConn(ctx, s.reads)
	if err != nil {
		return err
	}
	if err = s.findTable(conn); err == nil {
		err = conn.Rollback()
	}
	if err = s.verified(conn, err); err != nil || s.logless != nil {
		s.reads.put(conn)
		return err
	}
	conn.SetContext(context.Background())
	s.anchor = conn
	return nil
}

// findTable reads what a store for reading must know of the file.
func (s *Store) findTable(conn *driver.Conn) (err error) {
	if err := s.noteJournal(conn); err != nil {
		return err
	}
	if s.table, err = inspect(conn, s.opt.Table); err != nil {
		return err
	}
	if s.table == nil {
		name := s.opt.Table
		if name == "" {
			name = DefaultTable
		}
		return fmt.Errorf("%s has no table %q: %w", s.path, name, engine.ErrNoVault)
	}
	return nil
}

// noteJournal finds out whether the file has a write-ahead log indeed: one that is opened for
// reading may not, and there are file systems on which it cannot be had.
func (s *Store) noteJournal(conn *driver.Conn) error {
	if s.conf.Memory || s.conf.Immutable {
		return nil
	}
	mode, err := texts(conn, `PRAGMA journal_mode`)
	if err == nil {
		s.opt.DisableWAL = len(mode) != 1 || mode[0] != "wal"
	}
	if s.opt.DisableWAL { // a file beside it may look like the log's shared memory
		s.reads.hold = false
	}
	return err
}

// connect opens a connection that reads.
func (s *Store) connect(ctx context.Context, mmap int64, cacheKB int) (*driver.Conn, error) {
	conf := s.conf
	if s.logless != nil { // the file may be cut off
		mmap = 0
	}
	mmap = s.mappable(mmap)
	conf.Mapped, conf.MaxMemory = mmap > 0, readerMemory(mmap, cacheKB)
	return openSparing(ctx, conf, func(conn *driver.Conn) error {
		// The first look at the file may play a journal back, which is to be durable before the
		// journal is removed.
		return conn.Exec(fmt.Sprintf(`PRAGMA fullfsync=1; PRAGMA mmap_size=%d; PRAGMA cache_size=-%d; PRAGMA temp_store=MEMORY; PRAGMA query_only=1;
			SELECT 1 FROM sqlite_schema LIMIT 1`, mmap, max(cacheKB, 1)))
	})
}

// connectWriter opens the connection that writes. The first makes the file if need be.
func (s *Store) connectWriter(ctx context.Context) (*driver.Conn, error) {
	return s.connectWritable(ctx, writerMemory(s.opt.CacheKB))
}

// connectCopier opens a connection that copies the log into the file, and needs memory for a page.
func (s *Store) connectCopier(ctx context.Context) (*driver.Conn, error) {
	return s.connectWritable(ctx, readerMemory(0, 0))
}

func (s *Store) connectWritable(ctx context.Context, memory int64) (*driver.Conn, error) {
	conf := s.conf
	conf.MaxMemory, conf.Watch = cmp.Or(conf.MaxMemory, memory), true
	return openSparing(ctx, conf, s.configureWriter)
}

func (s *Store) configureWriter(conn *driver.Conn) error {
	// Without these a sync does not reach the disk on macOS. They precede the first write.
	if err := conn.Exec(`PRAGMA fullfsync=1; PRAGMA checkpoint_fullfsync=1`); err != nil {
		return err
	}
	if err := s.setPageSize(conn); err != nil {
		return err
	}
	if err := s.setLogAside(conn); err != nil {
		return err
	}
	journal := "WAL"
	switch {
	case s.conf.Memory:
		journal = "MEMORY"
	case s.opt.DisableWAL:
		journal = "DELETE"
	}
	mode, err := texts(conn, `PRAGMA journal_mode=`+journal) // answers what it is now: not every file system can have a log
	if err != nil {
		return err
	}
	if err := conn.Exec(fmt.Sprintf(`PRAGMA synchronous=%s; PRAGMA mmap_size=0; PRAGMA cache_size=-%d; PRAGMA temp_store=MEMORY;
		PRAGMA foreign_keys=ON; PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=%d`,
		synchronous(slices.Equal(mode, []string{"wal"}), s.opt.Full), max(s.opt.CacheKB, 1), 2*checkpointBytes)); err != nil {
		return err
	}
	return lookAtFile(conn)
}

// setPageSize chooses what counts only for a file that has no page yet, and must precede the
// journal mode.
func (s *Store) setPageSize(conn *driver.Conn) error {
	if pages, err := pragma(conn, "page_count"); err != nil || pages > 0 {
		return err
	}
	return conn.Exec(fmt.Sprintf(`PRAGMA page_size=%d; PRAGMA auto_vacuum=INCREMENTAL`, s.opt.PageSize))
}

// synchronous is the setting with which a power cut leaves the file sound, and lasting commits in
// it. With a rollback journal only EXTRA does: whatever does not sync the journal's removal lets a
// truncation that comes after it reach the disk first.
func synchronous(wal, lasting bool) string {
	switch {
	case !wal:
		return "EXTRA"
	case lasting:
		return "FULL"
	}
	return "NORMAL"
}

// Limits and defaults of Options.
const (
	DefaultPageSize    = 8192
	DefaultCacheKB     = 100000
	DefaultBusyTimeout = 5 * time.Second
	DefaultOneRowLimit = 64 << 20
	// MaxKey is the longest key in bytes.
	MaxKey = engine.MaxKey
)

// Options configure Open. The zero value is the default of each.
type Options struct {
	// Table is the key-value table; empty means kvault, or kv where a file of the Python package
	// has only that.
	Table string
	// PageSize is the page size in bytes of a file that is created: a power of two from 512 to
	// 65536.
	PageSize int
	// MmapSize is how many bytes of the file are memory-mapped for reading, at most what the file
	// holds when a connection opens, and 64 MiB on systems of 32 bits. Default 0: none. Do not map
	// a file that anything may cut off while it is open, such as Shrink, Optimize or another
	// program's VACUUM: reading behind its end would end the process.
	MmapSize int64
	// CacheKB bounds the writer's page cache in KiB. Each reader gets at most an eighth of it, and
	// so do the pages that all readers share.
	CacheKB int
	// BusyTimeout is how long one call waits for another process's lock; negative does not wait.
	BusyTimeout time.Duration
	// OneRowLimit is the largest value in bytes that is kept as one row, and so readable by other
	// programs, at most engine.MaxOneRow; negative means that.
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
	// DisableWAL uses a rollback journal instead of the write-ahead log. Readers and writers then
	// wait for each other: a read-only transaction keeps every writer from committing while it is
	// open, and a blob of a large value reads from a temporary copy. Every commit is synced as with
	// Full, since less would not keep the file sound in a power cut.
	DisableWAL bool
	// Full syncs at every commit, so that an acknowledged write survives a power cut.
	Full bool
	// DisableVerification has reads return what the file holds, without comparing it with the
	// checksums of values.
	DisableVerification bool
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
	if c.OneRowLimit < 0 {
		c.OneRowLimit = engine.MaxOneRow
	}
	switch {
	case c.PageSize < 512 || c.PageSize > 65536 || c.PageSize&(c.PageSize-1) != 0:
		return c, fmt.Errorf("PageSize %d: want a power of two from 512 to 65536: %w", c.PageSize, engine.ErrInvalid)
	case c.CacheKB < 0:
		return c, fmt.Errorf("CacheKB %d is negative: %w", c.CacheKB, engine.ErrInvalid)
	case c.MmapSize < 0:
		return c, fmt.Errorf("MmapSize %d is negative: %w", c.MmapSize, engine.ErrInvalid)
	case c.OneRowLimit > engine.MaxOneRow:
		return c, fmt.Errorf("OneRowLimit %d: want 1 to %d bytes: %w", c.OneRowLimit, engine.MaxOneRow, engine.ErrInvalid)
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
