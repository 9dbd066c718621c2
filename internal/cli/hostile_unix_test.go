//go:build linux || darwin

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine/mem"
)

// treeOutcome is what a command said of each item.
type treeOutcome struct {
	code int
	done []string          // keys
	errs map[string]string // by key
	text string
}

// runJSON runs a command on the vault at path. It fails the test if the command has not ended after
// a while.
func runJSON(t testing.TB, path string, args ...string) treeOutcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	ended := make(chan treeOutcome, 1)
	go func() {
		code := Run(ctx, append([]string{"-f", path, "--json"}, args...), IO{In: strings.NewReader(""), Out: &out, Err: &errs,
			Getenv: func(string) string { return "" }, IsTerminal: func(any) bool { return false }})
		o := treeOutcome{code: code, errs: map[string]string{}, text: errs.String()}
		key := func(k keyJSON) string {
			if k.Base64 != nil {
				return string(k.Base64)
			}
			return k.Key
		}
		for line := range strings.Lines(out.String()) {
			var item actionJSON
			if json.Unmarshal([]byte(line), &item) == nil && (item.Key != "" || item.Base64 != nil) {
				o.done = append(o.done, key(item.keyJSON))
			}
		}
		for line := range strings.Lines(errs.String()) {
			var item errorJSON
			if json.Unmarshal([]byte(line), &item) == nil {
				o.errs[key(item.keyJSON)] = item.Error
			}
		}
		slices.Sort(o.done)
		ended <- o
	}()
	select {
	case o := <-ended:
		return o
	case <-time.After(2 * time.Minute):
		t.Fatalf("%q hangs", args)
		return treeOutcome{}
	}
}

func writeBelow(t testing.TB, dir, name, content string) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	err = errors.Join(root.MkdirAll(filepath.Dir(name), 0o777), root.WriteFile(name, []byte(content), 0o666))
	if err != nil {
		t.Fatal(err)
	}
}

// Every file of a tree is imported whatever its name, everything that is no file is named, nothing
// hangs, and what can be a file again is one.
func TestHostileTree(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	vault := filepath.Join(t.TempDir(), "v.kv")
	writeBelow(t, outside, "secret", "secret")
	files := []string{"plain", "new\nline", "tab\tbell\a", "\x7f\x1b[31m", "-rf", "--help", " ", "trailing ", "trailing.", "...", "back\\slash", "C:", "CON", "aux.txt",
		"a*b?", "$(id)", "~", "%2e%2e", strings.Repeat("n", 255), strings.Repeat("d/", 300) + "deep", ".kvault-x.tmp", "Case", "case"}
	invalid := []string{"latin\xff1", "\xc0\xaf", "\xed\xa0\x80"}
	for _, name := range invalid {
		if os.WriteFile(filepath.Join(dir, name), nil, 0o666) == nil { // not every file system has such names
			files = append(files, name)
		}
	}
	for _, name := range files {
		writeBelow(t, dir, name, "content of "+name)
	}
	tooDeep := strings.Repeat(strings.Repeat("e", 200)+"/", 25) + "deeper" // no path of the system is so long, and a key is
	writeBelow(t, dir, tooDeep, "content of "+tooDeep)
	special := map[string]func(path string) error{
		"to-file":   func(p string) error { return os.Symlink("plain", p) },
		"to-secret": func(p string) error { return os.Symlink(filepath.Join(outside, "secret"), p) },
		"to-folder": func(p string) error { return os.Symlink(outside, p) },
		"dangling":  func(p string) error { return os.Symlink("nowhere", p) },
		"loop":      func(p string) error { return os.Symlink("loop", p) },
		"up":        func(p string) error { return os.Symlink("..", p) },
		"pipe":      func(p string) error { return syscall.Mkfifo(p, 0o666) },
		"socket": func(p string) error {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: p, Net: "unix"})
			if err == nil {
				l.SetUnlinkOnClose(false)
				err = l.Close()
			}
			return err
		},
		"zero": func(p string) error { return mknodZero(p) },
	}
	for name, make := range special {
		err := make(filepath.Join(dir, name))
		if errors.Is(err, syscall.EPERM) { // devices are for the system's owner to make
			delete(special, name)
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(filepath.Join(dir, "plain"), filepath.Join(dir, "hard")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "plain"), []byte("content of hard"), 0o666); err != nil {
		t.Fatal(err)
	}
	in := runJSON(t, vault, "import", dir)
	want := slices.Sorted(slices.Values(slices.Concat(files, []string{"hard", tooDeep})))
	if in.code != exitSome || !slices.Equal(in.done, want) || len(in.errs) != len(special) {
		t.Errorf("exit code %d, %d files of %d, %d complaints about %d: %.500q", in.code, len(in.done), len(want), len(in.errs), len(special), in.errs)
	}
	for name := range special {
		if !strings.Contains(in.errs[name], "not a file") {
			t.Errorf("%s: %q", name, in.errs[name])
		}
	}
	box := t.TempDir()
	out := runJSON(t, vault, "export", "", filepath.Join(box, "out"))
	if out.code != exitSome || !slices.Equal(out.done, slices.DeleteFunc(want, func(s string) bool { return s == tooDeep })) || !strings.Contains(out.errs[tooDeep], "longer than") {
		t.Errorf("export: exit code %d, %d files, %.500q", out.code, len(out.done), out.errs)
	}
	for _, name := range files {
		content := "content of " + name
		if name == "plain" {
			content = "content of hard"
		}
		if got, err := os.ReadFile(filepath.Join(box, "out", name)); err != nil || string(got) != content {
			t.Errorf("%.40q is %.40q, %v", name, got, err)
		}
	}
}

