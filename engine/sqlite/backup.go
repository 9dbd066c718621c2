package sqlite

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// backupPages is how many pages Backup copies between looks at its context.
const backupPages = 512

// Backup copies the vault, as of one moment, beside its target and then renames the copy. Writers go on meanwhile.
func (s *Store) Backup(ctx context.Context, path string, progress func(done, total int64)) error {
	if path == "" {
		return fmt.Errorf("backup path is empty: %w", engine.ErrInvalid)
	}
	return makeFile("back up", path, func(tmp string) error { return s.copyTo(ctx, path, tmp, progress) })
}

// copyTo copies from one snapshot into tmp, for path: with it held, the online backup need not start again when somebody writes.
func (s *Store) copyTo(ctx context.Context, path, tmp string, progress func(done, total int64)) error {
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
		if driver.NoRoom(err) { // only the copy is written
			return ioError("back up to "+path, err)
		}
		return err
	})
}
