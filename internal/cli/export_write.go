package cli

import (
	"cmp"
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
	"time"

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

// adder counts what became of one item.
type adder func(t *summary, key string, size int64) error

// write puts the value of e at name if that is needed, and returns how to count it.
func (ex *exporter) write(ctx context.Context, dirs *dirCache, e listed, name string) (adder, error) {
	dir, base, old, err := ex.lookAt(dirs, name)
	if err != nil {
		return nil, err
	}
	if old != nil && !ex.overwrite && sameTime(e.Entry, old) {
		if same, err := ex.same(ctx, dir, base, e.Key); err != nil || same {
			ex.progress.add(e.Size)
			return ex.addUnchanged, errors.Join(err, ex.restoreAttrs(dir, base, e.Entry, old))
		}
	}
	if add, err := ex.leave(ctx, dir, base, e, name, old); add != nil || err != nil {
		return add, err
	}
	return ex.replace(ctx, dir, base, e.Key)
}

// leave returns how to count an entry that is not to be written, or nil. Its error says why it cannot
// be.
func (ex *exporter) leave(
	ctx context.Context, dir *os.Root, base string, e listed, name string, old fs.FileInfo,
) (adder, error) {
	if dir != nil && ex.ownFile(dir, base, old) {
		return nil, fmt.Errorf("%s is a file of the vault itself", name)
	}
	if err := ex.refuse(ctx, e, name, old); err != nil {
		return nil, err
	}
	switch {
	case old != nil && (ex.noClobber || ex.update && !e.ModTime.After(old.ModTime())):
		ex.progress.add(e.Size)
		return ex.addSkipped, nil
	case ex.dryRun:
		ex.progress.add(e.Size)
		return ex.addDone, nil
	}
	return nil, nil
}

// lookAt returns where the file of a name lies, and what is there. In a dry run the directory is nil
// if there is none.
func (ex *exporter) lookAt(dirs *dirCache, name string) (dir *os.Root, base string, old fs.FileInfo, err error) {
	if err := ex.makeDir(filepath.Dir(name)); err != nil {
		if ex.dryRun && errors.Is(err, fs.ErrNotExist) {
			return nil, "", nil, nil
		}
		return nil, "", nil, err
	}
	if dir, base, err = dirs.at(name); err != nil {
		return nil, "", nil, err
	}
	old, err = dir.Lstat(base)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return dir, base, old, err
}

// replace writes the value of a key to a file.
func (ex *exporter) replace(ctx context.Context, dir *os.Root, base, key string) (adder, error) {
	r, err := ex.vault.NewReader(ctx, key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// The version that is read decides, not the one that was listed.
	mode, hasMode := fileMode(r.Entry())
	attrs := fileAttrs{mode: mode, hasMode: hasMode, modTime: r.Entry().ModTime, absent: ex.noClobber}
	attrs.sparse = r.Size() > smallFile
	var kept error
	attrs.restore = func(f *os.File) { kept = ex.restoreKept(f, r.Entry().User) }
	err = writeAtomically(dir, base, attrs, func(w io.Writer) error {
		_, err := r.WriteTo(ex.progress.writer(w))
		return err
	})
	if ex.noClobber && errors.Is(err, fs.ErrExist) { // made since the directory was looked at
		return ex.addSkipped, nil
	}
	return ex.addDone, cmp.Or(err, kept)
}

// sameTime reports whether a file has the size and time of an entry.
func sameTime(e kvault.Entry, info fs.FileInfo) bool {
	return info.Mode().IsRegular() && info.Size() == e.Size && info.ModTime().Equal(e.ModTime)
}

// same reports whether a file has the value of a key, if contents are to be compared.
func (ex *exporter) same(ctx context.Context, dir *os.Root, base, key string) (bool, error) {
	if !ex.checksum {
		return true, nil
	}
	f, err := dir.OpenFile(base, os.O_RDONLY|openNonblock, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	r, err := ex.vault.NewReader(ctx, key)
	if err != nil {
		return false, err
	}
	defer r.Close()
	file := &compareWriter{r: f}
	if _, err = r.WriteTo(file); err == nil {
		err = file.end()
	}
	if errors.Is(err, errDiffers) {
		return false, nil
	}
	return err == nil, err
}

// restoreAttrs gives a file that is up to date its permission bits back, and what else was kept. What
// cannot be restored keeps nothing else from it.
func (ex *exporter) restoreAttrs(dir *os.Root, base string, e kvault.Entry, old fs.FileInfo) error {
	if ex.noClobber || ex.update || ex.dryRun { // it is as old as the entry
		return nil
	}
	var err error
	if ex.owner || ex.xattrs { // before the bits, which may forbid to open it
		var f *os.File
		if f, err = dir.OpenFile(base, os.O_RDONLY|openNonblock, 0); err == nil {
			err = errors.Join(ex.restoreKept(f, e.User), f.Close())
		}
	}
	if mode, ok := fileMode(e); ok && old.Mode().Perm() != mode {
		err = errors.Join(err, dir.Chmod(base, mode))
	}
	return err
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
	found, err := ex.hasKeys(ctx, below)
	if errors.Is(err, kvault.ErrCorrupt) {
		return false, nil // if there are any, they cannot be made files, and say so
	}
	return found, err
}

// makeDir makes a directory below the root and those above it. None of them may be a link, wherever
// it leads. It notes the time that a directory had before anything was written to it, which is none
// for one that was made.
func (ex *exporter) makeDir(dir string) error {
	if ex.root == nil {
		return fs.ErrNotExist
	}
	if _, known := ex.dirs.Load(dir); known || dir == "." {
		return nil
	}
	if err := ex.makeDir(filepath.Dir(dir)); err != nil {
		return err
	}
	ex.mu.Lock()
	defer ex.mu.Unlock()
	if _, known := ex.dirs.Load(dir); known { // by now
		return nil
	}
	made := fs.ErrExist
	if !ex.dryRun {
		made = ex.root.Mkdir(dir, 0o777)
	}
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
	var found time.Time
	if made != nil {
		found = info.ModTime()
		if !ex.dryRun {
			sweepPartials(ex.root, dir)
		}
	}
	ex.dirs.Store(dir, found)
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
