package driver_test

import (
	"path/filepath"
	"runtime"
	"testing"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver/faultfs"
)

// What was copied and could not be synced is copied again.
func TestSyncCopiedFails(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("the log's shared memory is not to be had")
	}
	fs := faultfs.New("copied")
	path := filepath.Join(t.TempDir(), "v.db")
	open := func() *driver.Conn {
		t.Helper()
		c, err := driver.Open(t.Context(), driver.Config{Path: path, Create: true, VFS: "copied"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	exec := func(c *driver.Conn, sql string) {
		t.Helper()
		if err := c.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	a, b := open(), open()
	exec(a, `PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES(randomblob(300000))`)
	exec(b, `SELECT 1 FROM t LIMIT 1`)
	checkpoint := func() {
		t.Helper()
		if log, done, err := b.Checkpoint(false); err != nil || done < log || log == 0 {
			t.Fatalf("%d of %d pages copied: %v", done, log, err)
		}
	}
	copied := func() bool {
		t.Helper()
		if err := a.Begin(false); err != nil {
			t.Fatal(err)
		}
		defer a.Rollback()
		return a.AtRest() != nil
	}
	if !b.CanSyncCopied() || copied() {
		t.Fatal("the log has been copied before anybody did")
	}
	checkpoint()
	if err := b.SyncCopied(); err != nil || !copied() {
		t.Fatalf("the log has not been copied: %v", err)
	}
	fs.Arm(faultfs.Fault{Op: faultfs.Sync, Nth: 1})
	err := b.SyncCopied()
	if !fs.Disarm() || err == nil {
		t.Fatalf("a failed sync is told as %v", err)
	}
	if copied() {
		t.Error("what was not synced counts as copied")
	}
	fs.Arm(faultfs.Fault{Op: faultfs.Write, Nth: 1}) // that it is copied again shows in a write that fails
	if _, _, err := b.Checkpoint(false); !fs.Disarm() || err == nil {
		t.Errorf("nothing is written a second time: %v", err)
	}
	checkpoint()
	if !copied() {
		t.Error("the log has not been copied again")
	}
}
