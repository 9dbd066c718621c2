package report

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// PublishAgainst replaces the generated part of the page about this tree beside an earlier one.
func PublishAgainst(docs string, run Run, tables []Table) error {
	path := filepath.Join(docs, Folder, "before.md")
	page, err := replaceParts(path, map[string]string{"before": againstText(run, tables)})
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(page), 0o644)
}

// againstText has a line for each case, and how many of them the later tree takes longer in.
func againstText(run Run, tables []Table) string {
	var b strings.Builder
	b.WriteString(runText(run, tables))
	fmt.Fprintln(&b, "\n| case | by the clock | least | most | by processor time | peak memory | rounds |")
	fmt.Fprintln(&b, "| --- | --- | --- | --- | --- | --- | --- |")
	var slower []string
	compared := 0
	for _, t := range tables {
		if len(t.Rows) != 2 || t.Rows[1].Ratio.Median == 0 {
			continue
		}
		r := t.Rows[1]
		compared++
		if r.Ratio.Median > 1.05 && r.CPURatio.Median > 1.05 {
			slower = append(slower, t.Name)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %d |\n", t.Name, ratio(r.Ratio.Median), ratio(r.Ratio.Min), ratio(r.Ratio.Max),
			ratio(r.CPURatio.Median), ratio(float64(r.PeakBytes)/float64(max(t.Rows[0].PeakBytes, 1))), r.Rounds)
	}
	if len(slower) == 0 {
		slower = []string{"none"}
	}
	fmt.Fprintf(&b, "\nSlower by more than a twentieth both by the clock and by processor time, in %d cases: %s.\n", compared,
		strings.Join(slower, "; "))
	return b.String()
}
