package sqlite

import (
	"path/filepath"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
)

// setLogAside renames a write-ahead log that belongs to a file which this one replaced, before
// SQLite makes one for this file and plays the old one into it. The new name is durable before
// that. Connections that read need nothing of the kind: the driver hides the log from them.
func (s *Store) setLogAside(conn *driver.Conn) (err error) {
	if s.conf.Memory {
		return nil
	}
	path, err := filepath.EvalSymlinks(s.conf.Path)
	if err != nil {
		return nil // the file does not exist yet
	}
	if foreign, err := walvfs.ForeignLog(path); err != nil || !foreign {
		return err
	}
	// Under a lock that no other connection can have: another process may have just made the log of this file.
	if err := conn.Exec(`BEGIN EXCLUSIVE`); err != nil {
		return err
	}
	defer func() {
		if end := conn.Rollback(); err == nil {
			err = end
		}
	}()
	if foreign, err := walvfs.ForeignLog(path); err != nil || !foreign {
		return err
	}
	if err := walvfs.SetLogAside(path); err != nil {
		return ioError("set the log of another file aside", err)
	}
	return syncFolder(filepath.Dir(path))
}
