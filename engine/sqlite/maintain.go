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
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// alone runs fn on the writer's connection outside any transaction.
func (s *Store) alone(ctx context.Context, fn func(c *driver.Conn) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if s.writer == nil {
		return s.readOnly()
	}
	w := s.writer
	since := w.waited.Load()
	if err := w.take(ctx); err != nil {
		return err
	}
	defer w.release()
	if err := w.copyingEnds(ctx); err != nil {
		return err
	}
	defer s.reads.pause()() // a snapshot that is kept would stand in the way of a rebuild, or of emptying the log
	w.conn.SetContext(ctx)
	w.conn.SetPatience(w.patience(since))
	defer func() {
		w.repair()
		w.conn.SetContext(context.Background())
	}()
	if err := w.conn.MendLog(); err != nil {
		return s.explain(ctx, err)
	}
	if err := w.syncLevel(false); err != nil {
		return s.explain(ctx, err)
	}
	return s.explain(ctx, fn(w.conn))
}

// Optimize removes what nothing refers to, rebuilds the file without gaps, refreshes the planner's statistics and empties
// the write-ahead log. It needs as much free space as the vault is large, both in the folder for temporary files and beside the vault.
// Blobs that are open do not stand in its way, unless their value was replaced. Where a snapshot of an earlier state is being read, by this process
// or another, the rebuilt file stays in the log, without an error: a later checkpoint shortens the file, or the last Close.
func (s *Store) Optimize(ctx context.Context) error {
	if err := s.collect(ctx); err != nil {
		return err
	}
	return s.alone(ctx, func(c *driver.Conn) error {
		// A file that another program made without it gets auto-vacuum here, so that Shrink works from now on.
		for _, sql := range []string{`PRAGMA auto_vacuum=INCREMENTAL`, `VACUUM`, `PRAGMA optimize=0x10002`} {
			if err := s.execWithTempFile(c, sql); err != nil {
				return s.rebuildError(err)
			}
		}
		return s.truncateLog(ctx, c)
	})
}

// execWithTempFile lets SQLite keep its copy of the whole database in a temporary file: memory may not hold it.
func (s *Store) execWithTempFile(c *driver.Conn, sql string) error {
	if s.conf.Memory {
		return c.Exec(sql)
	}
	if err := c.Exec(`PRAGMA temp_store=FILE`); err != nil {
		return err
	}
	err := c.Exec(sql)
	if end := c.Exec(`PRAGMA temp_store=MEMORY`); err == nil {
		err = end // after an error the setting may stay: it costs other statements a little speed
	}
	return err
}

// emptyLog empties the log if it can.
func (s *Store) emptyLog(ctx context.Context) error {
	return s.alone(ctx, func(c *driver.Conn) error { return s.truncateLog(ctx, c) })
}

// truncateLog empties the log, unless a reader needs it; a later checkpoint does it then. Blobs are moved to snapshots that need nothing of
// it. Snapshots that are kept between two reads are waited for, those of unknown length are not: no one can write meanwhile.
func (s *Store) truncateLog(ctx context.Context, c *driver.Conn) error {
	blobs := s.blobs()
	advanceAll(blobs) // to the latest state, so that all of it can be copied
	if log, done, err := c.Checkpoint(false); err == nil && done == log {
		advanceAll(blobs)
	}
	limited, cancel := context.WithTimeout(ctx, 2*driver.HoldPeriod)
	defer cancel()
	c.SetContext(limited)
	defer c.SetContext(ctx)
	_, _, err := c.Checkpoint(true)
	if kind := driver.KindOf(err); ctx.Err() == nil && (kind == driver.Busy || kind == driver.Interrupted) {
		return nil
	}
	return err
}

