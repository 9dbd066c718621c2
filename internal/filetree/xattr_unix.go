//go:build linux || darwin

package filetree

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const hasXattrs = true

// keptXattr reports whether an attribute is kept. Linux divides them into namespaces, and only in
// that of the user they are data; macOS has no namespaces.
func keptXattr(name string) bool {
	if runtime.GOOS != "linux" {
		return name != ""
	}
	return strings.HasPrefix(name, "user.") && name != "user."
}

func listXattrs(f *os.File) (names []string, err error) {
	list, err := readXattr(func(p []byte) (int, error) { return unix.Flistxattr(int(f.Fd()), p) })
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	names = strings.Split(string(list), "\x00")
	return slices.DeleteFunc(names, func(s string) bool { return s == "" }), err
}

func getXattr(f *os.File, name string) ([]byte, error) {
	return readXattr(func(p []byte) (int, error) { return unix.Fgetxattr(int(f.Fd()), name, p) })
}

// readXattr has read fill a buffer. Without one, read says how long it has to be, which may change
// meanwhile.
func readXattr(read func([]byte) (int, error)) ([]byte, error) {
	for {
		size, err := read(nil)
		if err != nil || size == 0 {
			return nil, err
		}
		p := make([]byte, size)
		n, err := read(p)
		if !errors.Is(err, unix.ERANGE) {
			return p[:max(n, 0)], err
		}
	}
}

func setXattr(f *os.File, name string, value []byte) error {
	return unix.Fsetxattr(int(f.Fd()), name, value, 0)
}
