package driver_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/faultfs"
)

// connect opens a connection for as long as the test runs.
func connect(t *testing.T, path, vfs string) *driver.Conn {
	t.Helper()
	c, err := driver.Open(t.Context(), driver.Config{Path: path, Create: true, VFS: vfs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func exec(t *testing.T, c *driver.Conn, sql string) {
	t.Helper()
	if err := c.Exec(sql); err != nil {
		t.Fatal(err)
	}
}

// What was copied and could not be synced is copied again.
func TestSyncBackfillFails(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("the log's shared memory is not to be had")
	}
	fs := faultfs.New("copied")
	path := filepath.Join(t.TempDir(), "v.db")
	a, b := connect(t, path, "copied"), connect(t, path, "copied")
	exec(t, a, `PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES(randomblob(300000))`)
	exec(t, b, `SELECT 1 FROM t LIMIT 1`)
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
		return a.CheckpointedFile() != nil
	}
	if !b.CanSyncBackfill() || copied() {
		t.Fatal("the log has been copied before anybody did")
	}
	checkpoint()
	if err := b.SyncBackfill(); err != nil || !copied() {
		t.Fatalf("the log has not been copied: %v", err)
	}
	fs.Arm(faultfs.Fault{Op: faultfs.Sync, Nth: 1})
	err := b.SyncBackfill()
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

// What a checkpoint could not sync is copied again, all of it: it may be what an earlier one left
// to be synced, for the sake of a reader.
func TestCheckpointFails(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("the log's shared memory is not to be had")
	}
	dir := t.TempDir()
	path, cut := filepath.Join(dir, "v.db"), filepath.Join(dir, "cut.db")
	disk := faultfs.NewDisk("checkpoint", nil, func(*faultfs.Still) {})
	t.Cleanup(func() { faultfs.Drop("checkpoint") })
	a, reader := connect(t, path, "checkpoint"), connect(t, path, "checkpoint")
	exec(t, a, `PRAGMA checkpoint_fullfsync=1; PRAGMA fullfsync=1; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;
		CREATE TABLE t(x); INSERT INTO t VALUES(randomblob(100000))`)
	if err := reader.Begin(false); err != nil {
		t.Fatal(err)
	}
	if err := reader.TakeSnapshot(); err != nil {
		t.Fatal(err)
	}
	exec(t, a, `INSERT INTO t VALUES(randomblob(100000))`)
	if log, done, err := a.Checkpoint(false); err != nil || done == 0 || done == log {
		t.Fatalf("%d of %d pages copied for a reader: %v", done, log, err)
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	disk.FailSync(path)
	if _, _, err := a.Checkpoint(false); err == nil {
		t.Fatal("a sync that fails is not told")
	}
	if log, done, err := a.Checkpoint(false); err != nil || done < log {
		t.Fatalf("%d of %d pages copied: %v", done, log, err)
	}
	exec(t, a, `PRAGMA synchronous=FULL; INSERT INTO t VALUES(1)`) // begins the log anew
	disk.Still(func(s *faultfs.Still) {
		for name, content := range s.Files(faultfs.Cut{}, nil) {
			if err := os.WriteFile(cut+strings.TrimPrefix(name, path), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})
	st, err := connect(t, cut, "").Prepare(`SELECT group_concat(integrity_check, ' ') || (SELECT count(*) FROM t) FROM pragma_integrity_check`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Step(); err != nil || st.ColString(0) != "ok3" {
		t.Errorf("a power cut leaves %q: %v", st.ColString(0), err)
	}
}

// A context that has ended tells nothing of whether there is a log.
func TestCanSyncBackfillLater(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("the log's shared memory is not to be had")
	}
	c := connect(t, filepath.Join(t.TempDir(), "v.db"), "")
	exec(t, c, `PRAGMA journal_mode=WAL; CREATE TABLE t(x)`)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	c.SetContext(ended)
	c.CanSyncBackfill()
	c.SetContext(t.Context())
	if !c.CanSyncBackfill() {
		t.Error("what could not be found out once is not looked for again")
	}
}
