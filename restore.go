package kvault

import (
	"context"
	"io"
	"time"

	"github.com/kohakuvault/kvault/engine/sqlite"
)

// RestoreOptions configure Restore. Nil and the zero value are the defaults.
type RestoreOptions struct {
	// Table is the table of keys that the backup is checked for; empty as in Options. All tables
	// are restored.
	Table string
	// BusyTimeout is how long to wait for the vault to be closed, as in Options: 5 s by default,
	// negative does not wait.
	BusyTimeout time.Duration
	// Progress is told how many of how many bytes are done. Each counts twice: it is copied, and
	// the copy is read again.
	Progress func(done, total int64)
}

// Restore makes the vault in the file at path what the vault in the file backup is: one that Backup
// wrote, or any other. Whatever was in path is gone then, with its log. Do not copy a file over a
// vault instead: SQLite may play the old vault's log into it.
//
// The backup is copied, with what its own log holds for it, and the copy is checked as Check does,
// before anything of the old vault changes; that needs space for the copy in the folder of path.
// The file at path keeps its permissions and, where the process may give it, its owner; a new file
// gets those of the backup. A crash leaves the old vault, or the new one.
//
// No process may have the vault open: ErrBusy if one has. Restore cannot see a process that opened
// it with DisableWAL and is idle. ErrCorrupt if the backup is damaged: Salvage makes a sound vault
// of what it still holds. ErrInvalid if path and backup are one file.
func Restore(ctx context.Context, path, backup string, o *RestoreOptions) error {
	return fail("restore", "", sqlite.Restore(ctx, path, backup, o.engine()))
}

// RestoreFrom is Restore with a backup that comes from a stream, as BackupTo wrote it. A file that
// is not there yet is made for its owner alone. A stream that ends early is a damaged backup.
func RestoreFrom(ctx context.Context, path string, backup io.Reader, o *RestoreOptions) error {
	return fail("restore", "", sqlite.RestoreFrom(ctx, path, backup, o.engine()))
}

func (o *RestoreOptions) engine() *sqlite.RestoreOptions {
	if o == nil {
		return nil
	}
	return &sqlite.RestoreOptions{Table: o.Table, BusyTimeout: o.BusyTimeout, Progress: o.Progress}
}
