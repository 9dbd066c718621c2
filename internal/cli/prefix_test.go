package cli

import "testing"

func TestFolderPrefix(t *testing.T) {
	for name, want := range map[string]string{
		"": "", ".": "", "./": "", "a": "a/", "a/": "a/", "a//": "a//", "/": "/", "..": "../", "a/.": "a/./", "\xff": "\xff/",
	} {
		if got := folderPrefix(name); got != want {
			t.Errorf("folderPrefix(%q) = %q, not %q", name, got, want)
		}
	}
}

func TestStorePrefix(t *testing.T) {
	for name, want := range map[string]string{"": "", ".": "", "./": "", "a": "a/", "a/b/": "a/b/", "a b": "a b/"} {
		if got, err := storePrefix("import", name); err != nil || got != want {
			t.Errorf("storePrefix(%q) = %q, %v, not %q", name, got, err, want)
		}
	}
	for _, name := range []string{"..", "../a", "/", "/a", "a//b", "a/../b", "./a", "a/.", "a//"} {
		if got, err := storePrefix("import", name); err == nil {
			t.Errorf("storePrefix(%q) = %q", name, got)
		}
	}
}
