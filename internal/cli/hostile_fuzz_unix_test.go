//go:build linux || darwin

package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine/mem"
)

// FuzzExportKeys exports two keys into a target with links out of it.
func FuzzExportKeys(f *testing.F) {
	for _, keys := range [][2]string{{"a", "a/b"}, {"../x", "link/x"}, {"/x", "x/"}, {"link/../../x", "link"}, {"a\x00b", "\xff"}, {".kvault-1.tmp", "."}, {"a/link/x", "a"}} {
		f.Add(keys[0], keys[1])
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, first, second string) {
		box, err := os.MkdirTemp(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(box)
		target := filepath.Join(box, "target")
		writeBelow(t, box, "outside/secret", "secret")
		for _, name := range []string{"link", "a/link"} {
			if err := errors.Join(os.MkdirAll(filepath.Join(target, filepath.Dir(name)), 0o777), os.Symlink(filepath.Join(box, "outside"), filepath.Join(target, name))); err != nil {
				t.Fatal(err)
			}
		}
		a, _ := memApp(mem.New())
		v, err := a.open(t.Context(), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		stored := 0
		for _, key := range []string{first, second} {
			if v.Put(t.Context(), key, []byte("value of "+key)) == nil && first != second {
				stored++
			}
		}
		a.open = func(context.Context, string, *kvault.Options) (*kvault.Vault, error) { return v, nil }
		code := a.run(t.Context(), []string{"-f", "v", "export", "", target})
		outsideUnchanged(t, box)
		if code != 0 && code != exitSome {
			t.Errorf("exit code %d", code)
		}
		exported := 0
		for _, key := range []string{first, second} {
			if got, err := os.ReadFile(filepath.Join(target, key)); err == nil && filepath.IsLocal(key) && string(got) == "value of "+key {
				exported++
			}
		}
		if code == 0 && exported < stored {
			t.Errorf("%d of %d keys were exported without an error", exported, stored)
		}
	})
}

// FuzzImportTree makes a tree as the input says and imports it: what is a file is stored, all else
// is named.
func FuzzImportTree(f *testing.F) {
	for _, plan := range []string{"f:a\x00f:b/c\x00l:d>a", "p:pipe\x00f:\xff", "l:a>a\x00f:a/b", "l:up>..\x00f:x", "f:-rf\x00f:new\nline", "l:d>/dev\x00f:d/null"} {
		f.Add(plan)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, plan string) {
		tree, err := os.MkdirTemp(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(tree)
		root, err := os.OpenRoot(tree)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		files, others := map[string]bool{}, 0
		for step := range strings.SplitSeq(plan, "\x00") {
			kind, name, _ := strings.Cut(step, ":")
			name, to, _ := strings.Cut(name, ">")
			if name = filepath.Clean(name); !filepath.IsLocal(name) || root.MkdirAll(filepath.Dir(name), 0o777) != nil {
				continue
			}
			if info, err := root.Lstat(name); err == nil && info != nil {
				continue
			}
			real := true // not by way of a link
			for d := filepath.Dir(name); d != "."; d = filepath.Dir(d) {
				info, err := root.Lstat(d)
				real = real && err == nil && info.IsDir()
			}
			switch {
			case !real:
			case kind == "f" && root.WriteFile(name, []byte(name), 0o666) == nil:
				files[name] = true
			case kind == "l" && root.Symlink(to, name) == nil, kind == "p" && syscall.Mkfifo(filepath.Join(tree, name), 0o666) == nil:
				others++
			}
		}
		a, errs := memApp(mem.New())
		v, err := a.open(t.Context(), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		im := &importer{app: a, root: root, vault: v, importFlags: &importFlags{}}
		if err := im.run(t.Context()); err != nil || im.summary.done != int64(len(files)) || im.summary.failed != int64(others) {
			t.Errorf("%v: %d of %d files, %d of %d others: %s", err, im.summary.done, len(files), im.summary.failed, others, errs)
		}
		for name := range files {
			if got, err := v.Get(t.Context(), name); err != nil || string(got) != name {
				t.Errorf("%q is %q, %v", name, got, err)
			}
		}
	})
}
