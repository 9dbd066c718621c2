package cli

import (
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLocalName looks for a key whose file would lie outside the directory, or be another key's
// too.
func FuzzLocalName(f *testing.F) {
	for _, key := range []string{"a", "a/b", "../a", "a/../../b", "/etc/passwd", "a//b", ".", "a/.", "nul\x00", "C:\\x", "CON", "a\\..\\b", "\xff", strings.Repeat("a/", 3000) + "a"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		name, err := localName(key)
		if err != nil {
			return
		}
		if !filepath.IsLocal(name) || filepath.Clean(name) != name || strings.ContainsRune(name, 0) || len(name) > longestName {
			t.Errorf("%q becomes %q", key, name)
		}
		if filepath.ToSlash(name) != key {
			t.Errorf("%q becomes %q, which is the file of another key", key, name)
		}
	})
}
