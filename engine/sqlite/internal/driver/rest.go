package driver

import "io"

// Rest is the file of a database whose snapshot needs nothing of the log. Until the snapshot ends no byte of it changes that
// belongs to a page of the snapshot: a checkpoint copies no frame that is later than a snapshot in use, and none at all
// while a snapshot is in use that began with an empty log (https://www.sqlite.org/wal.html#ckpt).
type Rest struct {
	io.ReaderAt
	c     *Conn
	begun int64
	mark  Mark
}

// AtRest returns the file under the read transaction at hand, or nil if the log holds some of it or that cannot be told.
func (c *Conn) AtRest() *Rest {
	if r := c.rest; r != nil && r.Valid() {
		return r
	}
	c.rest = nil
	if !c.copied() || c.TakeSnapshot() != nil || !c.copied() { // the snapshot is of what the mark was all the while
		return nil
	}
	file := c.mainFile()
	if file == nil {
		return nil
	}
	c.rest = &Rest{inParts(file), c, c.begun, Mark{c.hold.began, c.hold.index.file}}
	if c.noted != c.rest.mark {
		c.noted, c.note = c.rest.mark, nil
	}
	return c.rest
}

// copied says whether the file holds all that a read transaction that begins now would see, or the one at hand sees.
func (c *Conn) copied() bool {
	if !c.InTransaction() || c.hold.began == (walState{}) {
		return false
	}
	state, ok := c.latest()
	if !ok || state != c.hold.began || !c.fileHolds(state) {
		return false
	}
	state, ok = c.latest() // the log may have begun anew
	return ok && state == c.hold.began
}

// Note is what the caller noted of the file on this connection, nil if nothing. A note lasts for as long as nobody commits,
// through any number of snapshots: they all have the same pages.
func (r *Rest) Note() any { return r.c.note }

// SetNote replaces the note.
func (r *Rest) SetNote(note any) { r.c.note = note }

// Valid says that the snapshot has not ended.
func (r *Rest) Valid() bool { return r.c.begun == r.begun && r.c.InTransaction() }

// Mark stands for the state that the file is in.
func (r *Rest) Mark() Mark { return r.mark }

// frames is how many pages the log holds.
func (s walState) frames() uint32 { return s[4] }
