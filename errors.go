package kvault

import (
	"fmt"
	"strconv"

	"github.com/kohakuvault/kvault/engine"
)

// The errors of a vault, to be matched with errors.Is. Some match an error of io/fs as well, which is named here.
var (
	// ErrNotFound: there is no such key (fs.ErrNotExist).
	ErrNotFound = engine.ErrNotFound
	// ErrExists: the key exists already, and the call was to leave it alone (fs.ErrExist).
	ErrExists = engine.ErrExists
	// ErrTagMismatch: the key holds another version than the call named.
	ErrTagMismatch = engine.ErrTagMismatch
	// ErrBusy: another process held the lock for too long, or LockCache forbids the flush that the call needs. Nothing
	// was changed, and the same call may succeed later.
	ErrBusy = engine.ErrBusy
	// ErrInvalid: an argument that cannot work (fs.ErrInvalid).
	ErrInvalid = engine.ErrInvalid
	// ErrClosed: the vault, reader or writer is closed (fs.ErrClosed).
	ErrClosed = engine.ErrClosed
	// ErrReadOnly: the vault or the transaction is for reading only (fs.ErrPermission).
	ErrReadOnly = engine.ErrReadOnly
	// ErrCorrupt: what is stored is damaged.
	ErrCorrupt = engine.ErrCorrupt
	// ErrTooLarge: a key is longer than MaxKey, or a value larger than the engine, or memory, can
	// hold.
	ErrTooLarge = engine.ErrTooLarge
	// ErrNoVault: there is nothing to open, or it is no vault (fs.ErrNotExist).
	ErrNoVault = engine.ErrNoVault
	// ErrMoved: the vault's file, its -wal or its -shm was renamed, removed or replaced while the
	// vault was open. The vault writes nothing until the file is back in its place: cached entries
	// stay in the cache, and Close fails. If another file has taken the name, open that one anew.
	// Reads go on in the file that was opened, as long as they need no further connection to it.
	ErrMoved = engine.ErrMoved
	// ErrUnsupported: the engine cannot do this (errors.ErrUnsupported).
	ErrUnsupported = engine.ErrUnsupported
	// ErrSwept: another process took this one for dead, as after a long suspension of a machine
	// that shares the file with others, and removed what a Writer or PutReader had written of a
	// value. What the key held is still there; write the value again, from its start.
	ErrSwept = engine.ErrSwept
	// ErrTxDone: the transaction has ended.
	ErrTxDone = engine.ErrTxDone
)

// Error is what every method of a Vault and a Tx returns when it fails. Match its cause with errors.Is and errors.As.
type Error struct {
	// Op is the call: "put", "list".
	Op string
	// Key is the key concerned, or empty.
	Key string
	// Err is the cause.
	Err error
}

// maxQuoted is how much of a long key a message shows, in bytes.
const maxQuoted = 120

func (e *Error) Error() string {
	if e.Key == "" {
		return e.Op + ": " + e.Err.Error()
	}
	return e.Op + " " + quoteKey(e.Key) + ": " + e.Err.Error()
}

// quoteKey quotes a key for a message, and cuts a long one off.
func quoteKey(key string) string {
	if len(key) > maxQuoted {
		return strconv.Quote(key[:maxQuoted]) + "… (" + strconv.Itoa(len(key)) + " bytes)"
	}
	return strconv.Quote(key)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// IOError is a failure of the source or target of a stream, or of the disk under the vault. If that is full, it matches syscall.ENOSPC;
// nothing was changed then, and the vault goes on when there is room again.
type IOError = engine.IOError

// LayoutError says that something in the file, such as a column, is kept in a layout of another program that is not known here, and what can
// be done about it. It matches ErrUnsupported.
type LayoutError = engine.LayoutError

// fail makes err an *Error, unless it is one already.
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

// worded is an error of a known kind with a text of its own.
type worded struct {
	text string
	kind error
}

func (w *worded) Error() string { return w.text }
func (w *worded) Unwrap() error { return w.kind }

func invalid(format string, args ...any) error {
	return &worded{fmt.Sprintf(format, args...), ErrInvalid}
}

// MaxKey is the longest key in bytes. A longer one cannot be stored (ErrTooLarge), and is not
// found.
const MaxKey = engine.MaxKey

func checkKey(key string) error {
	if key == "" {
		return invalid("key is empty")
	}
	return nil
}

// checkNewKey is checkKey for a key that is to be stored.
func checkNewKey(key string) error {
	if len(key) > MaxKey {
		return &worded{fmt.Sprintf("key has %d bytes, at most %d are possible", len(key), MaxKey), ErrTooLarge}
	}
	return checkKey(key)
}
