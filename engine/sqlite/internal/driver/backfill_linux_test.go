package driver_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/faultfs"
)

// What could not be synced counts as copied until a checkpoint ends that runs in another process:
// that one stores its own count last.
func TestSyncBackfillFailsBesideCheckpoint(t *testing.T) {
	fs := faultfs.New("beside")
	path := filepath.Join(t.TempDir(), "v.db")
	c := connect(t, path, "beside")
	exec(t, c, `PRAGMA journal_mode=WAL; CREATE TABLE t(x)`)
	if _, _, err := c.Checkpoint(false); err != nil {
		t.Fatal(err)
	}
	shm, err := os.OpenFile(path+"-shm", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer shm.Close()
	backfill := func() uint32 {
		var p [4]byte
		if _, err := shm.ReadAt(p[:], 96); err != nil {
			t.Error(err)
		}
		return binary.NativeEndian.Uint32(p[:])
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: 121, Len: 1} // that of a checkpoint
	if err := unix.FcntlFlock(shm.Fd(), unix.F_OFD_SETLK, &lock); err != nil {
		t.Fatal(err)
	}
	fs.Arm(faultfs.Fault{Op: faultfs.Sync, Nth: 1})
	done := make(chan error)
	go func() { done <- c.SyncBackfill() }()
	time.Sleep(50 * time.Millisecond)
	if backfill() == 0 {
		t.Error("the count was set back while a checkpoint ran")
	}
	lock.Type = unix.F_UNLCK
	if err := unix.FcntlFlock(shm.Fd(), unix.F_OFD_SETLK, &lock); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil || backfill() != 0 {
		t.Errorf("%d frames count as copied (%v)", backfill(), err)
	}
}
