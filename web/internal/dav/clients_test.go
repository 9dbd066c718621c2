//go:build browser

package dav_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
)

// run runs a client, which must be there and succeed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestLitmus runs litmus. Of its tests the one for shared locks fails, which x/net/webdav does not
// have, and those that need one are skipped.
func TestLitmus(t *testing.T) {
	s := newServer(t, nil)
	c := exec.CommandContext(t.Context(), "litmus", "-k", s.URL+"/dav/")
	c.Dir = t.TempDir() // for its logs
	out, _ := c.CombinedOutput()
	for _, want := range []string{
		"`basic': of 16 tests run: 16 passed", "`copymove': of 13 tests run: 13 passed",
		"`props': of 30 tests run: 30 passed", "`locks': of 34 tests run: 33 passed",
		"`http': of 4 tests run: 4 passed", "lock_shared........... FAIL",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("litmus does not say %q", want)
		}
	}
	if t.Failed() || bytes.Contains(out, []byte("WARNING")) {
		t.Errorf("litmus:\n%s", out)
	}
}

// newTree returns a directory with 500 files whose names are hard to bear.
func newTree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	random := rand.NewChaCha8([32]byte{1})
	for i := range 500 {
		name := fmt.Sprintf("%d/ü %% & + # ; ' = ~ [x] 日本 e\u0301 %d.txt", i%7, i)
		if i%10 == 0 {
			name = fmt.Sprintf("deep/%d/<a>/%d", i/100, i)
		}
		name = filepath.Join(root, name)
		value := make([]byte, i*97)
		random.Read(value)
		at := time.Date(2001, 2, 3, 4, 5, i, 0, time.UTC)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, value, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// compare compares the keys with a prefix with the files below root.
func compare(t *testing.T, v *kvault.Vault, prefix, root string) {
	t.Helper()
	files := 0
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		want, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		if got, err := v.Get(t.Context(), prefix+name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q has %d bytes, want %d: %v", prefix+name, len(got), len(want), err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	keys := 0
	for key, err := range v.Keys(t.Context(), &kvault.ListOptions{Prefix: prefix}) {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(key, "/") {
			keys++
		}
	}
	if keys != files || files == 0 {
		t.Errorf("the vault has %d files, want %d", keys, files)
	}
}

func TestRclone(t *testing.T) {
	s := newServer(t, nil)
	tree := newTree(t)
	remote := ":webdav,vendor=owncloud,url='" + s.URL + "/dav/':"
	rclone := func(args ...string) string {
		return run(t, "rclone", append([]string{"--config", os.DevNull, "--retries", "1"}, args...)...)
	}
	rclone("sync", tree, remote+"there")
	compare(t, s.v, "there/", tree)
	rclone("check", "--download", tree, remote+"there")
	out := rclone("sync", "--dry-run", "-v", tree, remote+"there")
	if strings.Contains(out, "Skipped") {
		t.Errorf("a second sync would change something:\n%s", out)
	}
	rclone("move", remote+"there/deep", remote+"moved/deep")
	rclone("moveto", remote+"there", remote+"elsewhere")
	rclone("copy", remote+"moved/deep", remote+"elsewhere/deep")
	compare(t, s.v, "elsewhere/", tree)
	rclone("purge", remote+"moved")
	back := t.TempDir()
	rclone("sync", remote+"elsewhere", back)
	compare(t, s.v, "elsewhere/", back)
}

// TestDavfs2 mounts the vault. That needs root, /dev/fuse, and a kernel that lets the test mount.
func TestDavfs2(t *testing.T) {
	s := newServer(t, nil, "there/already")
	dir, tree := t.TempDir(), newTree(t)
	config := filepath.Join(t.TempDir(), "davfs2.conf")
	settings := "buf_size 64\nask_auth 0\ndelay_upload 0\nuse_locks 1\n"
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "mount", "-t", "davfs", "-o", "conf="+config, s.URL+"/dav/", dir)
	mounted := true
	unmount := func() {
		if mounted {
			mounted = false
			run(t, "umount", dir) // waits until all is uploaded
		}
	}
	t.Cleanup(func() {
		if mounted {
			exec.Command("umount", "-l", dir).Run()
		}
	})
	if got, err := os.ReadFile(filepath.Join(dir, "there/already")); string(got) != "there/already" {
		t.Errorf("read %q, %v", got, err)
	}
	run(t, "cp", "-r", tree, filepath.Join(dir, "there/tree"))
	run(t, "mv", filepath.Join(dir, "there/tree"), filepath.Join(dir, "tree"))
	run(t, "rm", "-r", filepath.Join(dir, "there"))
	unmount()
	compare(t, s.v, "tree/", tree)
	if n, err := s.v.Count(t.Context(), &kvault.ListOptions{Prefix: "there/"}); n != 0 || err != nil {
		t.Errorf("there/ still has %d keys, %v", n, err)
	}
}
