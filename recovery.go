package kvault

import (
	"context"
	"io"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// Loss is something that Salvage could not copy, or copied with a doubt. Its fields are
// those of [engine.Loss].
type Loss = engine.Loss

// SalvageOptions configure Salvage. Nil and the zero value copy everything that can be copied.
type SalvageOptions struct {
	// Table is the only table of keys to copy; empty means all. Columns belong to no table, and are
	// always copied.
	Table string
	// OnLoss, if not nil, is called with each loss as it is found.
	OnLoss func(Loss)
	// Progress, if not nil, is called with the number of keys and arrays of columns copied so far.
	Progress func(done int64)
}

// SalvageReport says what Salvage has copied.
type SalvageReport struct {
	// Keys is the number of values in the new vault, and Bytes their total size.
	Keys, Bytes int64
	// Columns is the number of arrays; a column whose elements differ in size has two.
	Columns int64
	// Unproven is the number of values without a checksum, such as those of other programs. They
	// are reported as doubts.
	Unproven int64
	// Unconfirmed is the number of keys that the index of keys does not confirm, because the index
	// is damaged there. Such a key may be altered: no checksum covers it. Each is reported as a
	// doubt, or one doubt covers the whole table if nothing is left of the index.
	Unconfirmed int64
	// Losses is the number of losses reported. Doubts is the number of those that were copied
	// nevertheless.
	Losses, Doubts int64
}

// Salvage copies what can be read of a damaged vault, the file src, into a new vault, the file dst.
// It only reads src, which no program may write meanwhile. Check shows whether a vault needs it.
//
// Every value that Salvage copies is whole, with its metadata, and matches its checksum. A value
// without a checksum is reported as a doubt, or one doubt covers all values of a table that has
// none. Salvage compares each key, and the name of each column, with its index. OnLoss receives
// what is doubtful about a value, and what could not be read: by key or column if anything in the
// file still names it, otherwise as a range of rows. A column has no checksum: it is lost unless
// all of it can be read, and altered bytes in it go unnoticed. Tables of other programs are not
// copied, but reported by name.
//
// Errors: ErrNoVault if src does not exist, ErrInvalid if it is no file, ErrExists if dst exists,
// and ErrCorrupt if src holds nothing of a vault. dst is made only if the error is nil. The report
// is never nil.
func Salvage(ctx context.Context, src, dst string, o *SalvageOptions) (*SalvageReport, error) {
	r, err := sqlite.Salvage(ctx, src, dst, (*sqlite.SalvageOptions)(o))
	return (*SalvageReport)(r), fail("salvage", "", err)
}

// RestoreOptions configure Restore. Nil and the zero value are the defaults.
type RestoreOptions struct {
	// Table is the table of keys that the backup must have; empty as in Options. All tables are
	// restored.
	Table string
	// BusyTimeout is the longest wait until the vault is closed, as in Options. Default 5 s. If it is
	// negative, Restore does not wait.
	BusyTimeout time.Duration
	// Progress, if not nil, is called with the number of bytes done and of all bytes. Each byte
	// counts twice: it is copied, and the copy is read again.
	Progress func(done, total int64)
}

// Restore replaces the vault in the file at path by the one in the file backup, which Backup wrote,
// or any other vault. The old content of path is lost, with its log. Do not copy a file over a
// vault instead: SQLite may play the old vault's log into it.
//
// Restore copies the backup, its own log included, and checks the copy as Check does, before it
// changes anything of the old vault. That needs space for the copy in the folder of path. The file
// at path keeps its permissions and, where the process may set it, its owner; a new file gets those
// of the backup. A crash leaves the old vault, or the new one.
//
// No process may have the vault open: ErrBusy if one has. Restore cannot see a process that opened
// it with DisableWAL and is idle. ErrCorrupt if the backup is damaged: Salvage makes a sound vault
// of what can still be read. ErrInvalid if path and backup are one file.
func Restore(ctx context.Context, path, backup string, o *RestoreOptions) error {
	return fail("restore", "", sqlite.Restore(ctx, path, backup, o.engine()))
}

// RestoreFrom is Restore with a backup from a stream, as BackupTo writes it. A new file is readable
// and writable by its owner alone. A stream that ends early is a damaged backup.
func RestoreFrom(ctx context.Context, path string, backup io.Reader, o *RestoreOptions) error {
	return fail("restore", "", sqlite.RestoreFrom(ctx, path, backup, o.engine()))
}

func (o *RestoreOptions) engine() *sqlite.RestoreOptions {
	if o == nil {
		return nil
	}
	return &sqlite.RestoreOptions{Table: o.Table, BusyTimeout: o.BusyTimeout, Progress: o.Progress}
}
