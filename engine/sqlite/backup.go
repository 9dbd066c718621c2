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
	"strings"
	"syscall"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
	"github.com/kohakuvault/kvault/internal/process"
)

// backupPages is how many pages Backup copies between looks at its context.
const backupPages = 512

// Backup copies the vault, as of one moment, to a partial file in the folder of path, which then
// gets that name. Writers go on meanwhile. The copy has the permissions of the vault and, if the
// process may give it, its owner.
func (s *Store) Backup(ctx context.Context, path string, progress func(done, total int64)) error {
	if path == "" {
		return fmt.Errorf("backup path is empty: %w", engine.ErrInvalid)
	}
	like, err := s.refuseTarget(path)
	if err != nil {
		return err
	}
	return makeFile("back up", path, like, func(tmp string) error {
		return s.copyTo(ctx, tmp, progress, func(err error) error { return ioError("back up to "+path, err) })
	})
}

// BackupTo writes to w what Backup writes to a file. The copy is a temporary file first, in the
// folder that TMPDIR names.
func (s *Store) BackupTo(ctx context.Context, w io.Writer, progress func(done, total int64)) error {
	tmp, err := newPartial(filepath.Join(os.TempDir(), "kvault-backup"))
	if err != nil {
		return tempError(err)
	}
	defer removeDatabase(tmp)
	if err := s.copyTo(ctx, tmp, progress, tempError); err != nil {
		return err
	}
	if err := finish(tmp, nil); err != nil {
		return tempError(err)
	}
	f, err := os.Open(tmp)
	if err != nil {
		return tempError(err)
	}
	defer f.Close()
	removeDatabase(tmp) // a process that is killed from here on leaves nothing, where an open file can lose its name
	if _, err := io.Copy(w, whileReader{ctx, f}); err != nil && ctx.Err() == nil {
		return &engine.IOError{Op: "write the backup", Err: err}
	}
	return ctx.Err()
}

// whileReader reads until ctx ends.
type whileReader struct {
	ctx context.Context
	io.Reader
}

