package cli

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"

	"github.com/kohakuvault/kvault"
)

// makeRoom finds the files that have no key, asks, and deletes those that are in the way of what is
// to be written: a directory may have to make room for a file, or a file for a directory. The
// others may be all that is left of a value that turns out to be damaged, and stay until all is
// written.
func (ex *exporter) makeRoom(ctx context.Context) error {
	if err := ex.findSurplus(ctx); err != nil {
		return err
	}
	s := ex.surplus
	sure, err := s.ask(ctx)
	list := s.list
	s.list = nil
	if err != nil || !sure {
		return err
	}
	var first []surplusItem
	for _, it := range list {
		inWay, err := ex.isInWay(ctx, it)
		switch {
		case err != nil:
			return err
		case inWay:
			first = append(first, it)
		default:
			s.list = append(s.list, it)
		}
	}
	return s.remove(ctx, first, ex.removeFiles)
}

// isInWay reports whether a file lies where there must be a directory, below what must be a file,
// or where a key belongs whose name is the same one to the file system.
func (ex *exporter) isInWay(ctx context.Context, it surplusItem) (bool, error) {
	for _, info := range ex.surplus.aliases {
		if os.SameFile(info, it.info) {
			return true, nil
		}
	}
	name := it.Key[len(ex.prefix):]
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if ex.LeavesOutFile(dir) {
			continue
		}
		if is, err := ex.vault.Exists(ctx, ex.prefix+dir); is || err != nil {
			return is, err
		}
	}
	return ex.hasKeys(ctx, ex.prefix+name+"/")
}

// hasKeys reports whether keys that are not left out begin with a prefix.
func (ex *exporter) hasKeys(ctx context.Context, prefix string) (bool, error) {
	for key, err := range ex.vault.Keys(ctx, &kvault.ListOptions{Prefix: prefix}) {
		if err != nil || !ex.leavesOut(key) {
			return err == nil, err
		}
	}
	return false, nil
}

// deleteRest deletes what was not in the way, unless anything failed.
func (ex *exporter) deleteRest(ctx context.Context) error {
	s := ex.surplus
	if s == nil || len(s.list) == 0 || s.failed() {
		return nil
	}
	return s.remove(ctx, s.list, ex.removeFiles)
}

// findSurplus walks the directory beside the keys.
func (ex *exporter) findSurplus(ctx context.Context) error {
	s := ex.surplus
	keys := newFolderCursor(ctx, ex.vault, ex.prefix)
	defer keys.close()
	err := keys.advance()
	count := func(e kvault.Entry) error {
		if !isKeptFolder(e) {
			s.source++
		}
		return ctx.Err()
	}
	passed := func(e kvault.Entry) error {
		ex.addAlias(e)
		return count(e)
	}
	w := walk{
		root: ex.root, ownFiles: ex.ownFiles, filter: &ex.filter,
		failed: func(name string, err error) {
			ex.addFailed(&ex.summary, ex.command, ex.prefix+name, err)
		},
		file: func(f source) error {
			e, found, err := keys.at(ex.prefix+f.name, passed)
			if found {
				return errors.Join(err, count(e))
			}
			e = kvault.Entry{
				Key: ex.prefix + f.name, Size: f.info.Size(), ModTime: f.info.ModTime(),
			}
			s.list = append(s.list, surplusItem{Entry: e, info: f.info})
			return errors.Join(err, ctx.Err())
		},
	}
	if err == nil && ex.root != nil {
		err = w.dir(".")
	}
	if err == nil {
		err = keys.rest(passed)
	}
	if ctx.Err() == nil && errors.Is(err, kvault.ErrCorrupt) {
		// What can be read is written all the same, and that reports the damage.
		ex.surplus.list = nil
		return nil
	}
	return err
}

// addAlias notes the file that a key has though the walk did not meet one of its name: to the file
// system, names may be the same that differ in case.
func (ex *exporter) addAlias(e kvault.Entry) {
	name, err := localName(e.Key[len(ex.prefix):])
	if err != nil || ex.root == nil || ex.leavesOut(e.Key) {
		return
	}
	if info, err := ex.root.Lstat(name); err == nil && info.Mode().IsRegular() {
		ex.surplus.aliases = append(ex.surplus.aliases, info)
	}
}

// removeFiles deletes files, but those that have changed, or have a key by now, and then the
// directories that this leaves empty.
func (ex *exporter) removeFiles(
	ctx context.Context, list []surplusItem,
) (deleted []surplusItem, err error) {
	for _, it := range list {
		known, err := ex.vault.Exists(ctx, it.Key)
		if err != nil {
			return deleted, err
		}
		name := filepath.FromSlash(it.Key[len(ex.prefix):])
		now, err := ex.root.Lstat(name)
		if known || err != nil || !os.SameFile(now, it.info) || !sameTime(it.Entry, now) {
			continue
		}
		if err := ex.root.Remove(name); err != nil {
			ex.addFailed(&ex.summary, ex.command, it.Key, err)
			continue
		}
		deleted = append(deleted, it)
		ex.removeEmptied(ctx, path.Dir(it.Key[len(ex.prefix):]))
	}
	return deleted, nil
}

// removeEmptied removes a directory and those above it, up to one that is not empty or has keys:
// made again, it would not be what it was.
func (ex *exporter) removeEmptied(ctx context.Context, dir string) {
	for ; dir != "."; dir = path.Dir(dir) {
		if keys, err := ex.hasKeys(ctx, ex.prefix+dir+"/"); keys || err != nil {
			return
		}
		if ex.root.Remove(filepath.FromSlash(dir)) != nil {
			return
		}
	}
}
