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

// A command that writes files removes what commands that were killed left in the same folders, and nothing else.
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
			left := regexp.MustCompile(`\.\d+-`).ReplaceAllString(process.PartialName(".kvault-"), ".4194305-")
			for _, folder := range tt.folders {
				if err := os.MkdirAll(filepath.Join(dir, folder), 0o777); err != nil {
					t.Fatal(err)
				}
				for _, name := range []string{mine, left} {
					if err := os.WriteFile(filepath.Join(dir, folder, name), []byte("half"), 0o666); err != nil {
						t.Fatal(err)
					}
				}
			}
			s.must("", tt.args(dir)...)
			for _, folder := range tt.folders {
				if _, err := os.Stat(filepath.Join(dir, folder, mine)); err != nil {
					t.Errorf("%v: it may be in use", err)
				}
				if _, err := os.Stat(filepath.Join(dir, folder, left)); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s is still there: %v", filepath.Join(folder, left), err)
				}
			}
		})
	}
}

// What standard input brings for 'col append' is kept in a file that a killed process does not leave behind.
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
