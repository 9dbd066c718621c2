package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// EachApplier is a store that makes one change at a time, as an object store does. Its Apply takes
// a single op, and fails with ErrUnsupported for more: nothing takes effect then. It is no
// [Transactor].
//
// Such a store may leave Result.Found of a Put false if it would have to ask. Rename and
// DeleteRange are not atomic there: a crash between can leave both keys, or a part of the range,
// and while a Rename is under way a Delete with Take of each key may return the value. A page of a
// listing need not be one snapshot. A Blob may fail with ErrTagMismatch once its version is gone.
// Whether a change that fails with ErrUnknown took effect is not known.
type EachApplier interface {
	Store
	// ApplyEach applies each op by itself, many of them at once, in any order. results and errs
	// have an element for each op; an error is the cause itself, not an *OpError. No two ops may
	// concern one key. One that had not begun when ctx ended fails with its error. The result of an
	// op that failed is the zero Result.
	ApplyEach(ctx context.Context, ops []Op) (results []Result, errs []error)
}

// ArrayBeginner is a store with arrays whose transactions hold nothing but arrays. It is no
// [Transactor], whose transactions hold both.
type ArrayBeginner interface {
	Store
	// BeginArrays starts a transaction of arrays: a snapshot of all of them. Transactions do not
	// wait for each other.
	BeginArrays(ctx context.Context, writable bool) (ArrayTx, error)
}

// ArrayTx reads one snapshot of all arrays plus its own changes. It is safe for concurrent use, but
// its calls may run one at a time. After Commit or Rollback every method but Rollback returns
// ErrTxDone.
type ArrayTx interface {
	Arrays
	// Commit makes all changes visible and durable, or none. ErrConflict if another transaction has
	// changed the same meanwhile: nothing took effect, and the caller may run the whole transaction
	// again. ErrUnknown if the store could not find out whether they took effect. Nor
	// does the caller know that if Commit fails because ctx has ended (context.Canceled or
	// context.DeadlineExceeded).
	//
	// id names the commit; it is made anew for each, unless empty. If one of the same id has taken
	// effect within the last CommitMemory, Commit changes nothing and returns nil. So a caller who
	// met these can run the same changes again under the same id, and they take effect once.
	Commit(ctx context.Context, id string) error
	// Rollback ends the transaction and undoes its changes. After Commit it does nothing.
	Rollback() error
}

// CommitMemory is how long a store remembers the ids of commits, at least.
const CommitMemory = 10 * time.Minute

var (
	// ErrConflict: another writer changed the same meanwhile, and nothing took effect. The same
	// change may succeed if it is made again.
	ErrConflict = errors.New("another writer changed the same meanwhile")
	// ErrUnknown: a store beyond a network did not answer, or answered so late, that it is not
	// known whether a change took effect. Look whether it did before you make it again.
	ErrUnknown = errors.New("it is not known whether the change took effect")
)

// CheckSingle returns the error with which an EachApplier refuses a batch.
func CheckSingle(ops []Op) error {
	if len(ops) > 1 {
		return fmt.Errorf("%d changes in one step; make them one by one: %w", len(ops), ErrUnsupported)
	}
	return nil
}
