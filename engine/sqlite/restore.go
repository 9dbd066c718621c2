package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
)

// RestoreOptions configure Restore.
type RestoreOptions struct {
	// Table is the key-value table of the backup; empty as in Options.
	Table string
	// BusyTimeout is how long to wait for the vault to be closed, as in Options.
	BusyTimeout time.Duration
	// Progress is told how many of how many bytes are done. Each counts twice: it is copied, and
	// then read again.
	Progress func(done, total int64)
}

// Restore makes the vault file at path what the vault file backup is. It copies the backup, with
// what its log holds for it, to a partial file in the folder of path, checks all of the copy, and
// only then lets it take the place of the old file, whose log and journal it removes. The file
// keeps its permissions and owner; a new one gets those of the backup.
//
// Errors: ErrInvalid if the two are one file, or one is no regular file; ErrCorrupt if the backup
// is damaged; ErrBusy if the vault at path is open. The old vault is untouched then. After a crash
// there is the old vault with its log, or the new one.
func Restore(ctx context.Context, path, backup string, o *RestoreOptions) error {
	r, err := newRestore(ctx, path, backup, o)
	if err != nil {
		return err
	}
	info, err := os.Stat(backup)
	switch {
	case err != nil:
		return &engine.IOError{Op: "restore", Err: err}
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file: %w", backup, engine.ErrInvalid)
	case r.old != nil && os.SameFile(r.old, info):
		return fmt.Errorf("%s is the vault itself, not a backup of it: %w", backup, engine.ErrInvalid)
	}
	return r.run(info, func(tmp string) error { return r.copy(backup, tmp) })
}

// RestoreFrom is Restore for a backup that comes from a stream. A new file is for its owner alone.
func RestoreFrom(ctx context.Context, path string, backup io.Reader, o *RestoreOptions) error {
	r, err := newRestore(ctx, path, "the stream", o)
	if err != nil {
		return err
	}
	return r.run(nil, func(tmp string) error {
		f, err := os.OpenFile(tmp, os.O_WRONLY, 0)
		if err != nil {
			return &engine.IOError{Op: "restore", Err: err}
		}
		n, err := io.Copy(f, whileReader{ctx, backup})
		r.tell(n, 2*n)
		if err = errors.Join(err, f.Close()); err != nil && ctx.Err() == nil {
			return ioError("restore "+path, err)
		}
		return ctx.Err()
	})
}

// restore is one call of Restore.
type restore struct {
	ctx  context.Context
	opt  Options
	tell func(done, total int64)
	// path is the vault as the caller names it, target its file, and old what is there, if anything
	// is. backup is the backup's name.
	path, target, backup string
	old                  fs.FileInfo
}

func newRestore(ctx context.Context, path, backup string, o *RestoreOptions) (*restore, error) {
	if o == nil {
		o = &RestoreOptions{}
	}
	r := &restore{ctx: ctx, tell: o.Progress, path: path, backup: backup}
	if r.tell == nil {
		r.tell = func(int64, int64) {}
	}
	var err error
	if r.opt, err = (&Options{Table: o.Table, BusyTimeout: o.BusyTimeout, ReadOnly: true}).withDefaults(); err != nil {
		return nil, err
	}
	r.target, r.old, err = restoreTarget(path)
	return r, err
}

// run lets fill write the copy, checks it and puts it in its place. A new file gets the permissions
// and owner of like, if that is not nil.
func (r *restore) run(like fs.FileInfo, fill func(tmp string) error) error {
	tmp, err := newPartial(r.target)
	if err != nil {
		return ioError("restore", err)
	}
	defer removeDatabase(tmp)
	if err := fill(tmp); err != nil {
		return err
	}
	if r.old != nil {
		like = r.old
	}
	if err := finish(tmp, like); err != nil {
		return ioError("restore "+r.path, err)
	}
	if err := r.verify(tmp); err != nil {
		return err
	}
	return r.replace(tmp)
}

