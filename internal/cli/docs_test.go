package cli

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra/doc"
)

var update = flag.Bool("update", false, "write docs/cli afresh")

// TestDocs holds docs/cli up to date: go test ./internal/cli -run TestDocs -update
func TestDocs(t *testing.T) {
	want := t.TempDir()
	root := newApp(System()).rootCommand()
	root.DisableAutoGenTag = true
	root.Version = ""
	if err := doc.GenMarkdownTree(root, want); err != nil {
		t.Fatal(err)
	}
	docs := filepath.Join("..", "..", "docs", "cli")
	if *update {
		if err := os.RemoveAll(docs); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(docs, os.DirFS(want)); err != nil {
			t.Fatal(err)
		}
	}
	pages, files := readPages(t, want), readPages(t, docs)
	for name, page := range pages {
		if files[name] != page {
			t.Errorf("docs/cli/%s is stale; go test ./internal/cli -run TestDocs -update writes it afresh", name)
		}
	}
	for name := range files {
		if _, ok := pages[name]; !ok {
			t.Errorf("docs/cli/%s belongs to no command", name)
		}
	}
}

func readPages(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		pages[e.Name()] = string(text)
	}
	return pages
}
