//go:build fuse && (linux || darwin)

package mount

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
)

// treeOf lists all that is below the root of fsys: folders with a slash, files with their values.
func treeOf(t *testing.T, fsys fs.FS) []string {
	t.Helper()
	var all []string
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			all = append(all, name+"/")
			return err
		}
		value, err := fs.ReadFile(fsys, name)
		all = append(all, fmt.Sprintf("%q=%q", name, value))
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return all
}

// The mount has the files of Vault.FS, whatever the keys are, but for names that no system has.
func TestHostileKeys(t *testing.T) {
	v := open(t, ":memory:", nil)
	longest := strings.Repeat("n", maxName)
	deep := strings.Repeat("d/", 3000) + "file"
	shown := []string{
		"a/b", "a-b", "a.b", "a/c/d", "z", "A", "b", "b!", "b!/c", "..a", "...", " ", "-rf", "*",
		"?", "$(id)", "'", `"`, `\`, "c:", "~",
		"new\nline", "tab\t", "\x01\x7f", "\x1b[2J", "ü", "u\u0308", "日本", "\ufeff", "\u202e",
		"folder/" + longest, longest + "/in", ".go-fuse-epoll-hack", "dots/..x/.y",
	}
	hidden := []string{
		"a", "a/", "//", "/abs", "x//y", "../up", "x/../y", "./here", ".", "..", "x/.", "x/..",
		"\xff\xfe", "x/\xff", "/", "/x//", "nul\x00in", "z\x00", "x/nul\x00in/k", longest + "n",
		"x/" + longest + "n", longest + "n/in", "empty/", "empty/\x00", "only/" + longest + "n",
	}
	for _, key := range append(slices.Concat(shown, hidden), deep) {
		put(t, v, key, "value of "+key)
	}
	s := serve(t, v)
	want := map[string]bool{"./": true, "x/": true, "empty/": true, "only/": true}
	for _, key := range shown {
		want[fmt.Sprintf("%q=%q", key, "value of "+key)] = true
		for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
			want[dir+"/"] = true
		}
	}
	delete(want, fmt.Sprintf("%q=%q", "b!", "value of b!")) // the folder b! hides it
	got := treeOf(t, withoutDeep{os.DirFS(s.dir)})
	for _, line := range got {
		if !want[line] {
			t.Errorf("unexpected, or twice: %.80s", line)
		}
		delete(want, line)
	}
	for line := range want {
		t.Errorf("missing: %.80s", line)
	}
	for _, n := range []int{maxName + 1, 1000, 2000} {
		if _, err := os.Stat(s.path(strings.Repeat("n", n))); !errors.Is(err, syscall.ENAMETOOLONG) {
			t.Errorf("a name of %d bytes: %v", n, err)
		}
	}
	for _, name := range []string{"none", "a/none", "x/\xff", "\xff\xfe", "z/none/none"} {
		_, err := os.Stat(s.dir + "/" + name)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if failed := s.failures(); failed != nil {
		t.Errorf("reported: %v", failed)
	}
	readDeep(t, s.dir, deep)
}

// withoutDeep leaves out the folder whose paths are too long for the system.
type withoutDeep struct{ fs.FS }

func (w withoutDeep) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(w.FS, name)
	deep := func(e fs.DirEntry) bool { return name == "." && e.Name() == "d" }
	return slices.DeleteFunc(entries, deep), err
}

// readDeep reads a file in steps, since its path is longer than the system takes at once.
func readDeep(t *testing.T, dir, name string) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	for rest := name; err == nil; {
		step, after, found := strings.Cut(rest, "/")
		if !found {
			got, readErr := root.ReadFile(rest)
			if err = readErr; string(got) != "value of "+name {
				t.Errorf("the deep file has %d bytes", len(got))
			}
			break
		}
		below, openErr := root.OpenRoot(step)
		root.Close()
		root, rest, err = below, after, openErr
	}
	if err != nil {
		t.Fatal(err)
	}
	root.Close()
}

func stat(t *testing.T, name string) *syscall.Stat_t {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t)
}

func TestAttributes(t *testing.T) {
	v := open(t, ":memory:", nil)
	times := []time.Time{time.Unix(1_700_000_000, 123_456_789), time.Unix(-86_400, 5), time.Unix(0, 0)}
	for i, when := range times {
		o := &kvault.PutOptions{ModTime: when}
		if _, err := v.PutWith(t.Context(), fmt.Sprint("dir/", i), make([]byte, i*5000), o); err != nil {
			t.Fatal(err)
		}
	}
	numbers := map[string]uint64{}
	for range 2 { // two mounts have the same numbers
		s := serve(t, v)
		for i := range times {
			name := fmt.Sprint("dir/", i)
			info, err := os.Stat(s.path(name))
			if err != nil {
				t.Fatal(err)
			}
			e, err := v.Stat(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode() != 0o444 || info.Size() != e.Size || !info.ModTime().Equal(e.ModTime) {
				t.Errorf("%s: %v %d %v", name, info.Mode(), info.Size(), info.ModTime())
			}
			st := stat(t, s.path(name))
			if st.Uid != uint32(os.Getuid()) || st.Gid != uint32(os.Getgid()) || st.Nlink != 1 {
				t.Errorf("%s: %+v", name, st)
			}
			checkNumber(t, numbers, name, st.Ino)
		}
		info, err := os.Stat(s.path("dir"))
		if err != nil || info.Mode() != fs.ModeDir|0o555 || !info.ModTime().Equal(time.Unix(0, 0)) {
			t.Errorf("dir: %v %v", info, err)
		}
		checkNumber(t, numbers, "dir", stat(t, s.path("dir")).Ino)
		checkNumber(t, numbers, "", stat(t, s.dir).Ino)
	}
}

// checkNumber notes the inode number of a name, which is always the same, and that of no other.
func checkNumber(t *testing.T, numbers map[string]uint64, name string, ino uint64) {
	t.Helper()
	for other, number := range numbers {
		if (other == name) != (number == ino) {
			t.Errorf("the number of %q is %d, and that of %q is %d", name, ino, other, number)
		}
	}
	numbers[name] = ino
}

// sequence yields n keys in prefix, each with itself as its value.
func sequence(prefix string, n int) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for i := range n {
			key := fmt.Sprintf("%s%05d", prefix, i)
			if !yield(key, []byte(key)) {
				return
			}
		}
	}
}

func TestLargeFolder(t *testing.T) {
	const n = 10_000
	v := open(t, ":memory:", nil)
	if err := v.PutAll(t.Context(), sequence("large/", n)); err != nil {
		t.Fatal(err)
	}
	s := serve(t, v)
	for _, args := range [][]string{{"ls", "-f"}, {"ls", "-l"}, {"find"}} {
		out := run(t, args[0], append(args[1:], s.path("large"))...)
		if got := strings.Count(out, fmt.Sprintf("%05d", n-1)); got != 1 {
			t.Errorf("%v has the last file %d times", args, got)
		}
		if got := strings.Count(out, "\n"); got < n || got > n+3 {
			t.Errorf("%v prints %d lines", args, got)
		}
	}
	f, err := os.Open(s.path("large"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 2 { // from the start, and from the start again
		for i := range n {
			names, err := f.Readdirnames(1)
			if err != nil || names[0] != fmt.Sprintf("%05d", i) {
				t.Fatalf("entry %d is %q, %v", i, names, err)
			}
		}
		if _, err := f.Readdirnames(1); err != io.EOF {
			t.Errorf("after the last: %v", err)
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
	}
}

// A listing goes on where it is told to, at any entry.
func TestSeekFolder(t *testing.T) {
	v := open(t, ":memory:", nil)
	if err := v.PutAll(t.Context(), sequence("", 500)); err != nil {
		t.Fatal(err)
	}
	l := &listing{d: &folder{t: &tree{ctx: t.Context(), v: v, files: v.FS(t.Context())}, name: "."}}
	for _, off := range []uint64{0, 499, 1, 250, 500, 501, 0} {
		want := fmt.Sprintf("%05d", off)
		if errno := l.Seekdir(t.Context(), off); errno != 0 {
			t.Fatal(errno)
		}
		e, errno := l.Readdirent(t.Context())
		if errno != 0 || off < 500 != (e != nil) || e != nil && e.Name != want {
			t.Errorf("at %d: %v %v", off, e, errno)
		}
	}
}

// The usual programs find in the mount what was stored.
func TestPrograms(t *testing.T) {
	v := open(t, filepath.Join(t.TempDir(), "v.kv"), nil)
	src := t.TempDir()
	values := map[string]string{"empty": "", "dir/small": "text\n", "last": "z",
		"dir/sub/page": strings.Repeat("p", 4096), "dir/sub/big": strings.Repeat("0123456789", 300_000)}
	for name, value := range values {
		if err := os.MkdirAll(filepath.Join(src, path.Dir(name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(src, name), []byte(value), 0o666); err != nil {
			t.Fatal(err)
		}
		put(t, v, name, value)
	}
	s := serve(t, v)
	copied := filepath.Join(t.TempDir(), "copied")
	run(t, "diff", "-r", src, s.dir)
	run(t, "cp", "-r", s.dir, copied)
	run(t, "diff", "-r", src, copied)
	run(t, "tar", "-cf", filepath.Join(t.TempDir(), "all.tar"), "-C", s.dir, "dir", "empty")
	run(t, "cmp", filepath.Join(src, "dir/sub/big"), s.path("dir/sub/big"))
	if got := run(t, "cat", s.path("dir/small"), s.path("last"), s.path("empty")); got != "text\nz" {
		t.Errorf("cat: %q", got)
	}
	want := strings.ReplaceAll(run(t, "ls", "-R", src), src, s.dir)
	if got := run(t, "ls", "-R", s.dir); got != want {
		t.Errorf("ls -R:\n%s\nwant:\n%s", got, want)
	}
	run(t, "df", s.dir)
}
