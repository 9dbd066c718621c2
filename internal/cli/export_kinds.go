package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/filetree"
)

// writeEntry makes an entry what it was when it was stored: a file, a link or a directory.
func (ex *exporter) writeEntry(ctx context.Context, dirs *dirCache, e listed) (adder, error) {
	name := e.Key[len(ex.prefix):]
	kind := filetree.KindOf(e.ContentType, e.User)
	if kind == filetree.Folder {
		return ex.writeFolder(e.Entry, name)
	}
	name, err := localName(name)
	if err == nil && !ex.dryRun {
		err = ex.taken.take(ex.root, ex.prefix, name)
	}
	switch {
	case err != nil:
		return nil, err
	case kind == filetree.Link:
		return ex.writeLink(ctx, dirs, e, name)
	}
	return ex.write(ctx, dirs, e, name)
}

// writeLink makes a symbolic link whose target is the value of e.
func (ex *exporter) writeLink(
	ctx context.Context, dirs *dirCache, e listed, name string,
) (adder, error) {
	target, err := ex.target(ctx, e.Key, name)
	if err != nil {
		return nil, err
	}
	dir, base, old, err := ex.lookAt(dirs, name)
	if err != nil {
		return nil, err
	}
	if old != nil && old.Mode()&fs.ModeSymlink != 0 && !ex.overwrite {
		if now, err := dir.Readlink(base); err == nil && now == target {
			if ex.noClobber {
				return ex.addUnchanged, nil
			}
			return ex.addUnchanged, ex.restoreLinkOwner(dir, base, e.User)
		}
	}
	if add, err := ex.leave(ctx, dir, base, e, name, old); add != nil || err != nil {
		return add, err
	}
	var kept error
	err = placeAtomically(dir, base, ex.noClobber, func(temp string) error {
		if err := dir.Symlink(target, temp); err != nil {
			return err
		}
		kept = ex.restoreLinkOwner(dir, temp, e.User)
		if e.ModTime.IsZero() {
			return nil
		}
		return filetree.SetLinkTime(dir, temp, e.ModTime)
	})
	if ex.noClobber && errors.Is(err, fs.ErrExist) {
		return ex.addSkipped, nil
	}
	return ex.addDone, cmp.Or(err, kept)
}

// target is the value of key as the target of the link name, if a link may have it.
func (ex *exporter) target(ctx context.Context, key, name string) (string, error) {
	r, err := ex.vault.NewReader(ctx, key)
	if err != nil {
		return "", err
	}
	defer r.Close()
	value, err := io.ReadAll(io.LimitReader(r, filetree.MaxTarget+1))
	if err != nil {
		return "", err
	}
	err = filetree.CheckTarget(filepath.ToSlash(name), string(value))
	if errors.Is(err, filetree.ErrLeadsOut) {
		if ex.unsafeLinks {
			return string(value), nil
		}
		err = fmt.Errorf("%w; --unsafe-links restores it all the same", err)
	}
	return string(value), err
}

func (ex *exporter) restoreLinkOwner(dir *os.Root, name string, meta map[string]string) error {
	if !ex.owner || ex.dryRun {
		return nil
	}
	if err := ex.owners.RestoreLink(dir, name, meta); err != nil {
		return errors.New(err.Error()) // of this item alone, whatever the system said
	}
	return nil
}

// folder is a directory that gets its times and permission bits once nothing more is written to it.
type folder struct {
	entry kvault.Entry
	name  string
}

// writeFolder makes a directory, and notes what it is to get at the end. The one for the prefix
// itself is the caller's, and is left as it is.
func (ex *exporter) writeFolder(e kvault.Entry, key string) (adder, error) {
	if e.Size != 0 || key != "" && !strings.HasSuffix(key, "/") {
		return nil, errors.New(
			`it claims to be a directory, but has a value, or a key without "/" at its end`)
	}
	if key == "" {
		return ex.addUnchanged, nil
	}
	name, err := localName(strings.TrimSuffix(key, "/"))
	if err != nil {
		return nil, err
	}
	var old fs.FileInfo
	if ex.root != nil {
		if old, err = ex.root.Lstat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	switch {
	case old != nil && old.IsDir() && ex.noClobber:
		return ex.addSkipped, nil
	case ex.dryRun && old == nil:
		return ex.addDone, nil
	}
	if err := ex.makeDir(name); err != nil {
		return nil, err
	}
	if ex.update && ex.foundAt(name).After(e.ModTime) {
		return ex.addSkipped, nil
	}
	ex.mu.Lock()
	ex.folders = append(ex.folders, folder{e, name})
	ex.mu.Unlock()
	if old != nil && sameFolder(e, old) {
		return ex.addUnchanged, nil
	}
	return ex.addDone, nil
}

// foundAt is the time that a directory had when makeDir found it, or none if it was made.
func (ex *exporter) foundAt(name string) time.Time {
	found, _ := ex.dirs.Load(name)
	t, _ := found.(time.Time)
	return t
}

// isKeptFolder reports whether an entry is a directory that was stored.
func isKeptFolder(e kvault.Entry) bool {
	return filetree.KindOf(e.ContentType, e.User) == filetree.Folder
}

func sameFolder(e kvault.Entry, info fs.FileInfo) bool {
	mode, ok := fileMode(e)
	return info.ModTime().Equal(e.ModTime) && (!ok || info.Mode().Perm() == mode)
}

// restoreFolders gives the directories what was kept of them, the inner ones first: the outer ones
// may be closed after that.
func (ex *exporter) restoreFolders() {
	if ex.dryRun {
		return
	}
	slices.SortFunc(ex.folders, func(a, b folder) int { return cmp.Compare(b.name, a.name) })
	for _, f := range ex.folders {
		if err := ex.restoreFolder(f); err != nil {
			ex.addFailed(&ex.summary, ex.command, f.entry.Key, err)
		}
	}
}

func (ex *exporter) restoreFolder(f folder) error {
	info, err := ex.root.Lstat(f.name)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is %s, not a directory", f.name, otherKind(info.Mode()))
	}
	var kept error
	if ex.owner || ex.xattrs {
		d, err := ex.root.Open(f.name)
		if err != nil {
			return err
		}
		kept = errors.Join(ex.restoreKept(d, f.entry.User), d.Close())
	}
	if mode, ok := fileMode(f.entry); ok && mode != info.Mode().Perm() {
		if err := ex.root.Chmod(f.name, mode); err != nil {
			return err
		}
	}
	if t := f.entry.ModTime; !t.IsZero() {
		if err := ex.root.Chtimes(f.name, t, t); err != nil {
			return err
		}
	}
	return kept
}
