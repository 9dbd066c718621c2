package filetree

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

// xattrMeta begins the names of metadata that keep extended attributes. The rest is the attribute's
// own name, and the value is in base64, as attributes are bytes and metadata is text.
const xattrMeta = "xattr."

// XattrsSupported returns an error if this system has no extended attributes that are kept.
func XattrsSupported() error {
	if !hasXattrs {
		return errors.New("extended attributes are kept on Linux and macOS only")
	}
	return nil
}

// AddXattrs adds the extended attributes of an open file or directory to meta. On Linux these are
// the ones of the user: those of other namespaces (security, system, trusted) grant rights or
// belong to the machine. A file system without attributes is no error.
func AddXattrs(meta map[string]string, f *os.File) error {
	names, err := listXattrs(f)
	if err != nil {
		return fmt.Errorf("its extended attributes cannot be listed: %w", err)
	}
	for _, name := range names {
		if !keptXattr(name) {
			continue
		}
		if !utf8.ValidString(name) {
			return fmt.Errorf("the name %q of an extended attribute is not UTF-8 text", name)
		}
		value, err := getXattr(f, name)
		if err != nil {
			return fmt.Errorf("its extended attribute %q cannot be read: %w", name, err)
		}
		meta[xattrMeta+name] = base64.StdEncoding.EncodeToString(value)
	}
	return nil
}

// SameXattrs reports whether two entries' metadata has the same extended attributes.
func SameXattrs(a, b map[string]string) bool {
	return hasXattrsOf(a, b) && hasXattrsOf(b, a)
}

func hasXattrsOf(a, b map[string]string) bool {
	for name, value := range a {
		if other, ok := b[name]; strings.HasPrefix(name, xattrMeta) && (!ok || other != value) {
			return false
		}
	}
	return true
}

// RestoreXattrs gives an open file or directory the extended attributes in meta. Others that it has
// stay. It goes on after an attribute that cannot be set, and returns all errors.
func RestoreXattrs(f *os.File, meta map[string]string) error {
	var names []string
	for name := range meta {
		if strings.HasPrefix(name, xattrMeta) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var failed []error
	for _, stored := range names {
		name := strings.TrimPrefix(stored, xattrMeta)
		if err := restoreXattr(f, name, meta[stored]); err != nil {
			failed = append(failed, fmt.Errorf("the extended attribute %q was not restored: %w", name, err))
		}
	}
	return errors.Join(failed...)
}

func restoreXattr(f *os.File, name, stored string) error {
	if err := XattrsSupported(); err != nil {
		return err
	}
	if !keptXattr(name) || strings.ContainsRune(name, 0) {
		return errors.New("it is none that an import keeps")
	}
	value, err := base64.StdEncoding.DecodeString(stored)
	if err != nil {
		return err
	}
	return setXattr(f, name, value)
}
