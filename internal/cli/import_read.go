package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/filetree"
)

const (
	treeWorkers = 4
	// smallFile is the largest file that is read whole; larger ones are streamed.
	smallFile = 1 << 20
	// itemsAhead is how many small files may wait for the writer.
	itemsAhead = 16
)

// modeMeta is the name of the metadata that keeps a file's permission bits.
const modeMeta = "mode"

// item is a file on its way to the writer.
type item struct {
	source
	value       []byte
	content     *sizedReader      // what follows value, to be streamed; nil if value is all
	file        *os.File          // what content reads
	contentType string            // empty for the one that the key or the value suggests
	meta        map[string]string // what the user's metadata is to be
	unchanged   bool              // is in the vault already
	skipped     bool              // is not to replace what is in the vault
	grew        bool              // while it was read
	err         error             // why the file could not be read
	fatal       bool              // err is of the vault, not of the file
}

func (it *item) close() {
	if it.file != nil {
		it.file.Close()
	}
}

// read fetches the files found, a few at a time.
func (im *importer) read(ctx context.Context, found <-chan source) <-chan *item {
	items := make(chan *item, itemsAhead)
	var readers sync.WaitGroup
	for range im.workers() {
		readers.Go(func() {
			dirs := &dirCache{root: im.root}
			defer dirs.close()
			for s := range found {
				it := im.fetch(ctx, dirs, s)
				select {
				case items <- it:
				case <-ctx.Done():
					it.close()
					return
				}
			}
		})
	}
	go func() {
		readers.Wait()
		close(items)
	}()
	return items
}

// fetch reads one file, unless it is large or the vault has it.
func (im *importer) fetch(ctx context.Context, dirs *dirCache, s source) *item {
	it := &item{source: s}
	known := im.compare(ctx, dirs, it)
	if it.err != nil {
		return it
	}
	if it.skipped || im.dryRun && !known {
		return it
	}
	// What states no size is read all the same: the size may not be true.
	if known && !im.checksum && (s.kind != filetree.File || s.info.Size() > 0) {
		it.unchanged = true
		return it
	}
	if it.err = im.load(dirs, it); it.err != nil || !known {
		return it
	}
	if it.unchanged = !im.checksum && it.content == nil && len(it.value) == 0; it.unchanged || !im.checksum {
		return it
	}
	it.unchanged, it.err = it.same(ctx, im.vault, im.key(s))
	return it
}

// compare reports whether the vault has what the file is, and notes in the item if it is not to be
// stored for what the vault has.
func (im *importer) compare(ctx context.Context, dirs *dirCache, it *item) (known bool) {
	folder := it.kind == filetree.Folder
	if im.overwrite && !folder {
		return false
	}
	e, err := im.lookUp(ctx, it.source)
	switch {
	case err == nil && folder && (!isKeptFolder(e) || e.Size > 0):
		it.err = errors.New("a value has the key of this directory, and would be lost")
	case err == nil && im.overwrite:
	case err == nil:
		known = sameEntry(e, it.source)
		if known {
			if known, it.err = im.sameKept(dirs, e, it); it.err != nil {
				return false
			}
		}
		it.skipped = !known && !im.replaces(e, it.source)
	case errors.Is(err, kvault.ErrNotFound):
	case (im.checksum || im.overwrite) && errors.Is(err, kvault.ErrCorrupt):
	default:
		it.err, it.fatal = err, !isItemError(err)
	}
	return known
}

// lookUp returns what the vault has under the key of a file.
func (im *importer) lookUp(ctx context.Context, s source) (kvault.Entry, error) {
	switch {
	case !s.looked:
		return im.vault.Stat(ctx, im.key(s))
	case !s.found:
		return kvault.Entry{}, kvault.ErrNotFound
	}
	return s.entry, nil
}

// replaces reports whether a file may replace the vault's entry of that name.
func (im *importer) replaces(e kvault.Entry, s source) bool {
	return !im.noClobber && (!im.update || engine.FitModTime(s.info.ModTime()).After(e.ModTime))
}

