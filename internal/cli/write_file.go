package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// writeFile has fill write the named file, which changes only when all of it is there. What cannot be replaced, such as a named
// pipe, is written to directly.
func (a *app) writeFile(name string, fill func(io.Writer) error) error {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	info, err := os.Stat(name)
	switch {
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return err
	case err != nil:
	case info.IsDir():
		return fmt.Errorf("%s is a directory: name a file in it", name)
	case !info.Mode().IsRegular():
		return writeDevice(name, fill)
	}
	dir, base := filepath.Split(filepath.Clean(name))
	root, err := os.OpenRoot(filepath.Join(dir, "."))
	if err != nil {
		return err
	}
	defer root.Close()
	if dirInfo, err := root.Stat("."); err != nil || a.vaultFiles().claim(dirInfo, base) || a.vaultFiles().own(info) {
		return errors.Join(err, fmt.Errorf("%s is a file of the vault itself", name))
	}
	attrs := fileAttrs{sync: true}
	if info != nil {
		attrs.mode, attrs.hasMode = info.Mode().Perm(), true
	}
	return replaceFile(root, base, attrs, fill)
}

func writeDevice(name string, fill func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(fill(f), f.Close())
}
