package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/mem"
)

// TestIgnoresCase: the answer is that of the system, and nothing stays behind.
func TestIgnoresCase(t *testing.T) {
	dir := t.TempDir()
	root := openTestRoot(t, dir)
	got := ignoresCase(root)
	if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "q"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := os.Lstat(filepath.Join(dir, "Q"))
	if want := !errors.Is(err, fs.ErrNotExist); got != want {
		t.Errorf("it is %v, not %v", got, want)
	}
}

func openTestRoot(t *testing.T, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// ignoringCase are names of a target that ignores case, whatever that of the test does.
func ignoringCase(t *takenNames) {
	t.probed.Do(func() {})
	t.names = map[string]string{}
}

// TestTakenNames: hard links stand for one file that has two names.
func TestTakenNames(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"one", "ONE", "same"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root := openTestRoot(t, dir)
	if err := root.Link("same", "Same"); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Skip(err)
	}
	ignores := ignoresCase(root)
	var names takenNames
	ignoringCase(&names)
	for _, tt := range []struct {
		name  string
		fails bool
	}{
		{"same", false}, {"Same", true}, {"other", false},
		{"ONE", false}, {"one", ignores}, // two files, unless the system of the test ignores case
		{"new/A", false}, {"New/a", true}, // not written yet
	} {
		if err := names.take(root, "p/", tt.name); (err != nil) != tt.fails {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestExportIgnoringCase: the second of two keys that have one file fails, and says which the first
// is.
func TestExportIgnoringCase(t *testing.T) {
	store := mem.New()
	ops := []engine.Op{
		{Kind: engine.Put, Key: "p/A", Value: []byte("one")},
		{Kind: engine.Put, Key: "p/a", Value: []byte("two")},
	}
	if _, err := store.Apply(t.Context(), ops); err != nil {
		t.Fatal(err)
	}
	a, errs := memApp(store)
	a.flags.file = "v"
	ex := &exporter{app: a, command: "export", prefix: "p/", treeFlags: &treeFlags{}}
	ignoringCase(&ex.taken)
	dir := t.TempDir()
	// Without a file the other key can only be on its way there.
	ex.taken.names["a"] = "A"
	err := a.withVault(t.Context(), reading, func(v *kvault.Vault) error {
		ex.vault, ex.root = v, openTestRoot(t, dir)
		e, err := v.Stat(t.Context(), "p/a")
		if err != nil {
			return err
		}
		return ex.export(t.Context(), &dirCache{root: ex.root}, listed{e, ""})
	})
	want := `export "p/a": "p/A" has the same file`
	if err != nil || ex.summary.failed != 1 || !strings.Contains(errs.String(), want) {
		t.Errorf("%v, %d failed: %s", err, ex.summary.failed, errs)
	}
	if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
		t.Errorf("written: %v, %v", left, err)
	}
}
