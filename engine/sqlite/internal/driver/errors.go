package driver

import (
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
)

// Kind sorts SQLite's result codes by what a caller can do about them.
type Kind uint8

// The kinds of error.
const (
	Other Kind = iota
	Busy
	Full
	IO
	Corrupt
	NotADatabase
	ReadOnly
	CannotOpen
	TooBig
	OutOfMemory
	Interrupted
	Constraint
	Aborted
	// BadSchema is a statement that cannot be compiled, or a cell that cannot be opened: the file
	// lacks a table, a column or a row, or has something else in its place.
	BadSchema
	// HotJournal is what a connection for reading meets where a program was killed in a
	// transaction: the file holds a part of it until a connection that writes plays the journal
	// back.
	HotJournal
	// BadPath is a path that SQLite cannot use.
	BadPath
	// Moved is a database whose files lost their names, or names of theirs to other files, while it
	// was open.
	Moved
	// Linked is a database that was given a second name while it was open.
	Linked
	// Overwritten is a database that another program wrote to past SQLite while it was open.
	Overwritten
)

// Error is a failure of SQLite.
type Error struct {
	Kind Kind
	err  error
}

func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the driver's own error.
func (e *Error) Unwrap() error { return e.err }

// KindOf returns the kind of the first Error in err's chain.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Other
}

var kinds = map[sqlite3.ErrorCode]Kind{
	sqlite3.BUSY:       Busy,
	sqlite3.LOCKED:     Busy,
	sqlite3.PROTOCOL:   Busy, // the locking protocol's races, after its own retries
	sqlite3.FULL:       Full,
	sqlite3.IOERR:      IO,
	sqlite3.CORRUPT:    Corrupt,
	sqlite3.NOTADB:     NotADatabase,
	sqlite3.READONLY:   ReadOnly,
	sqlite3.PERM:       ReadOnly,
	sqlite3.CANTOPEN:   CannotOpen,
	sqlite3.TOOBIG:     TooBig,
	sqlite3.NOMEM:      OutOfMemory,
	sqlite3.INTERRUPT:  Interrupted,
	sqlite3.CONSTRAINT: Constraint,
	sqlite3.ABORT:      Aborted,
}

var faults = map[walvfs.Fault]Kind{
	walvfs.BadPath:     BadPath,
	walvfs.Moved:       Moved,
	walvfs.Linked:      Linked,
	walvfs.Overwritten: Overwritten,
	walvfs.IO:          IO,
}

// wrapCompiled is wrap for what is wrong only if the file is not as it should be.
func wrapCompiled(err error) error {
	err = wrap(err)
	var e *Error
	if errors.As(err, &e) && e.Kind == Other {
		e.Kind = BadSchema
	}
	return err
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	if errors.Is(err, sqlite3.IOERR_SHMSIZE) { // the log's shared memory cannot become longer; the cause is lost
		return &Error{Kind: Full, err: err}
	}
	if errors.Is(err, sqlite3.READONLY_ROLLBACK) {
		return &Error{Kind: HotJournal, err: err}
	}
	if errors.Is(err, sqlite3.READONLY_DBMOVED) { // SQLite looks before it makes a journal
		return &Error{Kind: Moved, err: fmt.Errorf("its file was renamed, removed or replaced (%w)", err)}
	}
	if fault, ok := errors.AsType[*walvfs.Error](err); ok {
		return &Error{Kind: faults[fault.Fault], err: err}
	}
	var code sqlite3.ErrorCode
	if errors.As(err, &code) {
		return &Error{Kind: kinds[code], err: err}
	}
	return &Error{Kind: Other, err: err}
}
