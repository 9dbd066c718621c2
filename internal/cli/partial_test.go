package cli

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/internal/process"
)

// A command that writes files removes what commands that were killed left in the same folders, and
// nothing else.
func TestSweepsPartials(t *testing.T) {
	s := newSession(t)
	s.must("v", "put", "sub/k")
	for _, tt := range []struct {
		name    string
		folders []string
		args    func(dir string) []string
	}{
		{"export", []string{".", "sub"}, func(dir string) []string { return []string{"export", "", dir} }},
		{"get", []string{"."}, func(dir string) []string { return []string{"get", "sub/k", filepath.Join(dir, "file")} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			mine := process.PartialName(".kvault-")
			// More than a process id can be on Linux.
			gone := func() string {
				return regexp.MustCompile(`\.\d+-`).ReplaceAllString(process.PartialName(".kvault-"), ".4194305-")
			}
			left, link := gone(), gone()
			for _, folder := range tt.folders {
				if err := os.MkdirAll(filepath.Join(dir, folder), 0o777); err != nil {
					t.Fatal(err)
				}
				for _, name := range []string{mine, left} {
					if err := os.WriteFile(filepath.Join(dir, folder, name), []byte("half"), 0o666); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.Symlink("nowhere", filepath.Join(dir, folder, link)); err != nil && runtime.GOOS != "windows" {
					t.Fatal(err)
				}
			}
			s.must("", tt.args(dir)...)
			for _, folder := range tt.folders {
				if _, err := os.Stat(filepath.Join(dir, folder, mine)); err != nil {
					t.Errorf("%v: it may be in use", err)
				}
				for _, name := range []string{left, link} {
					if _, err := os.Lstat(filepath.Join(dir, folder, name)); !errors.Is(err, os.ErrNotExist) {
						t.Errorf("%s is still there: %v", filepath.Join(folder, name), err)
					}
				}
			}
		})
	}
}

// A vault that a first import was to make is not left in part: not by an import that was refused,
// and not for ever by one that was killed.
func TestAppendLeavesNoPartials(t *testing.T) {
	s := newSession(t)
	dir := filepath.Dir(s.vault)
	left := filepath.Join(dir, regexp.MustCompile(`\.\d+-`).ReplaceAllString(process.PartialName("v.kv"), ".4194305-"))
	for _, name := range []string{left, left + "-wal"} {
		if err := os.WriteFile(name, []byte("half"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if o := s.run("n\n1\nx\n", "col", "append", "--new", "n=i64"); o.code != exitFailure {
		t.Errorf("%+v", o)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	s.must("n\n1\n", "col", "append", "--new", "n=i64")
	if files, err := filepath.Glob(filepath.Join(dir, "*.partial*")); err != nil || len(files) > 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	if o := s.must("", "col", "show", "n"); o.out != "1\n" {
		t.Errorf("%q", o.out)
	}
}

// What standard input brings for 'col append' is kept in a file that a killed process does not
// leave behind.
func TestSpoolHasNoName(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file keeps its name")
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	in, err := spool(strings.NewReader("rows"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("a killed process would leave %v, %v", left, err)
	}
	b := make([]byte, 4)
	if _, err := in.ReadAt(b, 0); err != nil || string(b) != "rows" {
		t.Errorf("it holds %q, %v", b, err)
	}
}
