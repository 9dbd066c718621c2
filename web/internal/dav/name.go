package dav

import (
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// nameOf returns the name that a URL below Mount has in the file system of a vault, and whether its
// path ends in a slash. Mount without its slash is the root, too. Nothing is cleaned: a path that is
// no name is an error.
func nameOf(u *url.URL) (name string, slash bool, err error) {
	escaped, below := strings.CutPrefix(u.EscapedPath(), Mount)
	if u.EscapedPath()+"/" == Mount { // as Windows asks for it
		below, escaped = true, ""
	}
	if !below {
		return "", false, &wire.Error{
			Status: http.StatusNotFound, Text: "there is nothing at this path",
		}
	}
	if escaped == "" {
		return ".", true, nil
	}
	name, err = url.PathUnescape(escaped)
	if err != nil {
		return "", false, &wire.Error{
			Status: http.StatusBadRequest, Text: "the path is not percent-encoded as it should be",
		}
	}
	name, slash = strings.CutSuffix(name, "/")
	switch {
	case !nameable(name):
		return "", false, errNoName
	case len(name) >= kvault.MaxKey: // a folder's own key has a slash more
		return "", false, &wire.Error{
			Status: http.StatusRequestURITooLong, Text: "the path is too long",
		}
	}
	return name, slash, nil
}

var errNoName = &wire.Error{
	Status: http.StatusNotFound,
	Text: `WebDAV has no names that are empty, ".", "..", not UTF-8 or with NUL, and no more than ` +
		strconv.Itoa(maxDepth) + ` in each other; /v/ has every key`,
}

// maxDepth is how many folders a name may be in. Whoever looks for a lock looks at each.
const maxDepth = 256

// nameable reports whether WebDAV can show a file or a folder other than the root under that name.
func nameable(name string) bool {
	return name != "." && fs.ValidPath(name) && !strings.Contains(name, "\x00") &&
		strings.Count(name, "/") <= maxDepth
}

// prefixOf returns what the keys in the folder name begin with.
func prefixOf(name string) string {
	if name == "." {
		return ""
	}
	return name + "/"
}

// hrefOf returns the path of a file or a folder, whose path ends in a slash.
func hrefOf(name string, folder bool) string {
	switch {
	case name == ".":
		return Mount
	case folder:
		return wire.PathOf(Mount, name) + "/"
	}
	return wire.PathOf(Mount, name)
}

// within reports whether name is root, or below it.
func within(name, root string) bool {
	return root == "." || name == root ||
		strings.HasPrefix(name, root) && name[len(root)] == '/'
}
