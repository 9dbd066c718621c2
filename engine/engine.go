// Package engine defines what a vault asks of the store beneath it.
//
// A [Store] keeps keys with values and their [Meta] in one ordered space, and changes them only through [Store.Apply],
// which takes effect whole or not at all. Large values are written ahead of time into a [Stage], which nobody can
// see, and become visible when an [Op] that names the stage is applied.
//
// What not every store can do is an optional interface that a store implements or does not: [Transactor], [ValueAppender], [KeyLister],
// [Backuper], [Optimizer], [Checker], [Statser], [Layouter]. A caller asks with a type assertion, so no store has to pretend.
//
// Package engine/enginetest holds the tests that every implementation passes.
package engine

import (
	"context"
	"io"
	"time"
)

// Reader is the reading half of a store, and of a transaction on it.
//
// A missing key is ErrNotFound; any other error means that the answer is not known.
type Reader interface {
	// Get returns a copy of the whole value of key, never nil when the error is nil.
	Get(ctx context.Context, key string) ([]byte, error)
	// Stat returns what is known about key without reading its value.
	Stat(ctx context.Context, key string) (Entry, error)
	// Open returns the value of key as it is now, for reading in parts. The caller closes it.
	Open(ctx context.Context, key string) (Blob, error)
	// List returns the first items of a query. See Query and Page.
	List(ctx context.Context, q Query) (Page, error)
	// Count returns how many keys lie in r.
	Count(ctx context.Context, r Range) (int64, error)
}

// Store is one ordered space of keys. All methods are safe for concurrent use.
//
// After Close every method returns ErrClosed; Close itself may be called again and then returns nil.
type Store interface {
	Reader
	// Apply performs all ops in order in one atomic step and returns one result for each. If any of them fails, none took
	// effect and the error is an *OpError. It returns once the change is as durable as the store promises. The store
	// does not keep op.Value, and does not change it.
	Apply(ctx context.Context, ops []Op) ([]Result, error)
	// Stage starts an invisible value. The caller ends it by applying an Op that names it, or by Abort.
	Stage(ctx context.Context, o StageOptions) (Stage, error)
	// Close releases the store. Blobs that are still open fail with ErrClosed from then on.
	io.Closer
}

// Entry is what a store knows of a key besides the value itself.
type Entry struct {
	Key  string
	Size int64 // of the value in bytes
	Meta Meta
}

// Range is the keys k with Start <= k and k < End, bytewise. An empty End means no upper bound.
type Range struct {
	Start, End string
}

// Query says which items List returns: those of the range in ascending order, or descending if Reverse.
type Query struct {
	Range
	Reverse bool
	// Limit is the most items of one page; at least 1.
	Limit int
	// Values asks for the values too. A page then ends early, after at least one item, before the values it holds
	// exceed MaxBytes (if MaxBytes is above 0).
	Values   bool
	MaxBytes int64
}

// Page is the start of a query's answer, read in one snapshot.
type Page struct {
	Items []Item
	// More reports that the query may have further items: to go on, narrow the range past the last item.
	More bool
}

// Item is an entry with, if the query asked for values, its value (never nil then).
type Item struct {
	Entry
	Value []byte
}

// Blob is one version of one value, whatever is written after it was opened. It is safe for concurrent use.
type Blob interface {
	// Entry describes the version that the blob reads.
	Entry() Entry
	// ReadAt fills p from offset off, as io.ReaderAt does: a short count comes with an error, which is io.EOF at the end.
	ReadAt(ctx context.Context, p []byte, off int64) (int, error)
	// Close releases the blob. Closing twice is no error.
	Close() error
}

// StageOptions size a stage.
type StageOptions struct {
	// ChunkSize is the length in bytes of every chunk but the last; at least 1.
	ChunkSize int
	// Size is the total if known, else -1. It is a hint.
	Size int64
}

// Stage takes a value chunk by chunk. It is for one goroutine at a time.
type Stage interface {
	// WriteChunk adds one chunk. Every chunk but the last has exactly ChunkSize bytes; after a shorter one the stage is
	// full. On an error nothing was added, and the same chunk may be offered again.
	WriteChunk(ctx context.Context, p []byte) error
	// Size is the number of bytes added so far, and Sum their CRC-32 (Castagnoli).
	Size() int64
	Sum() uint32
	// Abort discards the stage, unless it was applied. It may be called more than once.
	Abort() error
}

// OpKind is what an Op does.
type OpKind uint8

const (
	// Put stores Value, or the staged value, under Key.
	Put OpKind = iota + 1
	// Delete removes Key. A missing key is no error: Result.Found tells.
	Delete
	// DeleteRange removes every key in Range. Result.Removed counts them.
	DeleteRange
	// Rename moves the value and metadata of Key to To, replacing what To held; the tag is kept. A missing Key is
	// ErrNotFound. If applies to Key, ToAbsent to To. Key and To may be equal: nothing changes.
	Rename
)

// Op is one change. Which fields count depends on Kind.
type Op struct {
	Kind  OpKind
	Key   string
	To    string // Rename
	Range Range  // DeleteRange

	// Put: exactly one of Value and Staged counts; Staged if it is not nil. A nil Value is an empty value. A store fills
	// Sum from the value if HasSum is false.
	Value  []byte
	Staged Stage
	Meta   Meta

	// Take asks Delete to return the value it removed in Result.Value.
	Take bool

	If       Condition
	ToAbsent bool // Rename: fail with ErrExists if To exists
}

