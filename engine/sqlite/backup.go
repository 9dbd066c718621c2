package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
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
	// What cannot be examined is no folder of the vault's, and has an error of its own when the copy is made.
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
// when another connection writes. Only the copy is written, so noRoom explains a full disk.
func (s *Store) copyTo(ctx context.Context, tmp string, progress func(done, total int64), noRoom func(error) error) error {
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
		if driver.NoRoom(err) {
			return noRoom(err)
		}
		return err
	})
}
