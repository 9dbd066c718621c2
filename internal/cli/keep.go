package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/filetree"
)

// The values of --links. Without one, links are reported as what is not stored.
const (
	linksSkip   = "skip"
	linksStore  = "store"
	linksFollow = "follow"
)

const keepHelp = `--links=store keeps symbolic links as links, and --links=follow stores what they
lead to, also where that lies outside DIR; a link that leads back to a directory
above it is reported. --links=skip leaves them out without a word. --folders
keeps directories, empty ones too, with their times and permission bits; their
keys end with "/". --owner keeps user and group, by name and number. --xattrs
keeps extended attributes, on Linux those of the namespace "user"; of those of
one file a vault keeps up to 1 MiB in base64.`

const restoreHelp = `Symbolic links and directories that an import stored are restored as what they
were. A link whose target may lie outside DIR (it is absolute, or has a ".."
that leads up too far or stands behind a name) is reported instead, unless
--unsafe-links says that the vault can be trusted. Nothing is ever written
through a link. --owner and --xattrs restore what an import with these flags
stored; what cannot be restored is reported, and the file is written all the
same.`

// keepFlags say what is kept of files besides their bytes, times and permission bits.
type keepFlags struct {
	owner, xattrs bool
	owners        filetree.Owners
}

// registerKeep adds the flags; does says whether they keep or restore.
func (k *keepFlags) registerKeep(cmd *cobra.Command, does string) {
	cmd.Flags().BoolVar(&k.owner, "owner", false, does+" who owns files")
	cmd.Flags().BoolVar(&k.xattrs, "xattrs", false, does+" extended attributes")
}

// check refuses what this system does not have.
func (k *keepFlags) check(command string) error {
	if err := k.owners.Supported(); k.owner && err != nil {
		return usagef("%s: --owner: %w", command, err)
	}
	if err := filetree.XattrsSupported(); k.xattrs && err != nil {
		return usagef("%s: --xattrs: %w", command, err)
	}
	return nil
}

// linkFlags say what an import does with links and directories.
type linkFlags struct {
	links   choice
	folders bool
}

func (l *linkFlags) registerLinks(cmd *cobra.Command) {
	l.links = choice{allowed: []string{linksSkip, linksStore, linksFollow}}
	cmd.Flags().Var(&l.links, "links",
		"leave out symbolic links, store them, or follow them (default: report them)")
	registerChoice(cmd, "links", l.links.allowed)
	cmd.Flags().BoolVar(&l.folders, "folders", false, "keep directories too, with their times")
}

// describe sets the metadata of an item. f is the open file, or nil for a link.
func (im *importer) describe(it *item, f *os.File) error {
	it.meta = map[string]string{}
	it.contentType = filetree.AddKind(it.meta, it.kind)
	if it.kind != filetree.Link {
		it.meta[modeMeta] = modeOf(it.info)
	}
	if im.owner {
		if err := im.owners.Add(it.meta, it.info); err != nil {
			return err
		}
	}
	if !im.xattrs || f == nil {
		return nil
	}
	if err := filetree.AddXattrs(it.meta, f); err != nil {
		return err
	}
	size := 0
	for name, value := range it.meta {
		size += len(name) + len(value)
	}
	if size > kvault.MaxUserMetadata {
		return fmt.Errorf("its extended attributes come to %d bytes of metadata, at most %d are "+
			"possible; without --xattrs it can be stored", size, kvault.MaxUserMetadata)
	}
	return nil
}

// sameKept reports whether an entry has what is to be kept of an item besides what sameEntry
// compares.
func (im *importer) sameKept(dirs *dirCache, e kvault.Entry, it *item) (bool, error) {
	if !im.owner && !im.xattrs {
		return true, nil
	}
	var f *os.File
	if im.xattrs && it.kind != filetree.Link {
		var err error
		if f, err = it.open(dirs); err != nil {
			return false, err
		}
		defer f.Close()
	}
	if err := im.describe(it, f); err != nil {
		return false, err
	}
	return (!im.owner || filetree.SameOwner(e.User, it.meta)) &&
		(!im.xattrs || filetree.SameXattrs(e.User, it.meta)), nil
}

// restoreKept gives an open file or directory what was kept of it. Its error is one of this item
// alone, whatever the system said.
func (k *keepFlags) restoreKept(f *os.File, meta map[string]string) error {
	var err error
	if k.xattrs {
		err = filetree.RestoreXattrs(f, meta)
	}
	if k.owner {
		err = errors.Join(err, k.owners.Restore(f, meta))
	}
	if err == nil {
		return nil
	}
	return errors.New(err.Error())
}
