package cli

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/filetree"
)

// source is what a walk found: a regular file, or a link or directory that is to be kept as one.
type source struct {
	name   string // below the root, with slashes
	info   fs.FileInfo
	kind   filetree.Kind
	target string // of a link
	path   string // of what lies behind a link that is followed; os.Root would not open it

	entry  kvault.Entry // of the vault, if it was looked up and found
	looked bool
	found  bool
}

// size is the length of the value that the source becomes.
func (s source) size() int64 {
	switch s.kind {
	case filetree.Link:
		return int64(len(s.target))
	case filetree.Folder:
		return 0
	}
	return s.info.Size()
}

// key is the source's name in the vault, below the prefix.
func (s source) key() string {
	if s.kind == filetree.Folder {
		return s.name + "/"
	}
	return s.name
}

// walk visits the regular files of a tree in the order of their keys, and what else it is asked to.
// Functions that are nil are not called.
type walk struct {
	root     *os.Root
	ownFiles vaultFiles // left out
	filter   *filter    // leaves out what it matches, unless nil
	file     func(source) error
	failed   func(name string, err error)
	special  func(name string, mode fs.FileMode)
	links    string // what is done with symbolic links; empty for calling special
	folders  bool   // file gets directories too

	above  []fs.FileInfo // the directories that the present one is in, by way of links too
	behind bool          // the present directory lies behind a link
}

// dir visits the directory name; the error is the one that a call of file returned.
func (w *walk) dir(name string) error {
	entries, info, err := w.list(name)
	if err != nil {
		w.fail(name, err)
	}
	if w.folders && info != nil && name != "." {
		s := source{name: name, info: info, kind: filetree.Folder, path: w.path(name)}
		if err := w.file(s); err != nil {
			return err
		}
	}
	w.above = append(w.above, info)
	defer func() { w.above = w.above[:len(w.above)-1] }()
	for _, e := range entries {
		if w.ownFiles.has(info, e.Name()) {
			continue
		}
		if err := w.visit(path.Join(name, e.Name()), e); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) fail(name string, err error) {
	if w.failed != nil {
		w.failed(name, err)
	}
}

// path is where a file lies that is reached by way of a link, and empty for any other.
func (w *walk) path(name string) string {
	if !w.behind {
		return ""
	}
	return filepath.Join(w.root.Name(), filepath.FromSlash(name))
}

// list reads a directory, sorted as keys are: "a-b" before "a/b" before "a0".
func (w *walk) list(name string) ([]fs.DirEntry, fs.FileInfo, error) {
	open := func() (*os.File, error) { return w.root.Open(name) }
	if w.behind {
		open = func() (*os.File, error) { return os.Open(w.path(name)) }
	}
	d, err := open()
	if err != nil {
		return nil, nil, err
	}
	defer d.Close()
	info, err := d.Stat()
	if err != nil {
		return nil, nil, err
	}
	entries, err := d.ReadDir(-1)
	if w.links == linksFollow {
		w.resolve(name, entries)
	}
	slices.SortFunc(entries, func(x, y fs.DirEntry) int { return cmp.Compare(sortName(x), sortName(y)) })
	return entries, info, err
}

// followed is an entry of a directory that is a link, as what it leads to. An error keeps it a link.
type followed struct {
	fs.DirEntry
	info fs.FileInfo
	err  error
}

// is reports whether the link leads to the directory that info describes.
func (f *followed) is(info fs.FileInfo) bool { return os.SameFile(info, f.info) }

func (f *followed) IsDir() bool                { return f.info != nil && f.info.IsDir() }
func (f *followed) Info() (fs.FileInfo, error) { return f.info, f.err }

// Type returns that of what the link leads to.
func (f *followed) Type() fs.FileMode {
	if f.info == nil {
		return fs.ModeSymlink
	}
	return f.info.Mode().Type()
}

// resolve follows the links among the entries of a directory. That comes before sorting, because a
// directory has another place in the order of the keys than a file.
func (w *walk) resolve(dir string, entries []fs.DirEntry) {
	for i, e := range entries {
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := os.Stat(filepath.Join(w.root.Name(), filepath.FromSlash(dir), e.Name()))
			entries[i] = &followed{e, info, err}
		}
	}
}

func sortName(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}

func (w *walk) visit(name string, e fs.DirEntry) error {
	if w.filter != nil && w.filter.LeavesOut(name, e.IsDir()) {
		return nil
	}
	if f, ok := e.(*followed); ok {
		return w.follow(name, f)
	}
	return w.visitKind(name, e)
}

// visitKind visits what is not a link, or not to be followed.
func (w *walk) visitKind(name string, e fs.DirEntry) error {
	switch {
	case e.IsDir():
		return w.dir(name)
	case e.Type()&fs.ModeSymlink != 0 && w.links == linksSkip:
		return nil
	case e.Type()&fs.ModeSymlink != 0 && w.links == linksStore:
	case !e.Type().IsRegular():
		if w.special != nil {
			w.special(name, e.Type())
		}
		return nil
	}
	s := source{name: name, path: w.path(name)}
	var err error
	if s.info, err = e.Info(); err == nil && e.Type()&fs.ModeSymlink != 0 {
		s.kind = filetree.Link
		s.target, err = w.root.Readlink(name)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist): // deleted since the directory was read
		return nil
	case err != nil:
		w.fail(name, err)
		return nil
	case w.ownFiles.isMain(s.info):
		return nil
	}
	return w.file(s)
}

// follow visits what a link leads to.
func (w *walk) follow(name string, f *followed) error {
	switch {
	case errors.Is(f.err, fs.ErrNotExist):
		w.fail(name, errors.New("the link leads to nothing"))
		return nil
	case f.err != nil:
		w.fail(name, f.err)
		return nil
	case f.IsDir() && slices.ContainsFunc(w.above, f.is):
		w.fail(name, errors.New("the link leads back to a directory that it is in"))
		return nil
	case f.info.Mode().IsRegular() && w.ownFiles.hasOpen(f.info):
		w.fail(name, errors.New("the link leads to a file of the vault itself"))
		return nil
	}
	defer func(before bool) { w.behind = before }(w.behind)
	w.behind = true
	return w.visitKind(name, f)
}

func kindInWords(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}
