package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault"
)

// TestNoClobberRace: what another process stores or writes after the import or export has looked
// stays as well.
func TestNoClobberRace(t *testing.T) {
	v, err := kvault.Open(t.Context(), ":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := v.Put(t.Context(), "there", []byte("first")); err != nil {
		t.Fatal(err)
	}
	a := newApp(System())
	a.flags.quiet = true
	im := &importer{app: a, vault: v, importFlags: &importFlags{treeFlags: treeFlags{noClobber: true}}}
	w := batchWriter{importer: im, each: true}
	for _, name := range []string{"new", "there"} {
		it := &item{source: source{name: name, info: madeInfo{size: 6}}, value: []byte("second")}
		if err := w.store(t.Context(), it); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if im.summary.done != 1 || im.summary.skipped != 1 || im.summary.bytes != 6 {
		t.Errorf("%d stored, %d skipped, %d bytes", im.summary.done, im.summary.skipped, im.summary.bytes)
	}
	for key, want := range map[string]string{"new": "second", "there": "first"} {
		if got, err := v.Get(t.Context(), key); string(got) != want || err != nil {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}

	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "there"), []byte("file"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	ex := &exporter{app: a, vault: v, root: root, treeFlags: &treeFlags{noClobber: true}}
	if _, err := ex.replace(t.Context(), root, "there", "new"); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "there")); string(got) != "file" || err != nil {
		t.Errorf("the file: %q, %v", got, err)
	}
	if entries, err := os.ReadDir(dir); len(entries) != 1 || err != nil {
		t.Errorf("%d files, %v", len(entries), err)
	}
}