// same compares the file with the value that the vault has, which it takes for another one if it
// does not match its checksum.
func (it *item) same(ctx context.Context, v *kvault.Vault, key string) (bool, error) {
	r, err := v.NewReader(ctx, key)
	if err == nil {
		defer r.Close()
		want := &compareWriter{r: bytes.NewReader(it.value)}
		if it.content != nil {
			want.r = io.MultiReader(want.r, it.content)
		}
		if _, err = r.WriteTo(want); err == nil {
			err = want.end()
		}
		if err == nil {
			return true, nil
		}
	}
	if it.content != nil {
		// Read again, to be stored.
		if _, err := it.file.Seek(int64(len(it.value)), io.SeekStart); err != nil {
			return false, err
		}
		it.content = newSizedReader(it.file, it.info)
		it.content.left = max(it.content.left-int64(len(it.value)), 0) // value may be longer than stated
	}
	return false, ctx.Err()
}

// compareWriter is a writer that fails unless it is given what r reads.
type compareWriter struct {
	r   io.Reader
	buf []byte
}

var errDiffers = errors.New("the contents differ")

func (m *compareWriter) Write(p []byte) (int, error) {
	m.buf = slices.Grow(m.buf[:0], len(p))[:len(p)]
	if _, err := io.ReadFull(m.r, m.buf); err != nil || !bytes.Equal(m.buf, p) {
		return 0, errors.Join(errDiffers, err)
	}
	return len(p), nil
}

// end fails if there is more to read.
func (m *compareWriter) end() error {
	if n, err := io.ReadFull(m.r, make([]byte, 1)); n > 0 || err != io.EOF {
		return errors.Join(errDiffers, err)
	}
	return nil
}

// sameEntry reports whether the vault's entry and a source agree in all that tells versions apart.
func sameEntry(e kvault.Entry, s source) bool {
	return filetree.KindOf(e.ContentType, e.User) == s.kind && e.Size == s.size() &&
		e.ModTime.Equal(engine.FitModTime(s.info.ModTime())) &&
		(s.kind == filetree.Link || e.User[modeMeta] == modeOf(s.info))
}

func modeOf(info fs.FileInfo) string { return fmt.Sprintf("%04o", info.Mode().Perm()) }

// load reads an item, or opens it if it is a large file.
func (im *importer) load(dirs *dirCache, it *item) error {
	if it.kind == filetree.Link {
		it.value = []byte(it.target)
		return im.describe(it, nil)
	}
	if it.kind == filetree.File {
		return it.load(dirs, im.describe)
	}
	if !im.xattrs {
		return im.describe(it, nil)
	}
	f, err := it.open(dirs)
	if err != nil {
		return err
	}
	defer f.Close()
	return im.describe(it, f)
}

// open opens the file or directory that the item was when the walk found it.
func (it *item) open(dirs *dirCache) (f *os.File, err error) {
	if it.path != "" {
		f, err = os.OpenFile(it.path, os.O_RDONLY|openNonblock, 0)
	} else {
		var dir *os.Root
		var base string
		if dir, base, err = dirs.at(it.name); err == nil {
			f, err = dir.OpenFile(base, os.O_RDONLY|openNonblock, 0)
		}
	}
	if err != nil {
		return nil, err
	}
	// The walk's answer may be out of date.
	info, err := f.Stat()
	switch {
	case err != nil:
	case it.kind == filetree.Folder && !info.IsDir():
		err = fmt.Errorf("%s is %s, not a directory", it.name, otherKind(info.Mode()))
	case it.kind == filetree.File && !info.Mode().IsRegular():
		err = fmt.Errorf("%s is %s, not a file", it.name, kindInWords(info.Mode()))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	it.info = info
	return f, nil
}

// load reads the file, or opens it if it is large. The function opened, unless it is nil, gets the
// file before.
func (it *item) load(dirs *dirCache, opened func(*item, *os.File) error) (err error) {
	f, err := it.open(dirs)
	if err != nil {
		return err
	}
	defer func() {
		if it.file == nil {
			f.Close()
		}
	}()
	if opened != nil {
		if err := opened(it, f); err != nil {
			return err
		}
	}
	content := newSizedReader(f, it.info)
	if it.info.Size() <= smallFile {
		if it.value, err = readSmall(content); err != nil || content.done {
			it.grew = content.grew
			return err
		}
	}
	it.content, it.file = content, f
	return nil
}

// readSmall reads all of a small file, or the start of one that only said it was small.
func readSmall(m *sizedReader) ([]byte, error) {
	value := make([]byte, 0, m.info.Size()+512) // room to see the end
	for !m.done && len(value) <= smallFile {
		value = slices.Grow(value, 512)
		n, err := m.Read(value[len(value):cap(value)])
		value = value[:len(value)+n]
		if err != nil && err != io.EOF {
			return nil, err
		}
	}
	return value, nil
}
