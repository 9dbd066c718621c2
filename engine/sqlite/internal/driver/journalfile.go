package driver

import (
	"sync"

	"github.com/ncruces/go-sqlite3/vfs"
)

// failedJournals are the paths of journals that could not be synced.
var failedJournals sync.Map

// journalFile is a rollback journal. One that could not be synced is written again before the next sync, as a log is: SQLite syncs a journal
// before it changes the file, and again before it plays it back. Nobody else writes it meanwhile.
type journalFile struct {
	vfs.File
	path string
}

func (f journalFile) Sync(flags vfs.SyncFlag) error {
	if _, failed := failedJournals.Load(f.path); failed {
		if err := rewrite(f.File, 0); err != nil {
			return err
		}
		flags |= vfs.SYNC_FULL // before it is played back SQLite asks for less
	}
	if err := f.File.Sync(flags); err != nil {
		failedJournals.Store(f.path, nil)
		return err
	}
	failedJournals.Delete(f.path)
	return nil
}
