package report

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/kohakuvault/kvault/bench/internal/plan"
)

// Page is the document of aims and losses, and Folder the one with everything that it is drawn
// from.
const (
	Page   = "performance.md"
	Folder = "performance"
)

const generated = "<!-- written by bench: go run . -docs ../docs -->\n"

// Run is what the figures are of.
type Run struct {
	Machine Machine
	Scale   plan.Scale
	// Cases are all that the scale has, measured or not.
	Cases []plan.Case
}

// Publish replaces the generated parts of Page in docs and of the index in Folder, and writes a
// page and a chart for each group of cases and a page of all misses into Folder.
func Publish(docs string, run Run, tables []Table) error {
	folder := filepath.Join(docs, Folder)
	groups, verdicts := grouped(tables), Judge(tables)
	page, err := replaceParts(filepath.Join(docs, Page), map[string]string{"aims": aimsText(verdicts)})
	if err != nil {
		return err
	}
	index, err := replaceParts(filepath.Join(folder, "README.md"), map[string]string{
		"run": runText(run, tables), "machine": machineText(run.Machine, tables), "pages": pagesText(groups)})
	if err != nil {
		return err
	}
	charts, err := Charts(folder, tables)
	if err != nil {
		return err
	}
	texts := map[string]string{filepath.Join(docs, Page): page, filepath.Join(folder, "README.md"): index,
		filepath.Join(folder, "misses.md"): missesText(verdicts)}
	for _, g := range groups {
		texts[filepath.Join(folder, fileName(g.name)+".md")] = g.text(charts[g.name])
	}
	for path, text := range texts {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// replaceParts returns the text of a page with its generated parts replaced.
func replaceParts(path string, parts map[string]string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	page := string(text)
	for name, body := range parts {
		if page, err = Replace(page, name, body); err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
	}
	return page, nil
}

// Replace puts body into the part of a page that comments mark as generated under this name.
func Replace(page, name, body string) (string, error) {
	begin, end := fmt.Sprintf("<!-- generated: %s -->\n", name), fmt.Sprintf("<!-- end of %s -->\n", name)
	before, rest, found := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return "", fmt.Errorf("no part between %q and %q", strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return before + begin + body + end + after, nil
}

func machineText(m Machine, tables []Table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %d cores, %s of memory, file system %s; %s.\n\n", m.OS, m.CPU, m.Cores,
		humanize.IBytes(uint64(m.Memory)), m.Disk, m.Go)
	fmt.Fprintln(&b, "| contender | version |\n| --- | --- |")
	versions := map[string]string{}
	for _, t := range tables {
		for _, r := range t.Rows {
			if r.Version != "" {
				versions[r.Entrant.Program()] = r.Version
			}
		}
	}
	if v, ok := versions["vault"]; ok {
		versions["vault"] = "this tree, on ncruces/go-sqlite3 " + v
	}
	if v, ok := versions["floor"]; ok {
		versions["floor"] = "SQLite " + v
	}
	var names []string
	for name := range versions {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "| %s | %s |\n", name, versions[name])
	}
	return b.String()
}
