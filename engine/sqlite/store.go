// Package sqlite keeps a vault in one SQLite 3 file.
//
// One connection writes, and concurrent calls of [Store.Apply] share its commits. Any number of
// connections read beside it. A value up to the one-row limit is one row of the key-value table; a
// larger one is chunk rows, written in short transactions and published by one small commit.
// docs/format.md describes the tables.
//
// Its conformance is tested by package engine/enginetest. SQLite itself is reached through one
// internal package, driver.
package sqlite

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// Store is a vault file. It implements engine.Transactor, engine.Uploader, engine.Backuper,
// engine.Optimizer, engine.Checker, engine.Statser and engine.Layouter, and is safe for concurrent
// use.
type Store struct {
	path string
	opt  Options
	conf driver.Config

	// reads are connections for values and listings, with the file mapped if that was asked for;
	// streams never have a map, so that passing through a large value does not leave the whole of
	// it resident.
	reads, streams *pool
	writer         *writer // nil if read-only
	// anchor is an idle connection of a read-only store: as long as there is one, nobody makes the
	// shared memory of the log anew, whose marks would begin again with those that were.
	anchor *driver.Conn
	// noLog says that the file had no log when it was opened for reading.
	noLog bool

	mu    sync.Mutex
	table *table
	// open are the blobs and transactions that Close has to end.
	open map[closer]struct{}

	arrays atomic.Pointer[knownArrays]
	// logless is set if the file is read without a log.
	logless *logless
	fast    *fastReads // nil if they are off

	// spools counts the values that are coming in and are still outside the file.
	spools atomic.Int64

	// closing is closed when Close begins; calls counts those that are under way.
	closing chan struct{}
	calls   sync.WaitGroup
}

// closer is something of the store that holds a connection.
type closer interface{ shut() }

var (
	_ engine.Transactor    = (*Store)(nil)
	_ engine.ValueAppender = (*Store)(nil)
	_ engine.ValueAppender = (*tx)(nil)
	_ engine.KeyLister     = (*Store)(nil)
	_ engine.KeyLister     = (*tx)(nil)
	_ engine.Tagger        = (*Store)(nil)
	_ engine.Tagger        = (*tx)(nil)
	_ engine.Backuper      = (*Store)(nil)
	_ engine.Optimizer     = (*Store)(nil)
	_ engine.Checker       = (*Store)(nil)
	_ engine.Statser       = (*Store)(nil)
	_ engine.Layouter      = (*Store)(nil)
	_ engine.Uploader      = (*Store)(nil)
)

// enter begins a call; leave ends it.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosing() {
		return engine.ErrClosed
	}
	s.calls.Add(1)
	return nil
}

func (s *Store) leave() { s.calls.Done() }

func (s *Store) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

func (s *Store) register(c closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open != nil {
		s.open[c] = struct{}{}
	}
}

func (s *Store) unregister(c closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// currentTable is the key-value table as it was last seen.
func (s *Store) currentTable() *table {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table
}

func (s *Store) setTable(t *table) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table = t
}

// shutAll ends what the calls before left open: transactions first, since one of them may hold the
// writer's turn.
func (s *Store) shutAll() {
	s.mu.Lock()
	open := s.open
	s.open = nil
	s.mu.Unlock()
	for c := range open {
		if x, ok := c.(*tx); ok {
			x.shut()
			delete(open, c)
		}
	}
	for c := range open {
		c.shut()
	}
}

// removeLog has SQLite remove the log, and its shared memory, that a store for reading had to make.
// SQLite does so when the last connection of all processes closes, if that may write: here one that
// does nothing else. A log with something in it is left to writers.
func (s *Store) removeLog() {
	if !s.noLog || s.conf.Immutable {
		return
	}
	if info, err := os.Stat(s.conf.Path + "-wal"); err != nil || info.Size() > 0 {
		return
	}
	conf := s.conf
	conf.ReadOnly, conf.BusyTimeout, conf.MaxMemory = false, 0, readerMemory(0, 0)
	conn, err := openSparing(context.Background(), conf, lookAtFile)
	if err != nil {
		return // the file cannot be written: the log stays
	}
	_ = conn.Close()
}

// removeBegunLog removes the empty log and the shared memory that SQLite made before it failed, as
// it does on a full disk. No other process uses them while the database can be locked for one
// alone.
func (s *Store) removeBegunLog(ctx context.Context) {
	if !s.noLog {
		return
	}
	lock, err := driver.LockExclusive(ctx, driver.Config{Path: s.conf.Path})
	if err != nil {
		return // others use the log, or the process may not write the file and made nothing
	}
	defer lock.Close()
	if info, err := os.Stat(s.conf.Path + "-wal"); err == nil && info.Size() == 0 {
		_ = errors.Join(os.Remove(s.conf.Path+"-wal"), os.Remove(s.conf.Path+"-shm"))
	}
}

// Close waits for running calls, ends what is still open, checkpoints the write-ahead log and
// releases the file.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.isClosing() {
		s.mu.Unlock()
		return nil
	}
	close(s.closing)
	s.mu.Unlock()
	s.calls.Wait()
	if s.writer != nil {
		s.writer.stopSweeping()
	}
	s.shutAll()
	err := errors.Join(s.reads.close(), s.streams.close())
	if s.anchor != nil {
		err = errors.Join(err, s.anchor.Close())
	}
	s.removeLog()
	if s.writer != nil {
		err = errors.Join(err, s.writer.close())
	}
	if s.logless != nil {
		err = errors.Join(err, s.logless.close())
	}
	if s.conf.Memory {
		driver.DropMemory(s.conf.Path)
	}
	return s.explain(context.Background(), err)
}
