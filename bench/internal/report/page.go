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

// Page is the document that Publish brings up to date.
const Page = "performance.md"

// Run is what the figures are of.
type Run struct {
	Machine Machine
	Scale   plan.Scale
	// Cases are all that the scale has, measured or not.
	Cases []plan.Case
}

// Publish replaces the generated parts of the page in a folder, and its charts.
func Publish(docs string, run Run, tables []Table) error {
	path := filepath.Join(docs, Page)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	charts, err := Charts(filepath.Join(docs, "performance"), tables)
	if err != nil {
		return err
	}
	page := string(text)
	for name, body := range map[string]string{
		"run": runText(run, tables), "machine": machineText(run.Machine, tables), "bars": barsText(Judge(tables)), "figures": figuresText(tables, charts),
	} {
		if page, err = Replace(page, name, body); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return os.WriteFile(path, []byte(page), 0o644)
}

// replace puts body between the marks of the generated part of that name.
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

// figuresText is one section for each group of cases.
func figuresText(tables []Table, charts map[string]string) string {
	var b strings.Builder
	group := ""
	for _, t := range tables {
		if t.Case.Group != group {
			group = t.Case.Group
			fmt.Fprintf(&b, "### %s\n\n", group)
			if file, ok := charts[group]; ok {
				fmt.Fprintf(&b, "![%s](performance/%s)\n\n", group, file)
			}
		}
		fmt.Fprintf(&b, "%s (%s):\n\n", t.Name, t.Case.Facts())
		fmt.Fprintln(&b, "| | ratio | least to most | CPU ratio | time/op | CPU/op | MB/s | peak MiB | disk MiB | rounds |")
		fmt.Fprintln(&b, "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
		for _, r := range t.Rows {
			if r.Rounds == 0 {
				fmt.Fprintf(&b, "| %s | %s | | | | | | | | |\n", r.Entrant, r.Unsupported)
				continue
			}
			fmt.Fprintf(&b, "| %s | %s | %s to %s | %s | %s | %s | %.1f | %.1f | %.1f | %d |\n", r.Entrant, ratio(r.Ratio.Median), ratio(r.Ratio.Min),
				ratio(r.Ratio.Max), ratio(r.CPURatio.Median), Duration(r.NSPerOp.Median), Duration(r.CPUPerOp.Median), r.BytesPerSecond.Median/1e6, mib(r.PeakBytes),
				mib(r.DiskBytes), r.Rounds)
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}
