package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/faultfs"
)

// openShort opens a vault whose log is long from a megabyte on.
func openShort(t *testing.T, o Options) (*Store, string) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("the log is copied between commits here")
	}
	path := filepath.Join(t.TempDir(), "v.kv")
	o.logBytes = 1 << 20
	return openHeld(t, path, o), path
}

// fill puts values of 10 KB under n keys of their own.
func fill(t *testing.T, s *Store, name string, n int) {
	t.Helper()
	value, noise := make([]byte, 10_000), rand.NewChaCha8([32]byte{})
	for i := range n {
		noise.Read(value)
		apply(t, s, engine.Op{Kind: engine.Put, Key: fmt.Sprint(name, i), Value: value})
	}
}

// backfilled says whether the file has all that is in the log.
func backfilled(t *testing.T, s *Store) (all bool) {
	t.Helper()
	err := s.read(t.Context(), s.reads, true, func(ses *session) error {
		all = ses.c.CheckpointedFile() != nil
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A log that has become long is copied to its end, also if no commit follows.
func TestLongLogIsCopied(t *testing.T) {
	s, _ := openShort(t, Options{})
	began := time.Now()
	fill(t, s, "a", 5)
	if backfilled(t, s) && time.Since(began) < idleTime {
		t.Error("a short log was copied")
	}
	state := func() (begun, finished bool) {
		w := s.writer
		w.turn <- struct{}{}
		defer w.release()
		finished = w.ckpt.pages == 0
		return finished || w.ckpt.pass != nil, finished
	}
	for n, begun := 0, false; !begun; n++ {
		if n > 200 {
			t.Fatal("nothing is copied beside the commits")
		}
		fill(t, s, fmt.Sprint("b", n, "-"), 1)
		begun, _ = state()
	}
	eventually(t, "the log is copied, and the next commit will begin it anew", func() bool {
		_, finished := state()
		return finished && backfilled(t, s)
	})
}

// Once nobody commits, a short log is copied, too; a reader that needs an earlier state only delays
// that.
func TestIdleLogIsCopied(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("the log's shared memory is not to be had there")
	}
	s := openHeld(t, filepath.Join(t.TempDir(), "v.kv"), Options{})
	fill(t, s, "a", 1)
	eventually(t, "the log is copied", func() bool { return backfilled(t, s) })
	fill(t, s, "b", 1)
	early, err := s.Begin(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := early.Stat(t.Context(), "b0"); err != nil {
		t.Fatal(err)
	}
	fill(t, s, "c", 1)
	w := s.writer
	eventually(t, "a checkpoint was tried", func() bool {
		w.turn <- struct{}{}
		defer w.release()
		return w.ckpt.retry > 2*idleTime
	})
	if backfilled(t, s) {
		t.Error("what an earlier snapshot needs was overwritten")
	}
	if _, err := early.Stat(t.Context(), "c0"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("an earlier snapshot has what came later (%v)", err)
	}
	if err := early.Rollback(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log is copied", func() bool { return backfilled(t, s) })
}

// A long log that a reader kept from being copied is copied once the reader has ended, also if no
// commit follows.
func TestLongLogIsCopiedAfterAReader(t *testing.T) {
	t.Parallel()
	s, _ := openShort(t, Options{})
	early, err := s.Begin(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := early.Stat(t.Context(), "a0"); !errors.Is(err, engine.ErrNotFound) {
		t.Fatal(err)
	}
	fill(t, s, "a", 150)
	w := s.writer
	eventually(t, "the background checkpoint has ended", func() bool {
		w.turn <- struct{}{}
		defer w.release()
		return w.ckpt.pass == nil && w.ckpt.triedAt > 0
	})
	if backfilled(t, s) {
		t.Error("what an earlier snapshot needs was overwritten")
	}
	if err := early.Rollback(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log is copied", func() bool { return backfilled(t, s) })
}

// What is copied beside the commits bounds the log, however fast they come.
func TestLogStaysShort(t *testing.T) {
	s, path := openShort(t, Options{})
	var writers sync.WaitGroup
	for g := range 4 {
		writers.Go(func() { fill(t, s, fmt.Sprint("w", g, "-"), 500) })
	}
	writers.Wait()
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 4<<20 {
		t.Errorf("after 20 MB the log has %d KiB", info.Size()>>10)
	}
}

// Whoever wants the log emptied waits for the copying that goes on, and is not refused for its
// sake.
func TestEmptyLogWhileItIsCopied(t *testing.T) {
	s, path := openShort(t, Options{})
	for i := range 20 {
		fill(t, s, fmt.Sprint(i, "-"), 80)
		if err := s.emptyLog(t.Context()); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path + "-wal"); err != nil || info.Size() > 0 {
			t.Fatalf("round %d: the log is not empty (%v)", i, err)
		}
	}
}

// A call whose context ends does not wait for the copying that goes on.
func TestContextEndsWhileLogIsCopied(t *testing.T) {
	s, _ := openShort(t, Options{})
	c := &pass{done: make(chan struct{})}
	s.writer.turn <- struct{}{}
	s.writer.ckpt.pass = c
	s.writer.release()
	tooLong := time.AfterFunc(10*time.Second, func() { close(c.done) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.emptyLog(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call that could not wait: %v", err)
	}
	if !tooLong.Stop() {
		t.Fatal("a call waited for the copying, not for its context")
	}
	close(c.done)
	if err := s.emptyLog(t.Context()); err != nil {
		t.Error(err)
	}
}

// A vault whose files are moved away while it is open does not make new ones in their place, and
// those that were moved have all that was put.
func TestMovedAwayWhileLogIsLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s, err := Open(t.Context(), path, &Options{logBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s, "a", 200)
	moved := filepath.Join(t.TempDir(), "moved.kv")
	for _, suffix := range databaseSuffixes {
		if err := os.Rename(path+suffix, moved+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "b"}}); !errors.Is(err, engine.ErrMoved) {
		t.Errorf("put: %v", err)
	}
	s.writer.turn <- struct{}{}
	s.writer.ckpt.wait()
	s.writer.ckpt.background() // makes a connection, if there was none
	s.writer.ckpt.wait()
	s.writer.release()
	if err := s.Close(); !errors.Is(err, engine.ErrMoved) {
		t.Errorf("close: %v", err)
	}
	for _, suffix := range databaseSuffixes {
		if _, err := os.Stat(path + suffix); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s has been made (%v)", path+suffix, err)
		}
	}
	again := openVault(t, moved, nil)
	if keys, err := again.List(t.Context(), engine.Query{Limit: 1000}); err != nil || len(keys.Items) != 200 {
		t.Errorf("%d keys of 200 (%v)", len(keys.Items), err)
	}
	if err := again.Check(t.Context(), func(p engine.Problem) { t.Error(p) }, nil); err != nil {
		t.Error(err)
	}
}

// Closed at any moment, also while the log is being copied, a vault has all that was put.
func TestCloseWhileLogIsCopied(t *testing.T) {
	t.Parallel()
	for n := 60; n < 140; n += 8 {
		s, path := openShort(t, Options{})
		fill(t, s, "a", n)
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path + "-wal"); !os.IsNotExist(err) {
			t.Errorf("after %d puts a log is left", n)
		}
		again := openVault(t, path, nil)
		keys, err := again.List(context.Background(), engine.Query{Limit: 1000})
		if err != nil || len(keys.Items) != n {
			t.Errorf("%d keys of %d (%v)", len(keys.Items), n, err)
		}
		if err := again.Check(t.Context(), func(p engine.Problem) { t.Error(p) }, nil); err != nil {
			t.Error(err)
		}
	}
}

// Whatever fails while the log is copied beside the commits, every commit lasts, and the log is
// copied once nothing fails any more.
func TestFaultsWhileLogIsCopied(t *testing.T) {
	fs := faultfs.New("beside")
	for _, op := range []faultfs.Op{faultfs.Read, faultfs.Write, faultfs.Sync, faultfs.Truncate, faultfs.Open, faultfs.Lock} {
		for nth := int64(1); nth < 60; nth = nth*3 + 1 {
			s, _ := openShort(t, Options{vfs: "beside", PageSize: 1024})
			fill(t, s, "a", 60)
			s.writer.turn <- struct{}{}
			s.writer.ckpt.background()
			fs.Arm(faultfs.Fault{Op: op, Nth: nth})
			<-s.writer.ckpt.pass.done
			fs.Disarm()
			s.writer.release()
			fill(t, s, "b", 60)
			if err := s.Checkpoint(); err != nil || !backfilled(t, s) {
				t.Errorf("%v %d: the log is not copied (%v)", op, nth, err)
			}
			if keys, err := s.List(t.Context(), engine.Query{Limit: 1000}); err != nil || len(keys.Items) != 120 {
				t.Errorf("%v %d: %d keys (%v)", op, nth, len(keys.Items), err)
			}
			if err := s.Check(t.Context(), func(p engine.Problem) { t.Error(op, nth, p) }, nil); err != nil {
				t.Error(err)
			}
		}
	}
}

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
