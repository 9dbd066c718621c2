package cli

import (
	"os"
	"path/filepath"
)

// dirCache opens files of a tree for one worker. It keeps the directory of its last file open,
// because the next file is mostly in the same one and need not be looked up from the root.
type dirCache struct {
	root *os.Root
	dir  string
	open *os.Root
}

// at returns the directory of the named file and the file's name there. The directory is valid
// until the next call.
func (c *dirCache) at(name string) (*os.Root, string, error) {
	dir, base := filepath.Dir(name), filepath.Base(name)
	if c.open != nil && c.dir == dir {
		return c.open, base, nil
	}
	next, err := c.root.OpenRoot(dir)
	if err != nil {
		return nil, "", err
	}
	err = c.close()
	c.dir, c.open = dir, next
	return next, base, err
}

func (c *dirCache) close() error {
	if c.open == nil {
		return nil
	}
	err := c.open.Close()
	c.open = nil
	return err
}
