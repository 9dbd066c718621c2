//go:build (linux || darwin) && !(sqlite3_flock || sqlite3_dotlk)

package driver

import (
	"errors"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
)

// walIndex is a look at the shared memory of a write-ahead log, where every commit of any process
// leaves its mark. https://sqlite.org/walformat.html#the_wal_index_file_format says what is where.
type walIndex struct {
	mem  []byte
	file fileID
	open *os.File // the file, if it is kept open
}

// openWALIndex maps the shared memory of the database at path. There is none if the database has no
// log. The caller's connection has the log open, and as long as it has, no SQLite removes the file
// or cuts it off. keep is for named.
func openWALIndex(path string, keep bool) (_ *walIndex, err error) {
	// SQLite does not trust shared memory that it may not write, and makes up its own.
	f, err := os.OpenFile(path+"-shm", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil || !keep {
			_ = f.Close()
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < int64(os.Getpagesize()) {
		return nil, os.ErrNotExist
	}
	mem, err := syscall.Mmap(int(f.Fd()), 0, os.Getpagesize(), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	w := &walIndex{mem: mem}
	if keep {
		w.open = f
	}
	if state, ok := walvfs.StateOf(f); ok {
		w.file = state.ID
	}
	return w, nil
}

func (w *walIndex) close() error {
	err := syscall.Munmap(w.mem)
	if w.open != nil {
		err = errors.Join(err, w.open.Close())
	}
	return err
}

// named says whether the file still has a name. Without the file it is taken to have one.
func (w *walIndex) named() bool {
	if w.open == nil {
		return true
	}
	state, ok := walvfs.StateOf(w.open)
	return !ok || state.Links > 0
}

// state returns what stands for the latest commit, or false while that cannot be told, as during a
// commit.
func (w *walIndex) state() (s walState, ok bool) {
	words := unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(w.mem))), 2*len(s))
	for i := range s {
		s[i] = atomic.LoadUint32(&words[i])
	}
	for i := range s {
		if atomic.LoadUint32(&words[len(s)+i]) != s[i] {
			return s, false
		}
	}
	return s, s != walState{}
}

// copiedAt is where nBackfill is, which follows both copies of the header.
const backfillAt = 2 * unsafe.Sizeof(walState{})

// backfill is how many pages of the log are in the database file, too.
func (w *walIndex) backfill() uint32 {
	return atomic.LoadUint32((*uint32)(unsafe.Pointer(&w.mem[backfillAt])))
}

// attemptedAt is where nBackfillAttempted is, behind the marks of readers and the locks.
const attemptedAt = backfillAt + 32

// backfillState is how far checkpoints have come.
func (w *walIndex) backfillState() (s walvfs.Backfill) {
	s.Salts[0] = atomic.LoadUint32((*uint32)(unsafe.Pointer(&w.mem[32])))
	s.Salts[1] = atomic.LoadUint32((*uint32)(unsafe.Pointer(&w.mem[36])))
	s.Attempted = atomic.LoadUint32((*uint32)(unsafe.Pointer(&w.mem[attemptedAt])))
	s.Done = w.backfill()
	return s
}

// forgetBackfill has the next checkpoint copy the log from its beginning. Fewer pages than there
// are may always count as copied: it is what a connection assumes that recovers the log, and the
// log begins with none. It waits for a checkpoint that runs, of any process: SQLite stores its own
// count at the end of one.
func (w *walIndex) forgetBackfill(path string) error {
	f, err := os.OpenFile(path+"-shm", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	lockCheckpoints(f)
	_, err = f.WriteAt(make([]byte, 4), int64(backfillAt))
	return errors.Join(err, f.Close()) // which unlocks
}

const (
	// checkpointLock is the byte of the shared memory that a checkpoint locks.
	checkpointLock = 121
	// checkpointWait bounds the wait for a checkpoint of a process that may be stopped.
	checkpointWait = 5 * time.Second
)

// lockCheckpoints locks other checkpoints out until f is closed, if it can.
func lockCheckpoints(f *os.File) {
	setLock := 37 // F_OFD_SETLK of Linux
	if runtime.GOOS == "darwin" {
		setLock = 90
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: checkpointLock, Len: 1}
	for began := time.Now(); time.Since(began) < checkpointWait; time.Sleep(time.Millisecond) {
		if syscall.FcntlFlock(f.Fd(), setLock, &lock) == nil {
			return
		}
	}
}
