package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// RestoreOptions configure Restore.
type RestoreOptions struct {
	// Table is the key-value table of the backup; empty as in Options.
	Table string
	// BusyTimeout is how long to wait for the vault to be closed, as in Options.
	BusyTimeout time.Duration
	// Progress is told how many of how many bytes are done. Each counts twice: it is copied, and then read again.
	Progress func(done, total int64)
}

// Restore makes the vault file at path what the vault file backup is. It copies the backup, with what its log holds for it, to a partial file
// in the folder of path, checks all of the copy, and only then lets it take the place of the old file, whose log and journal it removes. The
// file keeps its permissions and owner; a new one gets those of the backup.
//
// Errors: ErrInvalid if the two are one file, or one is no regular file; ErrCorrupt if the backup is damaged; ErrBusy if the
// vault at path is open. The old vault is untouched then. After a crash there is the old vault with its log, or the new one.
func Restore(ctx context.Context, path, backup string, o *RestoreOptions) error {
	if o == nil {
		o = &RestoreOptions{}
	}
	opt, err := (&Options{Table: o.Table, BusyTimeout: o.BusyTimeout}).withDefaults()
	if err != nil {
		return err
	}
	target, old, err := restoreTarget(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(backup)
	switch {
	case err != nil:
		return &engine.IOError{Op: "restore", Err: err}
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file: %w", backup, engine.ErrInvalid)
	case old != nil && os.SameFile(old, info):
		return fmt.Errorf("%s is the vault itself, not a backup of it: %w", backup, engine.ErrInvalid)
	}
	tmp, err := newPartial(target)
	if err != nil {
		return ioError("restore", err)
	}
	defer removeDatabase(tmp)
	if err := o.copy(ctx, path, backup, tmp); err != nil {
		return err
	}
	like := old
	if old == nil {
		like = info
	}
	if err := finish(tmp, like); err != nil {
		return ioError("restore "+path, err)
	}
	if err := o.verify(ctx, backup, tmp); err != nil {
		return err
	}
	return replace(ctx, tmp, target, old != nil, opt.BusyTimeout)
}

// restoreTarget finds the file that is to be replaced: where path is a link, what it leads to. The description is nil if there is none.
func restoreTarget(path string) (string, fs.FileInfo, error) {
	if path == "" || path == Memory {
		return "", nil, fmt.Errorf("the vault to restore must be a file: %w", engine.ErrInvalid)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", nil, &engine.IOError{Op: "restore", Err: err}
	}
	if _, err := os.Lstat(abs); errors.Is(err, fs.ErrNotExist) {
		return abs, nil, nil
	}
	target, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return "", nil, &engine.IOError{Op: "restore", Err: err}
	}
	info, err := os.Stat(target)
	switch {
	case err != nil:
		return "", nil, &engine.IOError{Op: "restore", Err: err}
	case !info.Mode().IsRegular():
		return "", nil, fmt.Errorf("%s is no regular file: %w", path, engine.ErrInvalid)
	}
	return target, info, nil
}

func (o *RestoreOptions) copy(ctx context.Context, path, backup, tmp string) error {
	src, err := Open(ctx, backup, &Options{Table: o.Table, ReadOnly: true, BusyTimeout: o.BusyTimeout})
	if err != nil {
		return err
	}
	noRoom := func(err error) error { return ioError("restore "+path, err) }
	return errors.Join(src.copyTo(ctx, tmp, func(done, total int64) { o.tell(done, 2*total) }, noRoom), src.Close())
}

func (o *RestoreOptions) tell(done, total int64) {
	if o.Progress != nil {
		o.Progress(done, total)
	}
}

// verify checks the copy.
func (o *RestoreOptions) verify(ctx context.Context, backup, tmp string) error {
	info, err := os.Stat(tmp)
	if err != nil {
		return &engine.IOError{Op: "restore", Err: err}
	}
	s, err := Open(ctx, tmp, &Options{Table: o.Table, ReadOnly: true})
	if err != nil {
		return err
	}
	s.path = backup // for messages: the partial file is gone by the time somebody reads them
	var first engine.Problem
	problems := 0
	err = s.Check(ctx, func(p engine.Problem) {
		if problems++; problems == 1 {
			first = p
		}
	}, func(done, total int64) {
		o.tell(info.Size()+int64(float64(info.Size())*float64(done)/float64(total)), 2*info.Size())
	})
	if err = errors.Join(err, s.Close()); err != nil || problems == 0 {
		return err
	}
	name := "the file"
	if first.Key != "" {
		name = fmt.Sprintf("key %q", first.Key)
	} else if first.Column != "" {
		name = fmt.Sprintf("column %q", first.Column)
	}
	return fmt.Errorf("%w: the backup %s has %d problems, the first in %s: %v; nothing was replaced. Salvage makes a vault of what it still holds, which can be restored",
		engine.ErrCorrupt, backup, problems, name, first.Err)
}

// replace puts tmp in the place of the file at path.
//
// A crash in the middle must not leave the old log with the new file. So the old log is copied into the old file first, which fails where
// that is too damaged to be opened; then the new file takes the name, and its header says that no log is its own; and then the old log is removed.
// A journal has no such protection, and is removed before.
func replace(ctx context.Context, tmp, path string, exists bool, timeout time.Duration) error {
	if exists {
		_ = foldLog(path)
		lock, err := driver.LockAlone(ctx, driver.Config{Path: path, BusyTimeout: timeout})
		if err != nil {
			return notAlone(ctx, path, err)
		}
		if runtime.GOOS == "windows" { // which renames nothing to an open file, whoever has it open
			err = lock.Close()
		} else {
			defer lock.Close()
		}
		if err != nil {
			return ioError("restore "+path, err)
		}
	}
	err := remove(path + "-journal")
	if err == nil && !exists {
		err = remove(path + "-wal")
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err == nil {
		err = errors.Join(remove(path+"-wal"), remove(path+"-shm"), syncFolder(filepath.Dir(path)))
	}
	if err != nil {
		return ioError("restore "+path, err)
	}
	return nil
}

func notAlone(ctx context.Context, path string, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case driver.KindOf(err) == driver.Busy:
		return fmt.Errorf("%w: %s is open in a process; end that first: %w", engine.ErrBusy, path, err)
	}
	return ioError("restore "+path, err)
}

// remove removes a file that need not be there.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
