// Package filetree keeps what files have besides their bytes, and restores it: which entries are
// symbolic links or folders, owners, extended attributes and holes. In a vault these are a content
// type and metadata, which are text. The package knows files and metadata, but no vault and no
// command.
package filetree

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Kind is what an entry of a vault was in a directory tree.
type Kind int

// The kinds that are kept.
const (
	File   Kind = iota // a regular file
	Link               // a symbolic link, whose value is its target
	Folder             // a directory, whose key ends in "/" and whose value is empty
)

// The content types and the metadata of links and folders. The types are those of freedesktop.org's
// shared MIME database.
const (
	LinkType   = "inode/symlink"
	FolderType = "inode/directory"
	kindMeta   = "kind"
	linkKind   = "symlink"
	folderKind = "directory"
)

// MaxTarget is the length in bytes of the longest target of a link that Linux has.
const MaxTarget = 4095

// KindOf returns what an entry was. Both its content type and its metadata must say that it was no
// regular file: a value that somebody gave one of them remains a file.
func KindOf(contentType string, meta map[string]string) Kind {
	switch {
	case contentType == LinkType && meta[kindMeta] == linkKind:
		return Link
	case contentType == FolderType && meta[kindMeta] == folderKind:
		return Folder
	}
	return File
}

// AddKind adds to meta what an entry of the kind needs, and returns its content type. That is empty
// for a regular file.
func AddKind(meta map[string]string, k Kind) (contentType string) {
	switch k {
	case Link:
		meta[kindMeta] = linkKind
		return LinkType
	case Folder:
		meta[kindMeta] = folderKind
		return FolderType
	}
	return ""
}

// ErrLeadsOut is the error of a link whose target may lie outside the tree.
var ErrLeadsOut = errors.New("may lead out of the directory")

// CheckTarget returns an error if no link may have the target, and one that matches ErrLeadsOut if
// the link name, a path with slashes below the root of a tree, may lead out of that tree.
//
// A target stays inside if it is relative, has ".." only as its first parts, and not more of them
// than name has folders. The rule is of the text alone, and holds whatever other such links there
// are: the folders of name are no links, and behind a part that may be one there is no "..".
func CheckTarget(name, target string) error {
	switch {
	case target == "":
		return errors.New("the link has no target")
	case strings.ContainsRune(target, 0):
		return errors.New("the target of the link holds a NUL byte")
	case len(target) > MaxTarget:
		return fmt.Errorf("the target of the link has %d bytes, at most %d are possible",
			len(target), MaxTarget)
	}
	local := filepath.ToSlash(target)
	out := fmt.Errorf("the target %q of the link %w", target, ErrLeadsOut)
	if strings.HasPrefix(local, "/") || filepath.IsAbs(target) || filepath.VolumeName(target) != "" {
		return out
	}
	depth, down := strings.Count(name, "/"), false
	for part := range strings.SplitSeq(local, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; down || depth < 0 {
				return out
			}
		default:
			down = true
		}
	}
	return nil
}
