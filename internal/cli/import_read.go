package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/kohakuvault/kvault"
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
	value     []byte
	large     *os.File // to be streamed, instead of value
	unchanged bool     // is in the vault already
	err       error    // why the file could not be read
	fatal     bool     // err is of the vault, not of the file
}

func (it *item) close() {
	if it.large != nil {
		it.large.Close()
	}
}

// read fetches the files found, a few at a time.
func (im *importer) read(ctx context.Context, found <-chan source) <-chan *item {
	items := make(chan *item, itemsAhead)
	var readers sync.WaitGroup
	for range treeWorkers {
		readers.Go(func() {
			l := &lane{root: im.root}
			defer l.close()
			for s := range found {
				it := im.fetch(ctx, l, s)
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
func (im *importer) fetch(ctx context.Context, l *lane, s source) *item {
	it := &item{source: s}
	e, err := im.vault.Stat(ctx, im.key(s))
	switch {
	case err == nil && sameFile(e, s.info):
		it.unchanged = true
	case err == nil || errors.Is(err, kvault.ErrNotFound):
		it.err = it.load(l)
	default:
		it.err, it.fatal = err, !itemsFault(err)
	}
	return it
}

// sameFile reports whether the vault's entry and a file agree in all that tells versions apart.
func sameFile(e kvault.Entry, info fs.FileInfo) bool {
	return e.Size == info.Size() && e.ModTime.Equal(info.ModTime()) && e.User[modeMeta] == modeOf(info)
}

func modeOf(info fs.FileInfo) string { return fmt.Sprintf("%04o", info.Mode().Perm()) }

// load reads the file, or opens it if it is large.
func (it *item) load(l *lane) (err error) {
	dir, base, err := l.at(it.name)
	if err != nil {
		return err
	}
	f, err := dir.OpenFile(base, os.O_RDONLY|dontWait, 0)
	if err != nil {
		return err
	}
	defer func() {
		if it.large == nil || err != nil {
			f.Close()
		}
	}()
	// The walk's answer may be out of date.
	if it.info, err = f.Stat(); err != nil {
		return err
	}
	if !it.info.Mode().IsRegular() {
		return fmt.Errorf("%s is %s, not a file", it.name, kindInWords(it.info.Mode()))
	}
	if it.info.Size() > smallFile {
		it.large = f
		return nil
	}
	it.value = make([]byte, it.info.Size())
	if _, err := io.ReadFull(f, it.value); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return unchangedSince(f, it.info)
}

// unchangedSince fails if the file was written since info was taken, so that what was read may be of no one version.
func unchangedSince(f *os.File, info fs.FileInfo) error {
	now, err := f.Stat()
	if err != nil {
		return err
	}
	if now.Size() != info.Size() || !now.ModTime().Equal(info.ModTime()) {
		return errors.New("the file changed while it was read; import it again")
	}
	return nil
}
