package cli

import (
	"path"
	"path/filepath"
	"strings"
)

// prefixHelp is what the help of the program says about PREFIX, for all commands that have one.
const prefixHelp = `In every command PREFIX is a folder of the vault: photos and photos/ both mean
the keys that begin with "photos/", and "." means all keys. It is taken as it is
written, byte by byte.`

// folderPrefix is what all keys in the folder name begin with. An empty name, or ".", is the whole
// vault.
func folderPrefix(name string) string {
	switch {
	case name == ".", name == "./":
		return ""
	case name == "", strings.HasSuffix(name, "/"):
		return name
	}
	return name + "/"
}

// optionalPrefix is the folderPrefix of the only argument, or without one of the whole vault.
func optionalPrefix(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return folderPrefix(args[0])
}

// storePrefix is the folderPrefix of a folder to store files in. It refuses what the name of a file
// cannot bring back.
func storePrefix(command, name string) (string, error) {
	prefix := folderPrefix(name)
	clean := path.Clean(filepath.ToSlash(prefix))
	switch {
	case prefix == "":
		return "", nil
	case strings.HasPrefix(clean, "/"):
		return "", usagef("%s: PREFIX %q begins with a slash; without it, %q is a folder of the vault",
			command, name, strings.TrimLeft(clean, "/"))
	case !filepath.IsLocal(filepath.FromSlash(clean)):
		return "", usagef(`%s: PREFIX %q is not a folder of the vault; "." is the vault itself`,
			command, name)
	case clean+"/" != prefix:
		return "", usagef(`%s: no export could bring back PREFIX %q; write %q`, command, name, clean)
	}
	return prefix, nil
}
