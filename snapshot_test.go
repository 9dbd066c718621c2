package kvault_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// With a rollback journal a flush cannot commit while a snapshot is open. A View that a flush
// overtook must not keep its first snapshot open while it waits for that flush: both would wait for
// the busy timeout.
func TestViewsBesideFlushesWithoutALog(t *testing.T) {
	v, err := kvault.Open(t.Context(), filepath.Join(t.TempDir(), "v.kv"), &kvault.Options{DisableWAL: true, BusyTimeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	c, err := column.Ensure(t.Context(), v, "c", column.Int64, nil)
	if err != nil {
		t.Fatal(err)
	}
	enable(t, v, 1<<20, 1<<20)
	stop, done := make(chan struct{}), make(chan error)
	go func() {
		var err error
		for i := 0; err == nil; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err = v.Put(t.Context(), fmt.Sprint(i), nil); err == nil {
				err = c.Append(t.Context(), int64(i))
			}
			if err == nil {
				_, err = v.FlushCache(t.Context())
			}
		}
		done <- err
	}()
	for range 300 {
		if err := v.View(t.Context(), func(tx *kvault.Tx) error { _, err := tx.Len(t.Context()); return err }); err != nil {
			t.Error(err)
			break
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}
