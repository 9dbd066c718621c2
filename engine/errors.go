package engine

import (
	"errors"
	"fmt"
	"io/fs"
)

// The errors of a store, to be matched with errors.Is. Those with a counterpart in io/fs match that
// too.
var (
	ErrNotFound    error = &sentinel{"key not found", fs.ErrNotExist}
	ErrExists      error = &sentinel{"key exists already", fs.ErrExist}
	ErrClosed      error = &sentinel{"vault is closed", fs.ErrClosed}
	ErrReadOnly    error = &sentinel{"vault is read-only", fs.ErrPermission}
	ErrInvalid     error = &sentinel{"invalid argument", fs.ErrInvalid}
	ErrUnsupported error = &sentinel{"not supported by this engine", errors.ErrUnsupported}
	// ErrTagMismatch: the version tag of the key is not the one in the condition.
	ErrTagMismatch = errors.New("version tag does not match")
	// ErrBusy: another process held the lock for longer than the busy timeout. The same call may
	// succeed later.
	ErrBusy = errors.New("database is busy")
	// ErrCorrupt: the store is damaged.
	ErrCorrupt = errors.New("vault is corrupt")
	// ErrTooLarge: a key or value is larger than the store, or memory, can hold.
	ErrTooLarge = errors.New("too large")
	// ErrNoVault: there is no file to open, or it is no vault.
	ErrNoVault error = &sentinel{"no vault there", fs.ErrNotExist}
	// ErrMoved: the store's file was renamed, removed or replaced while it was open.
	ErrMoved = errors.New("vault was moved while it was open")
	// ErrSwept: another process took the writer of a stage for dead, and removed the stage. The
	// value can be written again, from its start.
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

// OpError names the op of a batch that failed.
type OpError struct {
	Index int
	Key   string
	Err   error
}

func (e *OpError) Error() string { return fmt.Sprintf("op %d on %q: %v", e.Index, e.Key, e.Err) }

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// IOError is a failure of the source or target of a stream, or of the disk. A full disk, a used-up
// quota and a limit on the length of files match syscall.ENOSPC.
type IOError struct {
	// Op is the operation that failed, such as "read source".
	Op  string
	Err error
}

func (e *IOError) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *IOError) Unwrap() error { return e.Err }

// LayoutError says that something in the file has a layout that the store does not know. It matches
// ErrUnsupported.
type LayoutError struct {
	// Name is its name, and Layout names the program or version whose layout it has.
	Name, Layout string
	// Way says what the user can do about it.
	Way string
}

func (e *LayoutError) Error() string {
	return fmt.Sprintf("%q has the layout of %s, which is not known here: %s", e.Name, e.Layout, e.Way)
}

// Unwrap returns ErrUnsupported.
func (e *LayoutError) Unwrap() error { return ErrUnsupported }
