package walvfs

import (
	"sync"

	"github.com/ncruces/go-sqlite3/vfs"
)

// failedJournals are the paths of the journals that could not be synced.
var failedJournals sync.Map

func journalFailed(path string) bool {
	_, failed := failedJournals.Load(path)
	return failed
}

// journal is a rollback journal. One whose sync failed is written over itself before the next sync,
// as a log is: SQLite syncs a journal before it changes the database file, and again before it
// plays the journal back. No other connection writes it meanwhile.
type journal struct {
	vfs.File
	path string
}

func (f journal) Sync(flags vfs.SyncFlag) error {
	if journalFailed(f.path) {
		if err := rewrite(f.File, 0); err != nil {
			return err
		}
		flags |= vfs.SYNC_FULL // before it plays the journal back SQLite asks for less
	}
	if err := f.File.Sync(flags); err != nil {
		failedJournals.Store(f.path, nil)
		return err
	}
	failedJournals.Delete(f.path)
	return nil
}
