package kvault

import (
	"context"
	"io"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// Loss is something that Salvage could not bring over, or could bring over only with a doubt.
type Loss = engine.Loss

// SalvageOptions configure Salvage. Nil and the zero value bring over all that can be.
type SalvageOptions struct {
	// Table is the only table of keys to bring over; empty means all. Columns, which have no part in tables, come with each.
	Table string
	// OnLoss is told each loss as it is found.
	OnLoss func(Loss)
	// Progress is told how many keys and arrays of columns have been brought over.
	Progress func(done int64)
}

// SalvageReport is what Salvage brought over.
type SalvageReport struct {
	// Keys is how many values are in the new vault, and Bytes their size.
	Keys, Bytes int64
	// Columns is how many arrays are there; a column whose elements differ in size is two.
	Columns int64
	// Unproven is how many of the values had no checksum to prove them, as those of other programs
	// have none. They are told as doubts.
	Unproven int64
	// Unconfirmed is how many of the keys the index of keys does not confirm, because it is damaged there. Such a key can be an altered one:
	// no checksum covers it. Each is told as a doubt, or one doubt of the table tells all if nothing is left of the index.
	Unconfirmed int64
	// Losses is how many losses were told. Doubts is how many of them are of something that was brought over all the same.
	Losses, Doubts int64
}

// Salvage copies what can be read of a damaged vault, the file src, into a new one, the file dst. src is only read; nobody may
// write it meanwhile. Check says whether a vault needs it.
//
// Every value that is given back is whole, with its metadata, and was held against its checksum. A
// value without one is told as a doubt, or one doubt tells of all values of a table that has no
// checksums. Its key was held against the index of keys, as the name of a column is. OnLoss is told
// what is doubtful about a value, and what could not be read: by key or column wherever anything in
// the file still names it, else as a range of rows. A column has no checksum: it is lost unless all
// of it can be read, and bytes altered within go unseen. Tables of other programs are not copied,
// but named.
//
// Errors: ErrNoVault if src does not exist, ErrInvalid if it is no file, ErrExists if dst exists, and ErrCorrupt if nothing of a vault is
// to be found in src. dst is made only if the error is nil. The report is never nil.
func Salvage(ctx context.Context, src, dst string, o *SalvageOptions) (*SalvageReport, error) {
	r, err := sqlite.Salvage(ctx, src, dst, (*sqlite.SalvageOptions)(o))
	return (*SalvageReport)(r), fail("salvage", "", err)
}

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
