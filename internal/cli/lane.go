package cli

import (
	"os"
	"path/filepath"
)

// lane is one worker's way into a tree. It keeps the directory of its last file open, because the
// next file is mostly in the same one and need not be looked up from the root.
type lane struct {
	root *os.Root
	dir  string
	open *os.Root
}

// at returns the directory of the named file and the file's name there. The directory is valid
// until the next call.
func (l *lane) at(name string) (*os.Root, string, error) {
	dir, base := filepath.Dir(name), filepath.Base(name)
	if l.open != nil && l.dir == dir {
		return l.open, base, nil
	}
	next, err := l.root.OpenRoot(dir)
	if err != nil {
		return nil, "", err
	}
	err = l.close()
	l.dir, l.open = dir, next
	return next, base, err
}

func (l *lane) close() error {
	if l.open == nil {
		return nil
	}
	err := l.open.Close()
	l.open = nil
	return err
}
