package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/transact"
)

// surplus is what the target of a sync has and the source does not have.
type surplus struct {
	*app
	flags   *syncFlags
	summary *summary
	of      string // "key" or "file"
	source  int64  // how many the source has
	list    []surplusItem
	aliases []fs.FileInfo // files that keys have by other names
}

// surplusItem is a key, or with info the file that would have that key.
type surplusItem struct {
	kvault.Entry
	folder bool // it is the key of a directory
	info   fs.FileInfo
}

// remover deletes items and returns those that it deleted. It reports those that it could not
// delete as failed; the others are no longer what was shown.
type remover func(context.Context, []surplusItem) ([]surplusItem, error)

// ask shows the items and reports whether they are to be deleted.
func (s *surplus) ask(ctx context.Context) (bool, error) {
	n := int64(len(s.list))
	switch {
	case s.failed() || n == 0:
		return false, nil
	case s.source == 0:
		return false, fmt.Errorf("sync: the source has no files, so none of %s is deleted; "+
			"if that is meant, remove them by themselves", countInWords(n, s.of))
	case s.flags.dryRun:
		return false, s.report(s.list)
	case !s.flags.yes:
		if err := s.confirm(ctx); err != nil {
			return false, err
		}
	}
	return true, nil
}

// failed reports whether an item failed, and says what follows from that.
func (s *surplus) failed() bool {
	if s.summary.failed == 0 {
		return false
	}
	nothing := "Nothing"
	if s.summary.deleted > 0 {
		nothing = "Nothing more"
	}
	s.note("%s is deleted, because %s failed.", nothing, countInWords(s.summary.failed, "item"))
	return true
}

// remove deletes items that were shown.
func (s *surplus) remove(ctx context.Context, list []surplusItem, by remover) error {
	before := s.summary.failed
	deleted, err := by(ctx, list)
	if err := errors.Join(err, s.report(deleted)); err != nil {
		return err
	}
	if kept := int64(len(list)-len(deleted)) - (s.summary.failed - before); kept > 0 {
		s.note("Not deleted: %s that changed after the list was made.", countInWords(kept, s.of))
	}
	return nil
}

func (s *surplus) report(items []surplusItem) error {
	for _, it := range items {
		s.summary.deleted++
		v := verb{"delete", "deleted"}
		if err := s.showAction(s.summary, v, it.Key, it.Size); err != nil {
			return err
		}
	}
	return nil
}

func (s *surplus) confirm(ctx context.Context) error {
	n := int64(len(s.list))
	var first []string
	for _, it := range s.list[:min(n, shownKeys)] {
		first = append(first, it.Key)
	}
	s.tellKeys(first, n)
	question := fmt.Sprintf("Delete %s that the source does not have?", countInWords(n, s.of))
	return s.confirmDelete(ctx, "sync", question)
}

// addKey notes a key of the folder that no file was found for. Directories count only if they are
// stored too, and not that of the folder itself, which a sync of what it is in has stored.
func (im *importer) addKey(e kvault.Entry) error {
	folder := isKeptFolder(e)
	if folder && (e.Key == im.prefix || !im.folders) {
		return nil
	}
	if !im.LeavesOutFile(e.Key[len(im.prefix):]) {
		// There may be millions: nothing is held that is not needed.
		kept := kvault.Entry{Key: e.Key, Size: e.Size, ModTime: e.ModTime, Tag: e.Tag}
		im.surplus.list = append(im.surplus.list, surplusItem{Entry: kept, folder: folder})
	}
	return nil
}