// Files and folders that may not be read are named, and the others are stored.
func TestUnreadableTree(t *testing.T) {
	if os.Getuid() == 0 {
		asUnprivileged(t, "TestUnreadableTree")
		return
	}
	dir := t.TempDir()
	for _, name := range []string{"open", "closed", "folder/inside", "listed/inside"} {
		writeBelow(t, dir, name, name)
	}
	for name, mode := range map[string]fs.FileMode{"closed": 0, "folder": 0, "listed": 0o444} {
		path := filepath.Join(dir, name)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(path, 0o700)
	}
	in := runJSON(t, filepath.Join(t.TempDir(), "v.kv"), "import", dir)
	if in.code != exitSome || !slices.Equal(in.done, []string{"open"}) || len(in.errs) != 3 {
		t.Errorf("exit code %d, %q, %q", in.code, in.done, in.errs)
	}
	for _, name := range []string{"closed", "folder", "listed"} {
		if !strings.Contains(in.errs[name], "permission denied") {
			t.Errorf("%s: %q", name, in.errs)
		}
	}
	s := newSession(t)
	for _, key := range []string{"p/gone", "p/folder/inside"} {
		s.must("v", "put", key)
	}
	o := s.run("", "sync", dir, "p", "--delete", "--yes")
	if o.code != exitSome || !strings.Contains(o.err, "Nothing is deleted, because 3 items failed.") {
		t.Errorf("sync: %+v", o)
	}
	s.must("", "exists", "p/gone")
	// Nor is a file deleted where not all of the directory can be read.
	if o := s.run("", "sync", dir, "p", "--back", "--delete", "--yes"); o.code != exitSome {
		t.Errorf("sync --back: %+v", o)
	}
	if _, err := os.Stat(filepath.Join(dir, "closed")); err != nil {
		t.Error(err)
	}
}

