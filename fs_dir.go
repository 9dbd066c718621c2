package kvault

import (
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/kohakuvault/kvault/engine"
)

// dirBatch is how many entries a folder reads ahead when it is read a few at a time.
const dirBatch = 100

// dir is an opened folder. It is not for concurrent use. Between calls it holds nothing open, only the place where to go on.
type dir struct {
	f      *vaultFS
	name   string
	prefix string // of the keys in it
	start  string // the first key not yet seen
	ended  bool   // there are none
	ready  []fs.DirEntry
	// held are files that may yet turn out to be the name of a folder: "a" comes before "a/b", and "a-b" between them. Each
	// begins with the one before it.
	held   []Entry
	closed bool
}

func (f *vaultFS) openDir(name string) *dir {
	return &dir{f: f, name: name, prefix: folderPrefix(name)}
}

func (d *dir) Stat() (fs.FileInfo, error) {
	if d.closed {
		return nil, pathError("stat", d.name, fs.ErrClosed)
	}
	return folderInfo(path.Base(d.name)), nil
}

func (d *dir) Read([]byte) (int, error) {
	if d.closed {
		return 0, pathError("read", d.name, fs.ErrClosed)
	}
	return 0, pathError("read", d.name, errIsFolder)
}

func (d *dir) Close() error {
	d.closed = true
	return nil
}

// ReadDir returns the next n entries, or all that are left if n is not positive, as fs.ReadDirFile says.
func (d *dir) ReadDir(n int) ([]fs.DirEntry, error) {
	if d.closed {
		return nil, pathError("readdir", d.name, fs.ErrClosed)
	}
	var err error
	if n <= 0 || len(d.ready) < n {
		err = d.readAhead(n)
	}
	entries := d.ready
	if n > 0 && len(entries) > n {
		entries = entries[:n:n]
	}
	d.ready = d.ready[len(entries):]
	switch {
	case err != nil && (n <= 0 || len(entries) == 0):
		return entries, pathError("readdir", d.name, err)
	case n > 0 && len(entries) == 0:
		return nil, io.EOF
	}
	return entries, nil
}

// readAhead makes n entries ready and some more, or all if n is not positive.
func (d *dir) readAhead(n int) error {
	if d.ended {
		return nil
	}
	for e, err := range d.f.v.List(d.f.ctx, &ListOptions{Prefix: d.prefix, Start: d.start, Delimiter: "/"}) {
		if err != nil {
			return err
		}
		d.add(e)
		if n > 0 && len(d.ready) >= max(n, dirBatch) {
			return nil
		}
	}
	for _, e := range d.held {
		d.addReady(fileInfo(e))
	}
	d.held, d.ended = nil, true
	return nil
}

// add takes over one entry of the listing.
func (d *dir) add(e Entry) {
	for len(d.held) > 0 {
		last := d.held[len(d.held)-1]
		if folder := last.Key + "/"; e.Key < folder {
			break
		} else if e.Key != folder || !e.Folder {
			d.addReady(fileInfo(last))
		}
		d.held = d.held[:len(d.held)-1]
	}
	d.start = e.Key + "\x00"
	if e.Folder {
		d.start = engine.PrefixRange(e.Key).End
	}
	name := strings.TrimSuffix(e.Key[len(d.prefix):], "/")
	switch {
	case name == "." || !fs.ValidPath(name):
	case e.Folder:
		d.addReady(folderInfo(name))
	default:
		d.held = append(d.held, e)
	}
}

func (d *dir) addReady(i info) { d.ready = append(d.ready, fs.FileInfoToDirEntry(i)) }
