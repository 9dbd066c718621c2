package driver

import "io"

// Rest is the file of a database whose snapshot needs nothing of the log. Until the snapshot ends no byte of it changes that
// belongs to a page of the snapshot: a checkpoint copies no frame that is later than a snapshot in use, and none at all
// while a snapshot is in use that began with an empty log (https://www.sqlite.org/wal.html#ckpt).
type Rest struct {
	io.ReaderAt
	c     *Conn
	begun int64
}

// AtRest returns the file under the read transaction at hand, which must have read something, or nil if the log holds some of it or
// that cannot be told.
func (c *Conn) AtRest() *Rest {
	if !c.InTransaction() || c.hold.began == (walState{}) {
		return nil
	}
	state, ok := c.latest()
	if !ok || state != c.hold.began { // the snapshot is of what the mark was just before, unless somebody committed between
		return nil
	}
	if copied := c.hold.index.copied(); copied < state.frames() {
		return nil
	}
	if state, ok = c.latest(); !ok || state != c.hold.began { // or the log may have begun anew
		return nil
	}
	file := c.mainFile()
	if file == nil {
		return nil
	}
	if c.noted != c.hold.began {
		c.noted, c.note = c.hold.began, nil
	}
	return &Rest{inParts(file), c, c.begun}
}

// Note is what the caller noted of the file on this connection, nil if nothing. A note lasts for as long as nobody commits,
// through any number of snapshots: they all have the same pages.
func (r *Rest) Note() any { return r.c.note }

// SetNote replaces the note.
func (r *Rest) SetNote(note any) { r.c.note = note }

// Valid says that the snapshot has not ended.
func (r *Rest) Valid() bool { return r.c.begun == r.begun && r.c.InTransaction() }

// frames is how many pages the log holds.
func (s walState) frames() uint32 { return s[4] }
