package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/kohakuvault/kvault/internal/process"
)

// takenNames tells the keys apart that would become one file, because the target takes "A" and "a"
// for the same name. Where it does not, nothing is noted.
type takenNames struct {
	probed sync.Once
	mu     sync.Mutex
	names  map[string]string // by themselves in lower case; nil where case tells files apart
}

// take notes the file that a key below prefix is about to have. It fails if another key of this run
// has that file already, whether it was written or only found to be the same.
func (t *takenNames) take(root *os.Root, prefix, name string) error {
	t.probed.Do(func() {
		if ignoresCase(root) {
			t.names = map[string]string{}
		}
	})
	if t.names == nil {
		return nil
	}
	t.mu.Lock()
	folded := strings.ToLower(name)
	first, taken := t.names[folded]
	if !taken {
		t.names[folded] = name
	}
	t.mu.Unlock()
	if !taken || differ(root, first, name) {
		return nil
	}
	return fmt.Errorf("%q has the same file, because upper and lower case are the same there",
		prefix+filepath.ToSlash(first))
}

// differ reports whether names are of different files, as those in a directory can be that tells
// case apart although the root does not. The first one may not be written yet.
func differ(root *os.Root, first, second string) bool {
	x, err := root.Lstat(first)
	if err != nil {
		return false
	}
	y, err := root.Lstat(second)
	return err != nil || !os.SameFile(x, y)
}

// ignoresCase tries whether a file can be found by its name in upper case.
func ignoresCase(root *os.Root) bool {
	name := process.PartialName(".kvault-")
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false // nothing can be written there
	}
	f.Close()
	_, err = root.Lstat(strings.ToUpper(name))
	_ = root.Remove(name) // what is left is swept the next time
	return err == nil
}
