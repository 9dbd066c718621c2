package filetree

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

func TestKindOf(t *testing.T) {
	for _, k := range []Kind{File, Link, Folder} {
		meta := map[string]string{"mode": "0644"}
		contentType := AddKind(meta, k)
		if got := KindOf(contentType, meta); got != k {
			t.Errorf("kind %d comes back as %d: %q, %q", k, got, contentType, meta)
		}
	}
	for _, tt := range []struct{ contentType, kind string }{
		{LinkType, ""}, {"", linkKind}, {"text/plain", linkKind}, {LinkType, folderKind},
		{FolderType, linkKind}, {LinkType, "invoice"}, {FolderType, ""},
	} {
		if got := KindOf(tt.contentType, map[string]string{kindMeta: tt.kind}); got != File {
			t.Errorf("%+v is taken for kind %d", tt, got)
		}
	}
}

func TestCheckTarget(t *testing.T) {
	for _, tt := range []struct {
		name, target string
		inside       bool
	}{
		{"a", "b", true},
		{"a", "b/c", true},
		{"a", "a", true}, // a loop leads nowhere
		{"a", ".", true},
		{"a", "./b//c/", true},
		{"a", "...", true},
		{"d/a", "..", true},
		{"d/a", "../b", true},
		{"d/e/a", "./.././../b", true},
		{"a", "..", false},
		{"a", "../a", false},
		{"d/a", "../../d/a", false},
		{"a", "/etc/passwd", false},
		{"a", "/", false},
		{"a", "//", false},
		// What b is nobody knows.
		{"a", "b/..", false},
		{"d/e/a", "../b/../c", false},
		{"a", "b/../..", false},
	} {
		err := CheckTarget(tt.name, tt.target)
		if tt.inside != (err == nil) || err != nil && !errors.Is(err, ErrLeadsOut) {
			t.Errorf("%s -> %s: %v", tt.name, tt.target, err)
		}
	}
	for name, target := range map[string]string{
		"empty": "", "NUL": "a\x00b", "long": strings.Repeat("x", MaxTarget+1),
		"long and out": strings.Repeat("../", 1<<20),
	} {
		if err := CheckTarget("a", target); err == nil || errors.Is(err, ErrLeadsOut) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzCheckTarget makes links in a tree that CheckTarget takes for safe, and resolves them.
func FuzzCheckTarget(f *testing.F) {
	f.Add("up", "..", "up/../x")
	f.Add("d/up", "..", "d/up/x")
	f.Add("d/e", "../..", "e/../..")
	f.Add("d/e", "/", "d/./e/..")
	box := f.TempDir()
	f.Fuzz(func(t *testing.T, name, first, second string) {
		top, err := os.MkdirTemp(box, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(top)
		dir := filepath.Join(top, "in", "tree")
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		name = path.Clean(name)
		if !filepath.IsLocal(name) || root.MkdirAll(path.Dir(name), 0o777) != nil {
			return
		}
		links := map[string]string{name: first, "last": second}
		for name, target := range links {
			if CheckTarget(name, target) == nil {
				_ = root.Symlink(target, name) // one that cannot be made leads nowhere
			}
		}
		for name := range links {
			real, err := filepath.EvalSymlinks(filepath.Join(dir, name))
			if err != nil {
				continue // it leads to nothing
			}
			base, err := filepath.EvalSymlinks(dir)
			if err != nil || real != base && !strings.HasPrefix(real, base+"/") {
				t.Errorf("%q leads to %q, %v", links, real, err)
			}
		}
	})
}