// collect makes orphans of all that nothing refers to, and sweeps.
func (s *Store) collect(ctx context.Context) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if s.writer == nil {
		return s.readOnly()
	}
	err := s.writer.do(&request{ctx: ctx, run: func(ses *session) error {
		if err := ses.condemn(); err != nil {
			return err
		}
		ses.orphaned = true
		if err := ses.run(`INSERT OR IGNORE INTO ` + orphansTable + ` SELECT id FROM ` + valuesTable + ` WHERE owner IS NULL`); err != nil {
			return err
		}
		// The sweeper keeps those that are referenced.
		return ses.run(`DELETE FROM ` + quoted(ses.t.meta()) + ` WHERE id NOT IN (SELECT ` + ses.t.rowID + ` FROM ` + quoted(ses.t.name) + `)`)
	}})
	if err != nil {
		return err
	}
	return s.writer.sweep(ctx)
}

// shrinkPages is how many pages one step of Shrink gives back.
const shrinkPages = 256

// Shrink sweeps orphans and then cuts free pages off the end of the file, some at a time.
func (s *Store) Shrink(ctx context.Context, budget time.Duration) (int64, error) {
	deadline := time.Now().Add(budget)
	limited, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	if err := s.shrinkable(ctx); err != nil {
		return 0, err
	}
	before, err := s.freePages(ctx)
	if err != nil {
		return 0, err
	}
	err = s.writer.sweep(limited)
	for free := int64(1); err == nil && free > 0; {
		free, err = s.shrinkStep(limited, shrinkPages)
	}
	switch {
	case err == nil:
	case ctx.Err() != nil: // err can be that of the limit
		return 0, engine.ContextErr(ctx)
	case !errors.Is(err, context.DeadlineExceeded):
		return 0, err
	}
	if err := s.emptyLog(ctx); err != nil {
		return 0, err
	}
	after, err := s.freePages(ctx)
	return max(0, (before.total-after.total)*before.size), err
}

// shrinkStep gives back so many pages, and returns how many are free still.
func (s *Store) shrinkStep(ctx context.Context, pages int) (free int64, err error) {
	err = s.alone(ctx, func(c *driver.Conn) error {
		if err := c.Exec(fmt.Sprintf(`PRAGMA incremental_vacuum(%d)`, pages)); err != nil {
			return err
		}
		free, err = pragma(c, "freelist_count")
		s.writer.checkpoint()
		return err
	})
	return free, err
}

func (s *Store) shrinkable(ctx context.Context) error {
	return s.alone(ctx, func(c *driver.Conn) error {
		mode, err := pragma(c, "auto_vacuum")
		if err == nil && mode == 0 {
			err = fmt.Errorf("%w: %s was made without auto-vacuum; run Optimize once, which changes that", engine.ErrUnsupported, s.path)
		}
		return err
	})
}

type pages struct{ size, total, free int64 }

func (s *Store) freePages(ctx context.Context) (p pages, err error) {
	err = s.read(ctx, s.reads, true, func(ses *session) error {
		for name, to := range map[string]*int64{"page_size": &p.size, "page_count": &p.total, "freelist_count": &p.free} {
			if *to, err = pragma(ses.c, name); err != nil {
				return err
			}
		}
		return nil
	})
	return p, err
}

func pragma(c *driver.Conn, name string) (int64, error) {
	st, err := c.Prepare(`PRAGMA ` + name)
	if err != nil {
		return 0, err
	}
	defer st.Reset()
	there, err := st.Step()
	if err != nil || !there {
		return 0, err
	}
	return st.ColInt(0), nil
}

// backupPages is how many pages Backup copies between looks at its context.
const backupPages = 512

// Backup copies the vault, as of one moment, beside its target and then renames the copy. Writers go on meanwhile.
func (s *Store) Backup(ctx context.Context, path string, progress func(done, total int64)) error {
	if path == "" {
		return fmt.Errorf("backup path is empty: %w", engine.ErrInvalid)
	}
	return makeFile("back up", path, func(tmp string) error { return s.copyTo(ctx, path, tmp, progress) })
}

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