// Condition must hold for an Op's key or the batch fails. The zero Condition always holds.
type Condition struct {
	// Absent: the key must not exist, else ErrExists.
	Absent bool
	// Tag, if not empty: the key must exist with this tag, else ErrNotFound or ErrTagMismatch.
	Tag string
}

// Result is what one Op did.
type Result struct {
	// Found: the key existed before (Put, Delete, Rename's To).
	Found bool
	// Entry describes what is stored now (Put, Rename) or what was removed (Delete with Take).
	Entry Entry
	// Value is what Delete removed, if Op.Take.
	Value []byte
	// Removed counts the keys that DeleteRange removed.
	Removed int64
}

// Transactor is a store with transactions.
type Transactor interface {
	Store
	// Begin starts a transaction. A read-only one is a snapshot as of now; it does not block writers and they do
	// not block it. A writable one is the only one at a time: Begin waits for its turn, bounded by ctx.
	Begin(ctx context.Context, writable bool) (Tx, error)
}

// Tx reads one snapshot plus its own changes. It is safe for concurrent use, but its calls run one at a time.
// After Commit or Rollback every method but Rollback returns ErrTxDone. Blobs of a transaction must be closed before
// it ends, and fail with ErrTxDone after.
type Tx interface {
	Reader
	// Apply is atomic as Store.Apply is, inside the transaction; ErrReadOnly if it is a read-only one.
	Apply(ctx context.Context, ops []Op) ([]Result, error)
	// Stage starts a value inside the transaction; it is written under the transaction's lock.
	Stage(ctx context.Context, o StageOptions) (Stage, error)
	// Commit makes all changes visible and durable, or none. If the error is ErrBusy, Commit may be called again.
	Commit(ctx context.Context) error
	// Rollback ends the transaction without a trace. After Commit it does nothing.
	Rollback() error
}

// Tagger is a store, or a transaction, that can hold values without a stored tag, such as those that another program wrote.
type Tagger interface {
	// Tag returns the version tag of key: the stored one, or one made from the value, which is read through for it. A
	// Condition accepts either.
	Tag(ctx context.Context, key string) (string, error)
}

// ValueAppender is a store, or a transaction, that can read a value into memory of its caller.
type ValueAppender interface {
	// AppendValue appends the whole value of key to dst, and returns the extended slice. It does not keep dst.
	AppendValue(ctx context.Context, dst []byte, key string) ([]byte, error)
}

// KeyLister is a store, or a transaction, that lists keys alone faster than whole items.
type KeyLister interface {
	// AppendKeys appends to dst the keys of the items that List would return, and says whether there may be further ones. It does not
	// keep dst, and returns nothing of it with an error. q.Values and q.MaxBytes do
	// not count. Several keys may lie in one piece of memory of a few KiB, which is kept as long as any of them is.
	AppendKeys(ctx context.Context, dst []string, q Query) (keys []string, more bool, err error)
}

// Backuper is a store that can be copied while in use.
type Backuper interface {
	// Backup writes a complete copy of the store, as of one moment, to a new file at path. progress, if not nil, is
	// told bytes done and the total. A failed backup leaves nothing at path.
	Backup(ctx context.Context, path string, progress func(done, total int64)) error
	// BackupTo writes such a copy to w. It writes nothing before all of the copy was made.
	BackupTo(ctx context.Context, w io.Writer, progress func(done, total int64)) error
}

// Optimizer is a store that can tidy up after itself.
type Optimizer interface {
	// Optimize rebuilds the store in its smallest form and refreshes what its planner knows. It may take minutes and
	// blocks writers meanwhile.
	Optimize(ctx context.Context) error
	// Shrink returns unused space to the file system in small steps, between which writers get their turn, until there
	// is none left or the budget is used up. It returns the bytes given back. ErrUnsupported if the store cannot.
	Shrink(ctx context.Context, budget time.Duration) (int64, error)
}

// Problem is one thing that Check found wrong.
type Problem struct {
	// Key of the value concerned, or Column, the array; both are empty if the problem is with the store as a whole.
	Key    string
	Column string
	Err    error
}

// Checker is a store that can examine itself.
type Checker interface {
	// Check reads everything: the store's own structure, then each value against its checksum and each array against its
	// description. It calls report for each problem and goes on. progress, if not nil, is told keys done and the total. The error says that the check
	// itself could not be finished.
	Check(ctx context.Context, report func(Problem), progress func(done, total int64)) error
}

// Statser is a store that can describe itself.
type Statser interface {
	Stats(ctx context.Context) (Stats, error)
}

// Stats describes a store.
type Stats struct {
	// Engine names the kind of store and its version, such as "SQLite 3.54.1".
	Engine string
	// Location is where it is: a path, or a URL.
	Location string
	// FileBytes is what the store occupies, its write-ahead log (LogBytes) not included; FreeBytes of it are unused.
	FileBytes, LogBytes, FreeBytes int64
	PageSize                       int64
	// Staged counts values being written, or left behind and not yet swept; StagedBytes is what FileBytes has of them.
	Staged, StagedBytes int64
	// OddKeys counts rows whose key is of a type that no call finds, as another program may have
	// inserted them. Check names them.
	OddKeys int64
	// Search lists the tables of other programs for searches in text and vectors.
	Search []SearchTable
	// Detail holds further facts by name: journal mode, layout version, tables.
	Detail map[string]string
}
