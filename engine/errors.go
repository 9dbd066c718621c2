package engine

import (
	"errors"
	"fmt"
	"io/fs"
)

// The errors that a store returns, matched with errors.Is. Those with a counterpart in io/fs match that too.
var (
	ErrNotFound    error = &sentinel{"key not found", fs.ErrNotExist}
	ErrExists      error = &sentinel{"key exists already", fs.ErrExist}
	ErrClosed      error = &sentinel{"vault is closed", fs.ErrClosed}
	ErrReadOnly    error = &sentinel{"vault is read-only", fs.ErrPermission}
	ErrInvalid     error = &sentinel{"invalid argument", fs.ErrInvalid}
	ErrUnsupported error = &sentinel{"not supported by this engine", errors.ErrUnsupported}
	// ErrTagMismatch: the key's version tag is not the one the condition named.
	ErrTagMismatch = errors.New("version tag does not match")
	// ErrBusy: another process held the lock for longer than the busy timeout; the same call may succeed later.
	ErrBusy = errors.New("database is busy")
	// ErrCorrupt: what is stored is damaged.
	ErrCorrupt = errors.New("vault is corrupt")
	// ErrTooLarge: a key or value is larger than the store can hold, or than memory can.
	ErrTooLarge = errors.New("too large")
	// ErrNoVault: what was opened is no vault, or there is nothing to open.
	ErrNoVault error = &sentinel{"no vault there", fs.ErrNotExist}
	// ErrMoved: the store's file was renamed, removed or replaced while it was open.
	ErrMoved = errors.New("vault was moved while it was open")
	// ErrSwept: another process took the writer of a stage for dead, and removed what was staged.
	// The value can be written again, from its start.
	ErrSwept = errors.New("what was written of the value was removed by another process")
	// ErrTxDone: the transaction has ended.
	ErrTxDone = errors.New("transaction has ended")
)

type sentinel struct {
	msg  string
	also error
}

func (s *sentinel) Error() string        { return s.msg }
func (s *sentinel) Is(target error) bool { return target == s.also }

// OpError says which op of a batch failed.
type OpError struct {
	Index int
	Key   string
	Err   error
}

func (e *OpError) Error() string { return fmt.Sprintf("op %d on %q: %v", e.Index, e.Key, e.Err) }

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// IOError is a failure outside the store's own logic: the source or target of a stream, or the disk. A disk that is full, a quota that
// is used up and a limit on the length of files match syscall.ENOSPC.
type IOError struct {
	// Op is what was being done, such as "read source".
	Op  string
	Err error
}

func (e *IOError) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *IOError) Unwrap() error { return e.Err }

// LayoutError says that something is in the file, in a layout that is not known here. It matches ErrUnsupported.
type LayoutError struct {
	// Name is what it is called, and Layout whose layout it has.
	Name, Layout string
	// Way is what can be done about it.
	Way string
}

func (e *LayoutError) Error() string {
	return fmt.Sprintf("%q has the layout of %s, which is not known here: %s", e.Name, e.Layout, e.Way)
}

// Unwrap returns ErrUnsupported.
func (e *LayoutError) Unwrap() error { return ErrUnsupported }
