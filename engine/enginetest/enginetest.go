// Package enginetest holds the tests that every implementation of engine.Store passes. An engine's
// own test calls Run:
//
//	func TestConformance(t *testing.T) {
//		enginetest.Run(t, func(t *testing.T) engine.Store { return mem.New() })
//	}
//
// and RunPersistent if what it stores outlives Close. What a store can do beyond engine.Store is
// tested if it says that it can, by implementing the optional interfaces. A store that makes one
// change at a time gets one at a time, and nothing that takes several in one step.
package enginetest

import (
	"context"
	"slices"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

// target is what a store and a transaction have in common.
type target interface {
	engine.Reader
	Apply(ctx context.Context, ops []engine.Op) ([]engine.Result, error)
	Stage(ctx context.Context, o engine.StageOptions) (engine.Stage, error)
}

// targetTest runs on an empty store, and again inside a transaction of one.
type targetTest struct {
	name string
	run  func(t *testing.T, x target)
}

// storeTest runs on an empty store.
type storeTest struct {
	name string
	run  func(t *testing.T, s engine.Store)
}

// transactorTest runs on an empty store with transactions.
type transactorTest struct {
	name string
	run  func(t *testing.T, s engine.Transactor)
}

// Exception is a promise of package engine that a store is known not to keep, and says so in its
// documentation.
type Exception uint8

// SnapshotsBlockWriters excepts a store whose open snapshots keep writers waiting, as SQLite's do
// without a write-ahead log: what needs both at once is not tested.
const SnapshotsBlockWriters Exception = 1

// ShortKeys excepts a store that takes keys of 300 letters, but none of 1,025 bytes, as object
// stores do: a longer key is ErrTooLarge where it is to be stored, and not found where it is looked
// for.
const ShortKeys Exception = 2

// Run tests the stores that open returns, each of which must be empty. Run closes them.
func Run(t *testing.T, open func(t *testing.T) engine.Store, except ...Exception) {
	opened := func(t *testing.T) engine.Store {
		t.Helper()
		s := open(t)
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		return s
	}
	shared := slices.Concat(readTests(), listTests(), opTests(), copyTests(), stageTests())
	if slices.Contains(except, ShortKeys) {
		i := slices.IndexFunc(shared, func(tt targetTest) bool { return tt.name == "LongKey" })
		shared[i] = targetTest{"ShortKeys", testShortKeys}
	}
	t.Run("Store", func(t *testing.T) {
		for _, tt := range shared {
			t.Run(tt.name, func(t *testing.T) { tt.run(t, opened(t)) })
		}
		for _, tt := range storeTests() {
			t.Run(tt.name, func(t *testing.T) { tt.run(t, opened(t)) })
		}
	})
	probe := opened(t)
	if _, ok := probe.(engine.Transactor); ok {
		runTransactions(t, shared, func(t *testing.T) engine.Transactor { return opened(t).(engine.Transactor) },
			slices.Contains(except, SnapshotsBlockWriters))
	}
	if _, ok := probe.(engine.EachApplier); ok {
		runEach(t, func(t *testing.T) engine.EachApplier { return opened(t).(engine.EachApplier) })
	}
	if _, ok := probe.(engine.ArrayBeginner); ok {
		runBeginArrays(t, func(t *testing.T) engine.ArrayBeginner { return opened(t).(engine.ArrayBeginner) })
	}
	runOptional(t, probe, opened)
}

func storeTests() []storeTest {
	return slices.Concat(lifeTests(), concurrencyTests(), contextTests(), modelTests())
}

func runTransactions(t *testing.T, shared []targetTest, opened func(t *testing.T) engine.Transactor, oneAtATime bool) {
	t.Run("InTx", func(t *testing.T) {
		for _, tt := range shared {
			t.Run(tt.name, func(t *testing.T) { tt.run(t, begin(t, opened(t), true)) })
		}
	})
	t.Run("Tx", func(t *testing.T) {
		for _, tt := range slices.Concat(txTests(), txLockTests(), txContextTests()) {
			if oneAtATime && slices.Contains(needSnapshotsBesideWriters, tt.name) {
				continue
			}
			t.Run(tt.name, func(t *testing.T) { tt.run(t, opened(t)) })
		}
	})
	runArrays(t, opened, oneAtATime)
}

var needSnapshotsBesideWriters = []string{"SnapshotAsOfBegin", "SnapshotOfEverything", "OwnChangesAreVisible", "Blobs", "ReadersAndWritersDoNotWait"}