// findSurplus walks the directory beside the keys. It does so before anything is stored: what
// others put meanwhile cannot be told from what was there.
func (im *importer) findSurplus(ctx context.Context) error {
	keys := newFolderCursor(ctx, im.vault, im.prefix)
	defer keys.close()
	err := keys.advance()
	w := im.walk(func(s source) error {
		_, _, err := keys.at(im.key(s), im.addKey)
		return errors.Join(err, ctx.Err())
	})
	// What this walk cannot read is for the one that stores to report, and then nothing is deleted.
	if err == nil {
		err = w.dir(".")
	}
	if err == nil {
		err = keys.rest(im.addKey)
	}
	if ctx.Err() == nil && errors.Is(err, kvault.ErrCorrupt) {
		// What can be stored is stored all the same, and that reports the damage.
		im.surplus.list = nil
		return nil
	}
	return err
}

// hasFile reports whether something that is what an entry was, a directory or not, has its name, or
// may have it.
func (im *importer) hasFile(it surplusItem) bool {
	name, folder := it.Key[len(im.prefix):], it.folder
	if folder {
		name = strings.TrimSuffix(name, "/")
	}
	name, err := localName(name)
	if err != nil {
		return false
	}
	if im.links.value == linksStore && im.isBelowLink(name) {
		return false
	}
	info, err := im.root.Lstat(name)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) &&
			!errors.Is(err, syscall.ENAMETOOLONG)
	}
	return info.IsDir() == folder
}

// isBelowLink reports whether a directory of the name is a symbolic link, which is stored as one:
// no key can be below it.
func (im *importer) isBelowLink(name string) bool {
	for dir := filepath.Dir(name); dir != "."; dir = filepath.Dir(dir) {
		if info, err := im.root.Lstat(dir); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return true
		}
	}
	return false
}

// absent are the items that still have no file.
func (im *importer) absent(list []surplusItem) (rest []surplusItem) {
	for _, it := range list {
		if !im.hasFile(it) {
			rest = append(rest, it)
		}
	}
	return rest
}

// deleteSurplus deletes the keys that have no file.
func (im *importer) deleteSurplus(ctx context.Context) error {
	s := im.surplus
	s.list = im.absent(s.list)
	if sure, err := s.ask(ctx); err != nil || !sure {
		return err
	}
	return s.remove(ctx, s.list, im.removeKeys)
}

// removeKeys deletes keys, in one transaction where there are any, but those that have changed, or
// have a file by now.
func (im *importer) removeKeys(
	ctx context.Context, list []surplusItem,
) (deleted []surplusItem, err error) {
	if now, err := os.Stat(im.dir); err != nil || !isDir(im.root, now) {
		return nil, errors.Join(fmt.Errorf(
			"sync: %s is no longer the directory that was read: nothing was deleted", im.dir), err)
	}
	list = im.absent(list)
	gone, whole := make([]bool, len(list)), true
	err = transact.Update(ctx, im.vault, func(in transact.Store) error {
		whole = transact.Atomic(in)
		return transact.Each(ctx, in, len(list), func(ctx context.Context, i int) (err error) {
			if gone[i], err = removeVersion(ctx, in, list[i].Entry); err != nil {
				return named("sync", list[i].Key, err)
			}
			return nil
		})
	})
	if err != nil && whole {
		return nil, err
	}
	for i, it := range list {
		if gone[i] {
			deleted = append(deleted, it)
		}
	}
	return deleted, err
}

// removeVersion deletes a key unless its value is another than was.
func removeVersion(ctx context.Context, in transact.Store, was kvault.Entry) (bool, error) {
	e, err := in.Stat(ctx, was.Key)
	if err == nil && !sameVersion(e, was) {
		return false, nil
	}
	if err == nil {
		err = transact.Delete(ctx, in, e)
	}
	if errors.Is(err, kvault.ErrNotFound) || errors.Is(err, kvault.ErrTagMismatch) {
		return false, nil
	}
	return err == nil, err
}

// isDir reports whether info is of the directory that root was opened as.
func isDir(root *os.Root, info fs.FileInfo) bool {
	is, err := root.Stat(".")
	return err == nil && os.SameFile(is, info)
}

func sameVersion(x, y kvault.Entry) bool {
	return x.Tag == y.Tag && x.Size == y.Size && x.ModTime.Equal(y.ModTime)
}
