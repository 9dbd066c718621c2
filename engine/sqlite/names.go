package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
)

// The log of a database has the database's name. A file with two names has two logs, each with
// commits that the other does not know.
const (
	secondName = ": under each name the vault would have a log of its own, and writes would be lost; remove the other name, or make a copy with cp"
	mounted    = ": its log would lie elsewhere than the log of the file outside, and writes would be lost; mount the folder that holds it instead"
)

// soleName returns an error if the file has a second name.
func (s *Store) soleName() error {
	if links := walvfs.LinkCount(s.conf.Path); links > 1 {
		return fmt.Errorf("%s is a file with %d names (hard links)%s: %w", s.path, links, secondName, engine.ErrInvalid)
	}
	if walvfs.IsMountRoot(s.conf.Path) {
		return fmt.Errorf("%s is mounted as a single file%s: %w", s.path, mounted, engine.ErrInvalid)
	}
	return nil
}

// resolve follows links to the file itself, after which SQLite names the log. Both paths must go on
// leading there.
func (s *Store) resolve() error {
	abs := s.conf.Path
	real, err := filepath.EvalSymlinks(abs)
	if errors.Is(err, fs.ErrNotExist) {
		if to, linkErr := os.Readlink(abs); linkErr == nil {
			return fmt.Errorf("%s is a link to %s, which does not exist: %w", s.path, to, engine.ErrNoVault)
		}
		if real, err = filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
			real = filepath.Join(real, filepath.Base(abs))
		}
	}
	if err != nil {
		return &engine.IOError{Op: "open", Err: err}
	}
	if err := checkSidecarName(real); err != nil {
		return err
	}
	if real != abs {
		s.conf.Path, s.conf.Place.Names = real, []string{real, abs}
	}
	return nil
}

// checkSidecarName returns an error if path is the name that SQLite gives to a file beside another
// database, which it would overwrite or play.
func checkSidecarName(path string) error {
	for _, suffix := range databaseSuffixes[1:] {
		of, is := strings.CutSuffix(path, suffix)
		if !is {
			continue
		}
		if info, err := os.Stat(of); err == nil && info.Mode().IsRegular() {
			return fmt.Errorf("%s is the name that SQLite gives to a file of %s; choose another: %w", path, of, engine.ErrInvalid)
		}
	}
	return nil
}
