package driver

import (
	"time"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
)

// A reader pays for two file locks each time it begins and ends. A connection that reads again and
// again keeps its snapshot instead, for as long as nobody has committed anything: before each use
// it looks at the mark that every commit, of this and of other processes, leaves in the shared
// memory of the write-ahead log.
//
// A snapshot that is kept stands in the way of a program that wants all of the log in the file and
// the log begun anew, as SQLite's checkpoints FULL, RESTART and TRUNCATE do: they wait until each
// reader has ended once. So no snapshot is kept for longer than HoldTime. The one that follows it
// needs nothing of the log once the file holds all of it, and such a one is in nobody's way before
// the next commit.

// HoldTime is how long a snapshot is kept, whether it is used or idle: call Rollback on idle
// connections that often. To begin one costs some microseconds.
const HoldTime = time.Millisecond

// walState is the header of the shared memory: the length of the log, the checksum of its end, and
// a count of commits.
type walState [12]uint32

// fileID tells the files of shared memory apart: two databases may be in states that look the same.
type fileID = walvfs.FileID

// hold is the snapshot that a connection keeps.
type hold struct {
	index *walIndex // nil if there is none
	tried bool
	// state was the latest when the transaction at hand began, or else when the connection was last
	// used; zero if unknown.
	state walState
	// since is when the transaction at hand began.
	since time.Time
	// began was the latest before the transaction at hand began; zero if that is unknown, or one
	// that writes. logless says that the file held all of it by then.
	began   walState
	logless bool
}

// Reuse makes ready to read the latest state: if the connection has kept a snapshot, it is still
// open afterwards, and of that state. A connection that finds the state of its last use begins to
// keep one.
func (c *Conn) Reuse() error {
	state, ok := c.latest()
	same := ok && state == c.hold.state
	if c.InTransaction() {
		if same && c.mayHold() {
			return nil
		}
		if err := c.Rollback(); err != nil {
			return err
		}
	}
	c.hold.state = walState{}
	if !ok {
		return nil
	}
	c.hold.state = state
	if !same {
		return nil
	}
	return c.Begin(false)
}

// Hold ends the transaction, unless it reads the latest state and may be kept for the next Reuse.
func (c *Conn) Hold() error {
	if c.InTransaction() {
		if state, ok := c.latest(); ok && state == c.hold.state && c.mayHold() {
			return nil
		}
	}
	return c.Rollback()
}

// mayHold says whether the snapshot at hand may be kept: it is young, or in nobody's way.
func (c *Conn) mayHold() bool { return c.hold.logless || time.Since(c.hold.since) < HoldTime }

// fileHolds says whether all of a state was copied from the log. More than that is said to have
// been only while the log begins anew.
func (c *Conn) fileHolds(state walState) bool { return c.hold.index.backfill() == state.frames() }

// hasLog says whether the database has a write-ahead log that others may write: what lies beside
// one that has none is of no use, however much it looks like the log's shared memory. As long as
// this connection is open nobody can take the log away. An error, such as that of a context that
// has ended, is no answer.
func (c *Conn) hasLog() (bool, error) {
	if !c.shared {
		return false, nil
	}
	s, err := c.Prepare(`PRAGMA journal_mode`)
	if err != nil {
		return false, err
	}
	defer s.Reset()
	there, err := s.Step()
	return err == nil && there && s.ColString(0) == "wal", err
}

// latest is the mark of the latest commit, if it can be told.
func (c *Conn) latest() (walState, bool) {
	h := &c.hold
	if !h.tried {
		there, err := c.hasLog()
		if path := c.c.Filename("main"); path != nil && there {
			h.index, err = openWALIndex(path.String(), c.watch) // without one, nothing is kept
		}
		h.tried = err == nil || there && !OutOfFiles(err)
	}
	if h.index == nil {
		return walState{}, false
	}
	return h.index.state()
}
