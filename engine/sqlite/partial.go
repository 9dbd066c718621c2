package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
	"github.com/kohakuvault/kvault/internal/process"
)

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

// syncFolder makes the names in a folder durable. Windows does so by itself, and opens no folder for it.
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
