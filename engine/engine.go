// Package engine defines what a vault requires of the store beneath it.
//
// A [Store] keeps keys with values and their [Meta] in one ordered space, and changes them only
// through [Store.Apply], which takes effect as a whole or not at all. A store that makes one change
// at a time, as an object store does, says so by being an [EachApplier]. A large value is first
// written into a [Stage], which no reader can see, and becomes visible when an [Op] that names the
// stage is applied.
//
// What not every store can do is an optional interface: [Transactor] or, in its place, [EachApplier]
// and [ArrayBeginner]; [Tagger], [ValueAppender], [RangeReader], [KeyLister], [Verifier], [Uploader],
// [Backuper], [Optimizer], [Checker], [Statser], [Layouter]. A caller asks with a type assertion, so
// no store has to pretend.
//
// Package engine/enginetest has the tests that every implementation passes.
package engine

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Reader has the methods of stores and transactions that read.
//
// A missing key is ErrNotFound; any other error means that the answer is not known.
type Reader interface {
	// Get returns a copy of the whole value of key, which is nil only if there is an error.
	Get(ctx context.Context, key string) ([]byte, error)
	// Stat returns the entry of key without reading its value.
	Stat(ctx context.Context, key string) (Entry, error)
	// Open returns the value of key as it is now, for reading in parts. The caller closes it.
	Open(ctx context.Context, key string) (Blob, error)
	// List returns the first items of a query. See Query and Page.
	List(ctx context.Context, q Query) (Page, error)
	// Count returns the number of keys in r.
	Count(ctx context.Context, r Range) (int64, error)
}

// Store is one ordered space of keys. All methods are safe for concurrent use.
//
// After Close every method returns ErrClosed; Close itself may be called again and then returns
// nil.
type Store interface {
	Reader
	// Apply performs all ops in order, atomically, and returns one result for each. If one of them
	// fails, none takes effect and the error is an *OpError. Apply returns once the change is as
	// durable as the store promises. The store does not keep op.Value, and does not change it. An
	// EachApplier takes a single op.
	Apply(ctx context.Context, ops []Op) ([]Result, error)
	// Stage starts a value that no reader can see. The caller ends it by applying an Op that names
	// it, or by Abort.
	Stage(ctx context.Context, o StageOptions) (Stage, error)
	// Close releases the store. Open blobs fail with ErrClosed from then on.
	io.Closer
}

// Entry describes the value of a key.
type Entry struct {
	Key  string
	Size int64 // of the value in bytes
	Meta Meta
}

// Range is the set of keys k with Start <= k and k < End, bytewise. An empty End means no upper
// bound.
type Range struct {
	Start, End string
}

// Query selects the items that List returns: those of the range in ascending order, or descending
// if Reverse.
type Query struct {
	Range
	Reverse bool
	// Limit is the largest number of items in a page; at least 1.
	Limit int
	// Values asks for the values too. If MaxBytes is above 0, a page then ends before its values
	// exceed MaxBytes, but has at least one item. It ends before a damaged value, too; where that
	// is the first, the error is an *OpError of its key.
	Values   bool
	MaxBytes int64
	// Sizes says that the keys and sizes of entries are enough: their Meta may be zero.
	Sizes bool
}

// Page is the beginning of a query's result, read in one snapshot; that of an EachApplier may have
// some changes that were made while it was read, and lack others.
type Page struct {
	Items []Item
	// More reports that the query may have further items. To read on, narrow the range past the
	// last item.
	More bool
}

// Item is an entry and, if the query asked for values, its value, which then is not nil.
type Item struct {
	Entry
	Value []byte
}

// Blob reads the version that a value had when the Blob was opened, whatever is written later. It
// is safe for concurrent use. An EachApplier may not keep the version once it was replaced, renamed
// or removed: what the Blob cannot read any more then fails with ErrTagMismatch. It never returns
// bytes of another version.
type Blob interface {
	// Entry describes the version that the blob reads.
	Entry() Entry
	// ReadAt fills p with the bytes from offset off on, as io.ReaderAt does: a short count comes
	// with an error, which is io.EOF at the end.
	ReadAt(ctx context.Context, p []byte, off int64) (int, error)
	// Close releases the blob. Closing twice is no error.
	Close() error
}

// Verifier is a blob of a store that keeps checksums.
type Verifier interface {
	Blob
	// ReadOn is ReadAt for a caller who reads a value in order, from any offset on. It returns no
	// byte that a checksum refutes: where one covers a part of the value, ReadOn compares that part
	// first, and holds it in memory until another is wanted. Where only one of the whole value can
	// tell, it is compared once ReadOn has read the value from its start to its end, and the bytes
	// of the call that reaches the end are returned only if it matches. If not, the error is
	// ErrCorrupt, and the same call fails again.
	ReadOn(ctx context.Context, p []byte, off int64) (int, error)
}

// StageOptions give the sizes of a stage.
type StageOptions struct {
	// ChunkSize is the length in bytes of every chunk but the last; at least 1.
	ChunkSize int
	// Size is the length of the value if known, or -1. It is a hint.
	Size int64
}

