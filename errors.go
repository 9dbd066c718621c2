package kvault

import (
	"fmt"
	"strconv"

	"github.com/kohakuvault/kvault/engine"
)

// The errors of a vault, to be matched with errors.Is. Some also match the error of io/fs that is
// named in brackets.
var (
	// ErrNotFound: there is no such key (fs.ErrNotExist).
	ErrNotFound = engine.ErrNotFound
	// ErrExists: the key exists already, and the call was told not to replace it (fs.ErrExist).
	ErrExists = engine.ErrExists
	// ErrTagMismatch: the version of the key is not the one that the call named.
	ErrTagMismatch = engine.ErrTagMismatch
	// ErrBusy: another process held the lock for too long, or LockCache forbids the flush that the
	// call needs. Nothing has changed, and the same call may succeed later.
	ErrBusy = engine.ErrBusy
	// ErrInvalid: an argument makes no sense (fs.ErrInvalid).
	ErrInvalid = engine.ErrInvalid
	// ErrClosed: the vault, reader or writer is closed (fs.ErrClosed).
	ErrClosed = engine.ErrClosed
	// ErrReadOnly: the vault or the transaction is for reading only (fs.ErrPermission).
	ErrReadOnly = engine.ErrReadOnly
	// ErrCorrupt: the vault is damaged, or a value does not match the checksum it was stored with.
	ErrCorrupt = engine.ErrCorrupt
	// ErrTooLarge: a key is longer than MaxKey, or a value larger than the engine, or memory, can
	// hold.
	ErrTooLarge = engine.ErrTooLarge
	// ErrNoVault: there is no file to open, or it is no vault (fs.ErrNotExist).
	ErrNoVault = engine.ErrNoVault
	// ErrMoved: the vault's file, its -wal or its -shm was renamed, removed or replaced while the
	// vault was open. The vault writes nothing until the file is back in its place: cached entries
	// stay in the cache, and Close fails. If another file has taken the name, open that one. Reads
	// go on in the file that was opened, as long as they need no further connection to it.
	ErrMoved = engine.ErrMoved
	// ErrUnsupported: the engine cannot do this (errors.ErrUnsupported).
	ErrUnsupported = engine.ErrUnsupported
	// ErrSwept: another process took this one for dead, and removed what a Writer or PutReader had
	// written of a value. That may happen after a long suspension of a machine that shares the file
	// with others. The key still has its earlier value; write the new one again, from its start.
	ErrSwept = engine.ErrSwept
	// ErrNoUpload: the upload was published or aborted, has expired, or never existed
	// (fs.ErrNotExist). Start a new one.
	ErrNoUpload = engine.ErrNoUpload
	// ErrConflict: on an engine that makes one change at a time (see New), other writers changed the
	// same again and again meanwhile, and nothing took effect. The same call may succeed later.
	ErrConflict = engine.ErrConflict
	// ErrUnknown: an engine beyond a network did not answer, or so late, that nobody knows whether the
	// change took effect. Look whether it did before you make it again.
	ErrUnknown = engine.ErrUnknown
	// ErrTxDone: the transaction has ended.
	ErrTxDone = engine.ErrTxDone
)

// Error is the error of every method of a Vault and a Tx. Match its cause with errors.Is and
// errors.As.
type Error struct {
	// Op is the call: "put", "list".
	Op string
	// Key is the key concerned, or empty.
	Key string
	// Err is the cause.
	Err error
}

// maxQuoted is the most bytes of a key that a message shows.
const maxQuoted = 120

func (e *Error) Error() string {
	if e.Key == "" {
		return e.Op + ": " + e.Err.Error()
	}
	return e.Op + " " + quoteKey(e.Key) + ": " + e.Err.Error()
}

// quoteKey quotes a key for a message, and truncates a long one.
func quoteKey(key string) string {
	if len(key) > maxQuoted {
		return strconv.Quote(key[:maxQuoted]) + "… (" + strconv.Itoa(len(key)) + " bytes)"
	}
	return strconv.Quote(key)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// IOError is a failure of the source or target of a stream, or of the vault's disk. If the disk is
// full it matches syscall.ENOSPC: nothing has changed, and the vault works again once there is
// room. Its fields are those of [engine.IOError].
type IOError = engine.IOError

// fail returns err as an *Error of the call op.
func fail(op, key string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := err.(*Error); ok {
		return err
	}
	if oe, ok := err.(*engine.OpError); ok {
		if key == "" {
			key = oe.Key
		}
		err = oe.Err
	}
	return &Error{Op: op, Key: key, Err: err}
}

// worded is an error that matches kind and has a text of its own.
type worded struct {
	text string
	kind error
}

func (w *worded) Error() string { return w.text }
func (w *worded) Unwrap() error { return w.kind }

func invalid(format string, args ...any) error {
	return &worded{fmt.Sprintf(format, args...), ErrInvalid}
}

// MaxKey is the length of the longest key in bytes. A longer one cannot be stored (ErrTooLarge).
const MaxKey = engine.MaxKey

func checkKey(key string) error {
	if key == "" {
		return invalid("key is empty")
	}
	return nil
}

// checkNewKey is checkKey for a key that the caller stores.
func checkNewKey(key string) error {
	if len(key) > MaxKey {
		return &worded{fmt.Sprintf("key has %d bytes, at most %d are possible", len(key), MaxKey), ErrTooLarge}
	}
	return checkKey(key)
}
