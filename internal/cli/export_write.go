package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/kohakuvault/kvault"
)

// longestName is the longest path in bytes that systems take. A key of single letters between
// slashes would else make tens of thousands of directories, each in the other.
const longestName = 4096

// localName is the file below a directory that a key belongs in, or an error if there can be none.
func localName(key string) (string, error) {
	for part := range strings.SplitSeq(key, "/") {
		switch part {
		case "":
			return "", errors.New(`no file can have this name: a part of it is empty`)
		case ".", "..":
			return "", fmt.Errorf(`no file can have this name: a part of it is %q`, part)
		}
	}
	if len(key) > longestName {
		return "", fmt.Errorf("no file can have this name: it is longer than %d bytes", longestName)
	}
	if strings.ContainsRune(key, 0) {
		return "", errors.New("no file can have this name: it holds a NUL byte")
	}
	if filepath.Separator == '/' {
		return key, nil
	}
	name, err := filepath.Localize(key)
	if err != nil {
		return "", errors.New("no file on this system can have this name")
	}
	return name, nil
}

// write puts the value of e at name, and reports whether that was needed.
func (ex *exporter) write(ctx context.Context, dirs *dirCache, e listed, name string) (bool, error) {
	if err := ex.makeDir(filepath.Dir(name)); err != nil {
		return false, err
	}
	dir, base, err := dirs.at(name)
	if err != nil {
		return false, err
	}
	old, err := dir.Lstat(base)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if old != nil && !ex.overwrite && old.Mode().IsRegular() && old.Size() == e.Size && old.ModTime().Equal(e.ModTime) {
		return false, restoreMode(dir, base, e.Entry, old)
	}
	if ex.ownFile(dir, base, old) {
		return false, fmt.Errorf("%s is a file of the vault itself", name)
	}
	if err := ex.refuse(ctx, e, name, old); err != nil {
		return false, err
	}
	r, err := ex.vault.NewReader(ctx, e.Key)
	if err != nil {
		return false, err
	}
	defer r.Close()
	// The version that is read decides, not the one that was listed.
	mode, hasMode := fileMode(r.Entry())
	attrs := fileAttrs{mode: mode, hasMode: hasMode, modTime: r.Entry().ModTime}
	return true, writeAtomically(dir, base, attrs, func(w io.Writer) error {
		_, err := r.WriteTo(ex.progress.writer(w))
		return err
	})
}

// restoreMode gives a file that is up to date its permission bits back.
func restoreMode(dir *os.Root, base string, e kvault.Entry, old fs.FileInfo) error {
	if mode, ok := fileMode(e); ok && old.Mode().Perm() != mode {
		return dir.Chmod(base, mode)
	}
	return nil
}

// ownFile reports whether a file is one of the vault, or would be.
func (ex *exporter) ownFile(dir *os.Root, base string, old fs.FileInfo) bool {
	if ex.ownFiles.isMain(old) {
		return true
	}
	if !ex.ownFiles.names[base] {
		return false
	}
	info, err := dir.Stat(".")
	return err != nil || ex.ownFiles.has(info, base)
}

// refuse fails if name must be a directory, because there are keys below it, or is one already.
func (ex *exporter) refuse(ctx context.Context, e listed, name string, old fs.FileInfo) error {
	folder, err := ex.isFolder(ctx, e)
	switch {
	case err != nil:
		return err
	case folder:
		return errors.New("there are keys below it, so that it is a directory")
	}
	if old != nil && old.IsDir() {
		return fmt.Errorf("%s is a directory", name)
	}
	return nil
}

// isFolder reports whether there are keys below e. Those between it and them, such as "a-b" between
// "a" and "a/b", are the only case where the next key does not tell.
func (ex *exporter) isFolder(ctx context.Context, e listed) (bool, error) {
	below := e.Key + "/"
	if e.next == "" || e.next >= below {
		return strings.HasPrefix(e.next, below), nil
	}
	for key, err := range ex.vault.Keys(ctx, &kvault.ListOptions{Prefix: below}) {
		if err == nil && ex.leavesOut(key) {
			continue
		}
		if errors.Is(err, kvault.ErrCorrupt) {
			return false, nil // if there are any, they cannot be made files, and say so
		}
		return err == nil, err
	}
	return false, nil
}

// makeDir makes a directory below the root and those above it. None of them may be a link, wherever
// it leads.
func (ex *exporter) makeDir(dir string) error {
	if _, known := ex.dirs.Load(dir); known || dir == "." {
		return nil
	}
	if err := ex.makeDir(filepath.Dir(dir)); err != nil {
		return err
	}
	made := ex.root.Mkdir(dir, 0o777)
	if made != nil && !errors.Is(made, fs.ErrExist) {
		return made
	}
	info, err := ex.root.Lstat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is %s, not a directory", path.Clean(dir), otherKind(info.Mode()))
	}
	if _, known := ex.dirs.LoadOrStore(dir, struct{}{}); !known && made != nil {
		sweepPartials(ex.root, dir)
	}
	return nil
}

func otherKind(mode fs.FileMode) string {
	if mode.IsRegular() {
		return "a file"
	}
	return kindInWords(mode)
}

// fileMode is what an import stored of a file's permission bits.
func fileMode(e kvault.Entry) (mode fs.FileMode, ok bool) {
	bits, err := strconv.ParseUint(e.User[modeMeta], 8, 32)
	return fs.FileMode(bits) & fs.ModePerm, err == nil
}