// Stage takes a value chunk by chunk. It is for one goroutine at a time.
type Stage interface {
	// WriteChunk adds one chunk. Every chunk but the last has exactly ChunkSize bytes; after a
	// shorter one the stage is full. If it fails, nothing was added, and the same chunk may be
	// written again.
	WriteChunk(ctx context.Context, p []byte) error
	// Size is the number of bytes added so far, and Sum their CRC-32 (Castagnoli).
	Size() int64
	Sum() uint32
	// Abort discards the stage, unless it was applied. It may be called more than once.
	Abort() error
}

// OpKind is the kind of change that an Op makes.
type OpKind uint8

const (
	// Put stores Value, the staged value or the upload under Key.
	Put OpKind = iota + 1
	// Delete removes Key. A missing key is no error; Result.Found reports whether it existed.
	Delete
	// DeleteRange removes every key in Range. Result.Removed counts them. It is not atomic if the
	// store is an EachApplier: when it fails, a part of the keys may be gone.
	DeleteRange
	// Rename moves the value and metadata of Key to To, and replaces a value there. The tag stays
	// the same. A missing Key is ErrNotFound. If applies to Key, ToAbsent to To. If Key and To are
	// equal, nothing changes. It is not atomic if the store is an EachApplier: when it fails, both
	// keys may have the value; neither is lost.
	Rename
	// Copy stores the value and metadata of Key under To too, and replaces a value there. The copy
	// has a tag of its own: Meta.Tag, or one that the store makes. What the value of another program
	// lacks of metadata its copy gets as from a Put. Conditions, a missing Key and equal keys are as
	// for Rename. A store that can do without copying the value does so.
	Copy
	// SetMeta replaces the content type, the modification time and the user's metadata of Key by
	// those of Meta, but for those that Keep names. The value is a new version: it gets the tag
	// Meta.Tag, or one that the store makes. Its size and checksum stay the same; a value without a
	// checksum gets one. A missing Key is ErrNotFound.
	SetMeta
)

// MetaFields is a set of fields of Meta.
type MetaFields uint8

// The fields that SetMeta can keep.
const (
	KeepContentType MetaFields = 1 << iota
	KeepModTime
	KeepUser
)

// Op is one change. Kind determines which fields count.
type Op struct {
	Kind  OpKind
	Key   string
	To    string // Rename, Copy
	Range Range  // DeleteRange

	// Put stores Staged or Upload if it is not nil, and Value otherwise. A nil Value is an empty
	// value. If HasSum is false, the store computes Sum from the value. An upload with a gap is
	// ErrInvalid; one that is stored is used up, and its own key and metadata do not count.
	Value  []byte
	Staged Stage
	Upload Upload
	Meta   Meta
	Keep   MetaFields // SetMeta

	// Take asks Delete to return the value it removed in Result.Value.
	Take bool

	If       Condition
	ToAbsent bool // Rename, Copy: fail with ErrExists if To exists
}

// Check returns the error that every store returns for an op whose fields make no sense, whatever
// the store holds.
func (op *Op) Check() error {
	switch op.Kind {
	case Put:
		return CheckNewKey(op.Key)
	case Delete, SetMeta:
		return CheckKey(op.Key)
	case Rename, Copy:
		if err := CheckKey(op.Key); err != nil {
			return err
		}
		return CheckNewKey(op.To)
	case DeleteRange:
		return nil
	}
	return fmt.Errorf("unknown operation %d: %w", op.Kind, ErrInvalid)
}

// NewMeta returns the metadata that SetMeta makes of old.
func (op *Op) NewMeta(old Meta) Meta {
	m := op.Meta
	if op.Keep&KeepContentType != 0 {
		m.ContentType = old.ContentType
	}
	if op.Keep&KeepModTime != 0 {
		m.ModTime = old.ModTime
	}
	if op.Keep&KeepUser != 0 {
		m.User = old.User
	}
	m.Sum, m.HasSum = old.Sum, old.HasSum
	return m
}

// Condition must hold for the key of an Op, or the batch fails. The zero Condition always holds.
type Condition struct {
	// Absent: the key must not exist; ErrExists if it does.
	Absent bool
	// Tag, if not empty: the key must exist with this tag; ErrNotFound or ErrTagMismatch if not.
	Tag string
}

// Result is the result of one Op.
type Result struct {
	// Found: the key existed before (Put, Delete, SetMeta; To of Rename and Copy). An EachApplier may
	// leave it false for a Put.
	Found bool
	// Entry describes the value stored (Put, Rename, Copy, SetMeta) or removed (Delete with Take).
	Entry Entry
	// Value is the value that Delete removed, if Op.Take is set.
	Value []byte
	// Removed counts the keys that DeleteRange removed.
	Removed int64
}

// Transactor is a store with transactions.
type Transactor interface {
	Store
	// Begin starts a transaction. A read-only one is a snapshot; it and writers do not wait for
	// each other. There is one writable transaction at a time: Begin waits for its turn, bounded by
	// ctx.
	Begin(ctx context.Context, writable bool) (Tx, error)
}

