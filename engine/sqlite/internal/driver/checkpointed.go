package driver

import "io"

// CheckpointedFile is the file of a database that holds every page of a snapshot, so that the
// snapshot needs nothing of the log. Until the snapshot ends no byte of those pages changes: a
// checkpoint copies no frame that is later than a snapshot in use, and none at all while a snapshot
// is in use that began with an empty log (https://www.sqlite.org/wal.html#ckpt).
type CheckpointedFile struct {
	io.ReaderAt
	c       *Conn
	begun   int64
	version DataVersion
}

// CheckpointedFile returns the file under the connection's read transaction, or nil if the log
// holds some of the snapshot or that cannot be told.
func (c *Conn) CheckpointedFile() *CheckpointedFile {
	if f := c.checkpointed; f != nil && f.Valid() {
		return f
	}
	c.checkpointed = nil
	// Before and after, since a commit or a checkpoint may come between.
	if !c.isCheckpointed() || c.TakeSnapshot() != nil || !c.isCheckpointed() {
		return nil
	}
	file := c.mainFile()
	if file == nil {
		return nil
	}
	version := DataVersion{c.hold.began, c.hold.index.file}
	c.checkpointed = &CheckpointedFile{file, c, c.begun, version}
	return c.checkpointed
}

// isCheckpointed says whether the file holds all that a read transaction which begins now would
// see, or the present one sees.
func (c *Conn) isCheckpointed() bool {
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

// Valid says that the snapshot has not ended.
func (f *CheckpointedFile) Valid() bool { return f.c.begun == f.begun && f.c.InTransaction() }

// DataVersion is that of the snapshot.
func (f *CheckpointedFile) DataVersion() DataVersion { return f.version }

// frames is how many pages the log holds.
func (s walState) frames() uint32 { return s[4] }