// restoreTarget finds the file that is to be replaced: where path is a link, what it leads to. The
// description is nil if there is none.
func restoreTarget(path string) (string, fs.FileInfo, error) {
	if path == "" || path == Memory {
		return "", nil, fmt.Errorf("the vault to restore must be a file: %w", engine.ErrInvalid)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", nil, &engine.IOError{Op: "restore", Err: err}
	}
	if err := checkSidecarName(abs); err != nil {
		return "", nil, err
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

// copy copies the backup in a file, with what its log holds for it.
func (r *restore) copy(backup, tmp string) error {
	src, err := Open(r.ctx, backup, &r.opt)
	if err != nil {
		return err
	}
	diskFull := func(err error) error { return ioError("restore "+r.path, err) }
	return errors.Join(src.copyTo(r.ctx, tmp, func(done, total int64) { r.tell(done, 2*total) }, diskFull), src.Close())
}

// verify checks the copy.
func (r *restore) verify(tmp string) error {
	info, err := os.Stat(tmp)
	if err != nil {
		return &engine.IOError{Op: "restore", Err: err}
	}
	opt := r.opt
	opt.name = r.backup // the partial file is gone by the time a message is read
	s, err := Open(r.ctx, tmp, &opt)
	if err != nil {
		return err
	}
	var first engine.Problem
	problems := 0
	err = s.Check(r.ctx, func(p engine.Problem) {
		if problems++; problems == 1 {
			first = p
		}
	}, func(done, total int64) {
		r.tell(info.Size()+int64(float64(info.Size())*float64(done)/float64(total)), 2*info.Size())
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
	return fmt.Errorf("%w: %s has %d problems, the first in %s: %v; nothing was replaced. Salvage makes a vault of what it still holds, which can be restored",
		engine.ErrCorrupt, r.backup, problems, name, first.Err)
}

// replace puts tmp in the place of the file at path.
//
// A crash in the middle must not leave the old log with the new file. So the old log is copied into
// the old file first, which fails where that is too damaged to be opened; then the new file takes
// the name, and its header says that no log is its own; and then the old log is removed. A journal
// has no such protection, and is removed before.
func (r *restore) replace(tmp string) error {
	path := r.target
	if r.old != nil {
		_ = foldLog(path)
		lock, err := driver.LockExclusive(r.ctx, driver.Config{Path: path, BusyTimeout: r.opt.BusyTimeout})
		if err != nil {
			return lockError(r.ctx, path, err)
		}
		if runtime.GOOS == "windows" { // which replaces no file that is open, in this process either
			err = lock.Close()
		} else {
			defer lock.Close()
		}
		if err != nil {
			return ioError("restore "+path, err)
		}
	}
	if _, err := os.Lstat(path); err == nil && r.old == nil { // it has been made since
		return fmt.Errorf("%s: %w", r.path, engine.ErrExists)
	}
	err := remove(path + "-journal")
	if err == nil && r.old == nil {
		err = publishFile(tmp, path)
	} else if err == nil {
		if err = os.Rename(tmp, path); err == nil {
			err = syncFolder(filepath.Dir(path))
		}
	}
	if err == nil {
		err = removeOldLog(path)
	}
	if err != nil {
		return ioError("restore "+path, err)
	}
	return nil
}

// removeOldLog removes the log of the file that the one at path replaced. Another program may have
// opened the new file already and made a log for it, which stays. A kvault program has set the old
// log aside then, or does so when it writes.
func removeOldLog(path string) error {
	lock, err := driver.LockExclusive(context.Background(), driver.Config{Path: path})
	if driver.KindOf(err) == driver.Busy {
		return nil
	}
	if err != nil {
		return err
	}
	logless, err := walvfs.Logless(path)
	if err == nil && logless {
		err = errors.Join(remove(path+"-wal"), remove(path+"-shm"))
	}
	return errors.Join(err, lock.Close(), syncFolder(filepath.Dir(path)))
}

func lockError(ctx context.Context, path string, err error) error {
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
