package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

const (
	// clockStep is longer than the steps in which local file systems note the times of changes,
	// coarseStep than those of file systems that note every second one.
	clockStep  = 30 * time.Millisecond
	coarseStep = 2*time.Second + clockStep
	// logPause is how long a read waits for the program that has the vault open before it looks
	// again.
	logPause = 10 * time.Millisecond
)

// logless reads a file for which no log can be made: on media that cannot be written, in folders of
// others, on full disks. No lock keeps other programs from changing the file then. So every read
// compares what tells of a change before and after, and is refused while there is a log or a
// journal: the file alone is not what was committed.
type logless struct {
	path    string
	timeout time.Duration

	mu        sync.Mutex
	file      *os.File // what was at path at the last look
	confirmed fileState
}

// fileState is what tells of a change of a file. Its zero value is the same as no other.
type fileState struct {
	info   fs.FileInfo
	header [100]byte // of the database, with SQLite's count of changes
}

func (a fileState) same(b fileState) bool {
	return a.info != nil && b.info != nil && os.SameFile(a.info, b.info) && a.info.Size() == b.info.Size() &&
		a.info.ModTime().Equal(b.info.ModTime()) && a.header == b.header
}

// currentState returns the state of the file.
func (l *logless) currentState() (now fileState, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.info, err = os.Stat(l.path); err != nil {
		return now, &engine.IOError{Op: "read", Err: err}
	}
	if l.file != nil {
		if open, err := l.file.Stat(); err != nil || !os.SameFile(open, now.info) {
			_ = l.file.Close() // another file has the name now
			l.file = nil
		}
	}
	if l.file == nil {
		if l.file, err = os.Open(l.path); err != nil {
			return now, &engine.IOError{Op: "read", Err: err}
		}
	}
	if _, err = l.file.ReadAt(now.header[:], 0); err != nil {
		err = &engine.IOError{Op: "read " + l.path, Err: err}
	}
	return now, err
}

// wait returns the state of the file once that is all that was committed, and any later change
// would show.
func (l *logless) wait(ctx context.Context) (fileState, error) {
	for deadline := time.Now().Add(l.timeout); ; {
		now, err := l.currentState()
		if err != nil {
			return now, err
		}
		need, why := l.confirmTime(now), l.unfinished()
		if why == nil && need == 0 {
			return now, nil
		}
		if why != nil {
			need = logPause
		}
		if err := pause(ctx, need); err != nil {
			return now, err
		}
		if why == nil {
			if why = l.confirm(now); why == nil {
				return now, nil
			}
		}
		if time.Now().After(deadline) {
			return now, why
		}
	}
}

// confirmTime is how long the file must stay as it is, so that a later change would have another
// time.
func (l *logless) confirmTime(now fileState) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	changed := now.info.ModTime()
	switch {
	case now.same(l.confirmed), time.Since(changed) > coarseStep:
		return 0
	case changed.Nanosecond() == 0:
		return coarseStep
	}
	return clockStep
}

// confirm notes that the file has stayed as it is for long enough, if it has.
func (l *logless) confirm(then fileState) error {
	if err := l.unchanged(then); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.confirmed = then
	return l.unfinished()
}

// unfinished says that there is a log or a journal.
func (l *logless) unfinished() error {
	for _, suffix := range []string{"-wal", "-journal"} {
		if info, err := os.Stat(l.path + suffix); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
			continue
		}
		return fmt.Errorf("%w: %s holds a part of the vault, and this process cannot use it, since it can write nothing in that folder: "+
			"open the vault again while the program that uses it runs, wait until it has ended, or read as a user who may write there", engine.ErrReadOnly, l.path+suffix)
	}
	return nil
}

// unchanged returns an error, which errors.Is finds to be errAgain, if the file is not as it was.
func (l *logless) unchanged(then fileState) error {
	now, err := l.currentState()
	if err == nil && !now.same(then) {
		err = fmt.Errorf("%w: another program changes %s, and this process can make no log beside it, in which one state of it would stay: "+
			"try again, or read as a user who may write in that folder (%w)", engine.ErrBusy, l.path, errAgain)
	}
	return err
}

func (l *logless) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// getConn gets a connection that reads. Without a log it is one that has read nothing but the state
// that the file is in: SQLite itself does not look then whether pages that it has in memory have
// changed.
func (s *Store) getConn(ctx context.Context, p *pool) (*driver.Conn, error) {
	if s.logless == nil {
		return p.get(ctx)
	}
	state, err := s.logless.wait(ctx)
	if err != nil {
		return nil, err
	}
	for {
		conn, err := p.get(ctx)
		if err != nil {
			if changed := s.logless.unchanged(state); changed != nil {
				err = changed // what looked like damage
			}
			return nil, err
		}
		if conn.Of == nil {
			conn.Of = state
		}
		if state.same(conn.Of.(fileState)) {
			return conn, nil
		}
		_ = conn.Close()
	}
}

// verified is err, unless the connection has read a file that changed meanwhile.
func (s *Store) verified(conn *driver.Conn, err error) error {
	if s.logless == nil {
		return err
	}
	if changed := s.logless.unchanged(conn.Of.(fileState)); changed != nil {
		return changed
	}
	return err
}