// Tx reads one snapshot plus its own changes. It is safe for concurrent use, but its calls run one
// at a time. After Commit or Rollback every method but Rollback returns ErrTxDone. The caller
// closes the blobs of a transaction before it ends; after that they fail with ErrTxDone.
type Tx interface {
	Reader
	// Apply is Store.Apply inside the transaction; ErrReadOnly if that is read-only.
	Apply(ctx context.Context, ops []Op) ([]Result, error)
	// Stage starts a value inside the transaction, and writes it under the transaction's lock.
	Stage(ctx context.Context, o StageOptions) (Stage, error)
	// Commit makes all changes visible and durable, or none. If the error is ErrBusy, Commit may be
	// called again.
	Commit(ctx context.Context) error
	// Rollback ends the transaction and undoes its changes. After Commit it does nothing.
	Rollback() error
}

// Tagger is a store, or a transaction, that can hold values without a stored tag, such as those of
// another program.
type Tagger interface {
	// Tag returns the version tag of key: the stored one, or one made from the value, which costs
	// reading it. A Condition accepts either.
	Tag(ctx context.Context, key string) (string, error)
}

// ValueAppender is a store, or a transaction, that can read a value into the caller's memory.
type ValueAppender interface {
	// AppendValue appends the whole value of key to dst, and returns the extended slice. It does
	// not keep dst.
	AppendValue(ctx context.Context, dst []byte, key string) ([]byte, error)
}

// RangeReader is a store that reads a part of a value in one call, and holds nothing of it after.
type RangeReader interface {
	// ReadRange fills p with the bytes of the value of key from offset off on, as io.ReaderAt does,
	// if its version is tag, and otherwise fails with ErrNotFound or ErrTagMismatch. What it
	// compares with checksums is what ReadAt of a Blob does. Its time and memory depend on len(p)
	// and the size of a chunk, not on that of the value.
	ReadRange(ctx context.Context, key, tag string, p []byte, off int64) (int, error)
}

// KeyLister is a store, or a transaction, that lists keys alone faster than whole items.
type KeyLister interface {
	// AppendKeys appends to dst the keys of the items that List would return, and reports whether
	// there may be further ones. It ignores q.Values and q.MaxBytes. It does not keep dst, and
	// returns nil with an error. Several keys may share one allocation of a few KiB, which lives as
	// long as any of them.
	AppendKeys(ctx context.Context, dst []string, q Query) (keys []string, more bool, err error)
}

// Backuper is a store that can be copied while it is in use.
type Backuper interface {
	// Backup writes a complete copy of the store, of one snapshot, to a new file at path. progress,
	// if not nil, is called with the bytes done and the total. A failed backup leaves nothing at
	// path.
	Backup(ctx context.Context, path string, progress func(done, total int64)) error
	// BackupTo writes such a copy to w. It writes nothing before the copy is complete.
	BackupTo(ctx context.Context, w io.Writer, progress func(done, total int64)) error
}

// Optimizer is a store that can make itself smaller.
type Optimizer interface {
	// Optimize rebuilds the store in its smallest form and refreshes its statistics. It may take
	// minutes, and blocks writers. If the store is in an earlier layout, Optimize brings it to the
	// newest first, while writers get their turn; progress, if not nil, is called with the values
	// done and the total. A call after an interrupted one continues its work.
	Optimize(ctx context.Context, progress func(done, total int64)) error
	// Shrink returns unused space to the file system until none is left or the budget is used up.
	// It works in small steps, between which writers get their turn. It returns the number of bytes
	// given back. ErrUnsupported if the store cannot do this.
	Shrink(ctx context.Context, budget time.Duration) (int64, error)
}

// Problem is one thing that Check found wrong.
type Problem struct {
	// Key names the value, or Column the array. Both are empty if the problem concerns the store as
	// a whole.
	Key    string
	Column string
	Err    error
}

// Checker is a store that can check itself.
type Checker interface {
	// Check reads everything: the store's own structure, then each value, whose checksum it
	// compares, and each array, whose description it compares. It calls report for each problem and
	// continues. progress, if not nil, is called with the keys done and the total. An error means
	// that the check could not finish.
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
	// Location is the path or URL of the store.
	Location string
	// FileBytes is the size of the store without its write-ahead log (LogBytes). FreeBytes of it
	// are unused.
	FileBytes, LogBytes, FreeBytes int64
	PageSize                       int64
	// Staged is the number of values being written, or abandoned and not yet collected. StagedBytes
	// is their part of FileBytes.
	Staged, StagedBytes int64
	// OddKeys is the number of rows that no call finds, because another program inserted a key of
	// another type. Check names them.
	OddKeys int64
	// Search lists the tables for searches in text and vectors that other programs have made.
	Search []SearchTable
	// Detail holds further facts by name: journal mode, layout version, tables.
	Detail map[string]string
}