// What was a file when the folder was read, and is something else by the time it is opened, is
// named, and not waited for.
func TestReplacedWhileImported(t *testing.T) {
	outside := t.TempDir()
	writeBelow(t, outside, "secret", "secret")
	for name, replace := range map[string]func(path string) error{
		"pipe":   func(p string) error { return syscall.Mkfifo(p, 0o666) },
		"folder": func(p string) error { return os.Mkdir(p, 0o777) },
		"link":   func(p string) error { return os.Symlink(filepath.Join(outside, "secret"), p) },
		"gone":   func(p string) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeBelow(t, dir, "f", "was a file")
			root, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			path := filepath.Join(dir, "f")
			a, errs := memApp(mem.New())
			v, err := a.open(t.Context(), "", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			im := &importer{app: a, vault: v, root: root, importFlags: &importFlags{}}
			info, err := os.Lstat(path)
			if err := errors.Join(err, os.Remove(path), replace(path)); err != nil {
				t.Fatal(err)
			}
			dirs := &dirCache{root: root}
			defer dirs.close()
			loaded := make(chan *item, 1)
			go func() { loaded <- im.fetch(t.Context(), dirs, source{name: "f", info: info}) }()
			select {
			case it := <-loaded:
				if it.close(); it.err == nil || it.fatal {
					t.Errorf("%v, fatal %t: %q %s", it.err, it.fatal, it.value, errs)
				}
			case <-time.After(time.Minute):
				t.Fatal("the import hangs")
			}
		})
	}
}

// Whatever the keys and whatever lies in the target already, an export writes below the target
// only, and says what it could not write.
func TestHostileKeys(t *testing.T) {
	box, vault := t.TempDir(), filepath.Join(t.TempDir(), "v.kv")
	target := filepath.Join(box, "target")
	writeBelow(t, box, "outside/secret", "secret")
	if err := os.Mkdir(target, 0o777); err != nil {
		t.Fatal(err)
	}
	writeBelow(t, target, "real/file", "kept")
	for name, to := range map[string]string{"link": "../outside", "file-link": "../outside/secret", "absolute": filepath.Join(box, "outside"), "within": "real", "loop": "loop", "dangling": "../outside/new",
		"at-link": "../outside/secret", "at-loop": "at-loop", "at-dangling": "../outside/new"} {
		if err := os.Symlink(to, filepath.Join(target, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"pipe", "at-pipe"} {
		if err := syscall.Mkfifo(filepath.Join(target, name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	refused := []string{"..", "../up", "a/../../up", "./x", "x/.", "/etc/kvault-test", "a//b", "tail/", "nul\x00byte", "link/x", "link/../x", "absolute/secret", "within/x",
		"loop/x", "dangling/x", "file-link/x", "pipe/x", "both", strings.Repeat("l", 256), strings.Repeat("p/", 2100) + "p"}
	written := []string{"both/inside", "at-link", "at-loop", "at-dangling", "at-pipe", "C:\\windows\\x", "C:x", "..\\up", "CON", "nul.txt", "dot.", "space ", "~/x", "-rf", "\xff\xfe", "new\nline", strings.Repeat("k", 255)}
	v, err := kvault.Open(t.Context(), vault, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range slices.Concat(refused, written) {
		if err := v.Put(t.Context(), key, []byte("value of "+key)); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	out := runJSON(t, vault, "export", "", target)
	if slices.Sort(written); out.code != exitSome || !slices.Equal(out.done, written) || len(out.errs) != len(refused) {
		t.Errorf("exit code %d, %q written, %d refused: %.2000q", out.code, out.done, len(out.errs), out.errs)
	}
	for _, key := range refused {
		if out.errs[key] == "" {
			t.Errorf("%.40q was not refused by name", key)
		}
	}
	for _, key := range written {
		path := filepath.Join(target, key)
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() {
			t.Errorf("%.40q: %v, %v", key, info, err)
		} else if got, err := os.ReadFile(path); string(got) != "value of "+key {
			t.Errorf("%.40q is %.40q, %v", key, got, err)
		}
	}
	outsideUnchanged(t, box)
	if left, _ := filepath.Glob(filepath.Join(target, "*", ".kvault-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// outsideUnchanged fails unless box holds its target, the folder outside, and in that the secret as
// it was.
func outsideUnchanged(t testing.TB, box string) {
	t.Helper()
	var found []string
	for _, dir := range []string{box, filepath.Join(box, "outside")} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			found = append(found, e.Name())
		}
	}
	secret, err := os.ReadFile(filepath.Join(box, "outside", "secret"))
	if fmt.Sprint(found) != "[outside target secret]" || string(secret) != "secret" || err != nil {
		t.Errorf("outside the target: %q, %q, %v", found, secret, err)
	}
}
