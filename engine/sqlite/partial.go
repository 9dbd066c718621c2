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
)

// makeFile lets fill write to an empty file beside path, and gives it that name once it is complete.
func makeFile(op, path string, fill func(tmp string) error) error {
	for _, suffix := range databaseSuffixes { // SQLite would take a log that was left there for the new file's own
		if _, err := os.Lstat(path + suffix); err == nil {
			return fmt.Errorf("%s is there already; choose another name or remove it: %w", path+suffix, engine.ErrExists)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return ioError(op, err)
		}
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.partial")
	if err != nil {
		return ioError(op, err)
	}
	defer removeDatabase(tmp.Name())
	if err := tmp.Close(); err != nil {
		return ioError(op, err)
	}
	if err := fill(tmp.Name()); err != nil {
		return err
	}
	if err := foldLog(tmp.Name()); err != nil {
		return ioError(op+" to "+path, err)
	}
	if err := publishFile(tmp.Name(), path); err != nil {
		return ioError(op, err)
	}
	return nil
}

// foldLog copies the log of a closed database into it, if there is one. SQLite's own attempt to, when the last connection closes, fails
// without a word, and the file alone would be a part of what was written.
func foldLog(path string) error {
	if info, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	c, err := driver.Open(context.Background(), driver.Config{Path: abs})
	if err != nil {
		return err
	}
	log, done := 0, 0
	if err = c.Exec(`SELECT 1 FROM sqlite_schema LIMIT 1`); err == nil { // before its first look a connection knows of no log
		log, done, err = c.Checkpoint(true)
	}
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

// publishFile makes a complete file durable under a name that must not be taken.
func publishFile(tmp, path string) error {
	f, err := os.OpenFile(tmp, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	err = os.Link(tmp, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(tmp, path) // a file system without hard links
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
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
