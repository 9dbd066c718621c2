package driver

import (
	"errors"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
)

// Backup copies the whole database to the file at path in steps, each followed by a call of step,
// which may stop it.
func (c *Conn) Backup(path string, pages int, step func(remaining, total int) error) (err error) {
	defer guard(c, &err)
	if err := walvfs.CheckPath(path); err != nil {
		return wrap(err)
	}
	b, err := c.c.BackupInit("main", Config{Path: path, Create: true, VFS: c.vfs}.uri())
	if err != nil {
		return wrap(err)
	}
	defer func() { err = errors.Join(err, wrap(b.Close())) }()
	for {
		done, err := b.Step(pages)
		if err != nil {
			return wrap(err)
		}
		if err := step(b.Remaining(), b.PageCount()); err != nil || done {
			return err
		}
	}
}
