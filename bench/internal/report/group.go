package report

import (
	"fmt"
	"regexp"
	"strings"
)

// group is the cases that share a page.
type group struct {
	name   string
	tables []Table
}

// grouped returns the groups of the tables, each of which the tables have in a row.
func grouped(tables []Table) (groups []group) {
	for _, t := range tables {
		if n := len(groups); n == 0 || groups[n-1].name != t.Case.Group {
			groups = append(groups, group{name: t.Case.Group})
		}
		last := &groups[len(groups)-1]
		last.tables = append(last.tables, t)
	}
	return groups
}

// pagesText is a line of the index for each page.
func pagesText(groups []group) string {
	var b strings.Builder
	for _, g := range groups {
		fmt.Fprintf(&b, "- [%s](%s.md)\n", g.name, fileName(g.name))
	}
	return b.String()
}

// text is the page of a group: the command that measures it, its chart if there is one, and a table
// for each case.
func (g group) text(chart string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n# %s\n\n", generated, g.name)
	fmt.Fprintf(&b, "    cd bench && go run . -workload '%s'\n\n", g.workload())
	fmt.Fprint(&b, "[README.md](README.md) says how to read the columns.\n\n")
	if chart != "" {
		fmt.Fprintf(&b, "![%s](%s)\n\n", g.name, chart)
	}
	for i, t := range g.tables {
		if i > 0 {
			fmt.Fprintln(&b)
		}
		t.markdown(&b)
	}
	return b.String()
}

// workload is the regular expression that selects the cases of the group.
func (g group) workload() string {
	var names []string
	for _, t := range g.tables {
		names = append(names, regexp.QuoteMeta(t.Name))
	}
	return "^(" + strings.Join(names, "|") + ")$"
}

func (t Table) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "## %s\n\n%s.\n\n", t.Name, capital(t.Case.Facts()))
	fmt.Fprintln(b, "| | ratio | least to most | CPU ratio | time/op | CPU/op | MB/s | peak MiB | disk MiB | rounds |")
	fmt.Fprintln(b, "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, r := range t.Rows {
		if r.Rounds == 0 {
			fmt.Fprintf(b, "| %s | %s | | | | | | | | |\n", r.Entrant, r.Unsupported)
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s to %s | %s | %s | %s | %.1f | %.1f | %.1f | %d |\n", r.Entrant, ratio(r.Ratio.Median), ratio(r.Ratio.Min),
			ratio(r.Ratio.Max), ratio(r.CPURatio.Median), Duration(r.NSPerOp.Median), Duration(r.CPUPerOp.Median), r.BytesPerSecond.Median/1e6, mib(r.PeakBytes),
			mib(r.DiskBytes), r.Rounds)
	}
}

func capital(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
