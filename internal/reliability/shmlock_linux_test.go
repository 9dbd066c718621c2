package reliability

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
)

var lockStep = flag.Int("lockstep", defaultLockStep, "one of so many calls is made while a lock in shared memory is held")

// shmLocks are the bytes of a log's shared memory that SQLite locks, and what for.
// https://sqlite.org/walformat.html#wal_locks says more.
var shmLocks = []struct {
	name  string
	at, n int64
}{
	{"write", 120, 1}, {"checkpoint", 121, 1}, {"recover", 122, 1}, {"read 0", 123, 1}, {"read 1", 124, 1}, {"read 2", 125, 1}, {"read 3", 126, 1},
	{"read 4", 127, 1}, {"dead man's switch", 128, 1}, {"all that recovery locks", 121, 7},
}

// lockShm locks n bytes of the vault's shared memory as another process would: the locks are those
// of the open file. It fails if the vault itself has one of them locked in a way that forbids it.
func lockShm(path string, at, n int64, exclusive bool) (release func() error, err error) {
	const ofdSetLock = 37 // F_OFD_SETLK
	f, err := os.OpenFile(path+"-shm", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	lock := syscall.Flock_t{Type: syscall.F_RDLCK, Whence: io.SeekStart, Start: at, Len: n}
	if exclusive {
		lock.Type = syscall.F_WRLCK
	}
	if err := syscall.FcntlFlock(f.Fd(), ofdSetLock, &lock); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

// hangs is how long a call may take that waits for a lock at most as briefly as the options below
// say. SQLite itself tries for ten seconds before it gives up where readers are kept out.
const hangs = 2 * time.Minute

// Whichever lock in the shared memory another process holds, calls fail with ErrBusy or succeed,
// and nothing is lost; if it lets go in time, they succeed.
func TestSharedMemoryLocks(t *testing.T) {
	t.Setenv("TMPDIR", fastDir(t))
	dir, roomy := fastDir(t), fastDir(t)
	patience := map[bool]time.Duration{false: 10 * time.Millisecond, true: time.Minute}
	opt := kvault.Options{PageSize: 4096, OneRowLimit: 20_000, ChunkSize: 8000, CacheKB: 64, Attempts: 1}
	template := &fullRun{dir: roomy, roomy: roomy, opt: &opt}
	if err := template.make(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, patient := range []bool{false, true} {
		opt.BusyTimeout = patience[patient]
		calls, refused := 0, 0
		for _, lock := range shmLocks {
			for _, exclusive := range []bool{false, true} {
				for i, c := range fullCases {
					if i%(*lockStep) != int(lock.at)%(*lockStep) || c.name == "import" || c.name == "export" || *lockStep > 1 && lock.n > 1 {
						continue
					}
					opt := opt
					r := &fullRun{dir: dir, roomy: roomy, opt: &opt, values: maps.Clone(template.values), numbers: slices.Clone(template.numbers)}
					busy, err := r.whileLocked(t.Context(), template.path(), lock.at, lock.n, exclusive, patient, c)
					if err != nil {
						t.Errorf("%s while %s is locked, exclusively %t, for a moment %t: %v", c.name, lock.name, exclusive, patient, err)
					}
					if calls++; busy {
						refused++
					}
				}
			}
		}
		if patient && refused > 0 || !patient && refused == 0 {
			t.Errorf("for a moment %t: %d of %d calls were refused", patient, refused, calls)
		}
		t.Logf("locked for a moment %t: %d calls, %d refused", patient, calls, refused)
	}
}

// whileLocked does a case on a new copy of the vault while n bytes are locked: until the call
// returns, or for a moment.
func (r *fullRun) whileLocked(ctx context.Context, template string, at, n int64, exclusive, moment bool, c fullCase) (busy bool, err error) {
	if err := errors.Join(copyFile(template, r.path()), r.open(ctx)); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, r.close(), emptyFolder(r.dir)) }()
	if err := r.put(ctx, "k1", 100); err != nil { // the log is in use
		return false, err
	}
	if c.before != nil {
		if err := c.before(ctx, r); err != nil {
			return false, err
		}
	}
	release, err := lockShm(r.path(), at, n, exclusive)
	if errors.Is(err, syscall.EAGAIN) {
		return false, nil // the vault has it itself
	}
	if err != nil {
		return false, err
	}
	released := make(chan error, 1)
	if moment {
		time.AfterFunc(20*time.Millisecond, func() { released <- release() })
	}
	failure := within(hangs, func() error { return c.run(ctx, r) })
	if !moment {
		released <- release()
	}
	if err := <-released; err != nil {
		return false, err
	}
	if failure != nil && (moment || !errors.Is(failure, kvault.ErrBusy) || !strings.Contains(failure.Error(), "raise the busy timeout")) {
		return false, failure
	}
	return failure != nil, r.goOn(ctx, c)
}

// within fails if fn takes longer, and then leaves it behind.
func within(limit time.Duration, fn func() error) error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		return fmt.Errorf("it has not returned for %v", limit)
	}
}
