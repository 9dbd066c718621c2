package sqlite

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

// TestQueueWaitsOnce has many writers of one store meet the lock of another: they wait for it
// together, not one behind the other.
func TestQueueWaitsOnce(t *testing.T) {
	const timeout, writers = 200 * time.Millisecond, 20
	path := filepath.Join(t.TempDir(), "v.kv")
	s, other := openVault(t, path, &Options{BusyTimeout: timeout}), openVault(t, path, nil)
	held, err := other.Begin(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Rollback()
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			var err error
			if i%4 == 0 {
				_, err = s.Begin(t.Context(), true)
			} else {
				_, err = s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "k"}})
			}
			if !errors.Is(err, engine.ErrBusy) {
				t.Errorf("beside a writer: %v", err)
			}
		})
	}
	wg.Wait()
	// Each that came late waits for what is left of its time. One behind the other they would wait
	// for 20 times as long.
	if waited := time.Duration(s.writer.waited.Load()); waited < timeout || waited > writers/2*timeout {
		t.Errorf("the writer waited for %v, with a timeout of %v", waited, timeout)
	}
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "k"}}); err != nil {
		t.Errorf("once the lock is gone: %v", err)
	}
}

// TestNegativeTimeout does not wait at all.
func TestNegativeTimeout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s, other := openVault(t, path, &Options{BusyTimeout: -1}), openVault(t, path, nil)
	held, err := other.Begin(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Rollback()
	_, err = s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "k"}})
	if waited := s.writer.waited.Load(); !errors.Is(err, engine.ErrBusy) || waited != 0 {
		t.Errorf("%v after a wait of %v", err, time.Duration(waited))
	}
}
