package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// writeFile has fill write the named file, which changes only when all of it is there. A symbolic
// link stays, and the file that it leads to changes. What cannot be replaced, such as a pipe, a
// device or a file that is open already, is written to directly.
func (a *app) writeFile(name string, fill func(io.Writer) error) error {
	resolved, err := followLinks(name)
	if err != nil {
		return err
	}
	if parts := openFile.FindStringSubmatch(resolved); parts != nil {
		return a.writeOpen(name, parts[1], fill)
	}
	info, err := os.Stat(resolved)
	switch {
	case errors.Is(err, os.ErrNotExist) && resolved != name:
		return fmt.Errorf("%s is a symbolic link to %s, which does not exist: name the file itself, or remove the link", name, resolved)
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return err
	case err != nil:
	case info.IsDir():
		return fmt.Errorf("%s is a directory: name a file in it", name)
	case !info.Mode().IsRegular():
		return writeInPlace(name, os.O_WRONLY, fill)
	case strings.HasPrefix(resolved, procFiles): // a file that another process has open
		return writeInPlace(name, os.O_WRONLY|os.O_APPEND, fill)
	}
	dir, base := filepath.Split(filepath.Clean(resolved))
	root, err := os.OpenRoot(filepath.Join(dir, "."))
	if err != nil {
		return err
	}
	defer root.Close()
	if dirInfo, err := root.Stat("."); err != nil || a.vaultFiles().has(dirInfo, base) || a.vaultFiles().isMain(info) {
		return errors.Join(err, fmt.Errorf("%s is a file of the vault itself", name))
	}
	attrs := fileAttrs{sync: true}
	if info != nil {
		attrs.mode, attrs.hasMode = info.Mode().Perm(), true
	}
	sweepPartials(root, ".")
	return writeAtomically(root, base, attrs, fill)
}

// procFiles is where Linux has the files that are open, under names that lead to them without being
// their own.
const procFiles = "/proc/"

// openFile matches the names of this process's open files.
var openFile = regexp.MustCompile(`^(?:/dev|/proc/(?:self|thread-self|` + strconv.Itoa(os.Getpid()) + `))/fd/([0-9]+)$`)

// followLinks returns the file that name leads to, whether it exists or not. It goes no further
// than to the name of an open file: the system shows those as links to the name by which the file
// was opened, which may be another file's by now.
func followLinks(name string) (string, error) {
	for range 40 {
		if clean := filepath.Clean(name); openFile.MatchString(clean) || strings.HasPrefix(clean, procFiles) {
			return clean, nil
		}
		target, err := os.Readlink(name)
		if err != nil {
			return name, nil // no link
		}
		if !filepath.IsAbs(target) {
			dir, err := filepath.EvalSymlinks(filepath.Dir(name))
			if err != nil {
				return "", err
			}
			target = filepath.Join(dir, target)
		}
		name = target
	}
	return "", fmt.Errorf("%s is one of too many symbolic links", name)
}

// writeOpen has fill write to the open file of this number, behind what was written there before.
func (a *app) writeOpen(name, number string, fill func(io.Writer) error) error {
	fd, err := strconv.Atoi(number)
	if err != nil {
		return fmt.Errorf("%s is no open file", name)
	}
	switch fd {
	case 1:
		return fill(a.out)
	case 2:
		return fill(a.sys.Err)
	}
	f := os.NewFile(uintptr(fd), name)
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if a.vaultFiles().hasOpen(info) {
		return fmt.Errorf("%s is a file of the vault itself", name)
	}
	return errors.Join(fill(f), f.Close())
}

// writeInPlace has fill write to a file that stays the same one.
func writeInPlace(name string, flags int, fill func(io.Writer) error) error {
	f, err := os.OpenFile(name, flags, 0)
	if err != nil {
		return err
	}
	return errors.Join(fill(f), f.Close())
}