func (r whileReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// refuseTarget refuses a backup with a name that SQLite uses for a file of the vault, and describes
// the vault's file. It is nil for a vault in memory.
func (s *Store) refuseTarget(path string) (fs.FileInfo, error) {
	if s.conf.Memory {
		return nil, nil
	}
	own, err := filepath.EvalSymlinks(s.conf.Path)
	if errors.Is(err, fs.ErrNotExist) { // it was removed: a connection that is open can still read it, and a new one says so
		return nil, nil
	}
	if err != nil {
		return nil, ioError("back up", err)
	}
	like, err := os.Stat(own)
	if err != nil {
		return nil, ioError("back up", err)
	}
	// What cannot be examined is no folder of the vault's, and has an error of its own when the
	// copy is made.
	folder, _ := os.Stat(filepath.Dir(own))
	target, _ := os.Stat(filepath.Dir(path))
	if folder == nil || target == nil || !os.SameFile(folder, target) {
		return like, nil
	}
	for _, suffix := range databaseSuffixes[1:] {
		if strings.EqualFold(filepath.Base(path), filepath.Base(own)+suffix) {
			return nil, fmt.Errorf("%s is the name that SQLite gives to a file of the vault itself, and would be played into it; choose another name: %w",
				path, engine.ErrInvalid)
		}
	}
	return like, nil
}

// copyTo copies from one snapshot into tmp: with it held, the online backup need not start again
// when another connection writes. Only the copy is written, so diskFull explains a full disk.
func (s *Store) copyTo(ctx context.Context, tmp string, progress func(done, total int64), diskFull func(error) error) error {
	abs, err := filepath.Abs(tmp)
	if err != nil {
		return &engine.IOError{Op: "back up", Err: err}
	}
	return s.read(ctx, s.streams, true, func(ses *session) error {
		if err := ses.c.TakeSnapshot(); err != nil {
			return err
		}
		size, err := pragma(ses.c, "page_size")
		if err != nil {
			return err
		}
		err = ses.c.Backup(abs, backupPages, func(remaining, total int) error {
			if progress != nil {
				progress(int64(total-remaining)*size, int64(total)*size)
			}
			return ctx.Err()
		})
		if driver.IsDiskFull(err) {
			return diskFull(err)
		}
		return err
	})
}

// Create lets fill make a database of the empty file tmp, in the folder of path, which it must have
// closed when it returns. If it returns nil, the file gets the name path, durably; otherwise
// nothing of it is left. engine.ErrExists if the name, or that of a log for it, is taken.
func Create(path string, fill func(tmp string) error) error {
	return makeFile("create", path, nil, fill)
}

// makeFile lets fill write to an empty file in the folder of path, and gives it that name once it
// is complete. The file gets the permissions and the owner of like, if that is not nil.
func makeFile(op, path string, like fs.FileInfo, fill func(tmp string) error) error {
	for _, suffix := range databaseSuffixes { // SQLite would take a log that was left there for the new file's own
		if _, err := os.Lstat(path + suffix); err == nil {
			return fmt.Errorf("%s is there already; choose another name or remove it: %w", path+suffix, engine.ErrExists)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return ioError(op, err)
		}
	}
	tmp, err := newPartial(path)
	if err != nil {
		return ioError(op, err)
	}
	defer removeDatabase(tmp)
	if err := fill(tmp); err != nil {
		return err
	}
	if err := finish(tmp, like); err != nil {
		return ioError(op+" to "+path, err)
	}
	if err := publishFile(tmp, path); err != nil {
		return ioError(op, err)
	}
	return nil
}

// newPartial makes an empty file that is to become path, after it removed what processes that were
// killed left in the folder.
func newPartial(path string) (string, error) {
	dir := filepath.Dir(path)
	entries, _ := os.ReadDir(dir) // a folder that may not be listed can still take a file
	process.SweepPartials(entries, func(name string) error { return os.Remove(filepath.Join(dir, name)) })
	name := filepath.Join(dir, process.PartialName(filepath.Base(path)))
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	return name, f.Close()
}

// finish completes a closed database for the place where it is to be: all of it is in the one file,
// whose header says so. A log that was left in that place is then known to be another file's.
func finish(tmp string, like fs.FileInfo) error {
	if err := foldLog(tmp); err != nil {
		return err
	}
	f, err := os.OpenFile(tmp, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = walvfs.MarkLogless(f)
	if like != nil {
		_ = walvfs.Liken(f, like) // a file system without permissions leaves the file as it is
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// foldLog copies the log of a closed database into it, if there is one. SQLite's own attempt to,
// when the last connection closes, fails without a word, and the file alone would be a part of what
// was written.
func foldLog(path string) error {
	if info, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	c, err := openSparing(context.Background(), driver.Config{Path: abs}, lookAtFile)
	if err != nil {
		return err
	}
	log, done, err := c.Checkpoint(true)
	if err == nil && done < log {
		err = fmt.Errorf("%d of %d pages of its log could not be copied into it", log-done, log)
	}
	return errors.Join(err, c.Close())
}

// databaseSuffixes are those of a database's files.
var databaseSuffixes = [...]string{"", "-wal", "-shm", "-journal"}

func removeDatabase(path string) {
	for _, suffix := range databaseSuffixes {
		_ = os.Remove(path + suffix) // most of them are not there
	}
}

// publishFile gives a complete file a name that must not be taken.
func publishFile(tmp, path string) error {
	if err := renameNew(tmp, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// renameNew gives a file a name that must not be taken. A file with two names is refused when it is
// opened, even for a moment.
func renameNew(tmp, path string) error {
	err := walvfs.RenameNoReplace(tmp, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if err = os.Link(tmp, path); err == nil {
		return os.Remove(tmp)
	}
	if !errors.Is(err, fs.ErrExist) {
		err = os.Rename(tmp, path) // a file system without hard links
	}
	return err
}

// syncFolder makes the names in a folder durable. Windows does so by itself, and opens no folder
// for it.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		err = nil // a file system that has nothing to do for it
	}
	return errors.Join(err, d.Close())
}
