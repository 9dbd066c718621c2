package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// barsText is a row for each aim with its worst figure, and then the figures of all misses.
func barsText(verdicts []Verdict) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| aim | limit | by the clock | by processor time | the worst: clock / processor |")
	fmt.Fprintln(&b, "| --- | --- | --- | --- | --- |")
	for _, v := range verdicts {
		figure, cpu := v.Met()
		all := len(v.Comparisons)
		byCPU := state(cpu, all)
		if all > 0 && v.Comparisons[0].CPU == 0 {
			byCPU = "" // memory
		}
		fmt.Fprintf(&b, "| %s | %.3g | %s | %s | %s |\n", v.Aim, v.Limit, state(figure, all), byCPU, worst(v.Comparisons))
	}
	fmt.Fprint(&b, "\nAll misses, the worst first:\n\n")
	none := "None.\n"
	for _, v := range verdicts {
		if misses := v.Misses(); len(misses) > 0 {
			fmt.Fprintf(&b, "- %s (%.3g): %s.\n", v.Aim, v.Limit, join(misses))
			none = ""
		}
	}
	b.WriteString(none)
	return b.String()
}

func state(met, all int) string {
	switch {
	case all == 0:
		return "not measured"
	case met == all:
		return fmt.Sprintf("met in all %d", all)
	}
	return fmt.Sprintf("**missed** in %d of %d", all-met, all)
}

func worst(list []Comparison) string {
	if len(list) == 0 {
		return ""
	}
	return slices.MaxFunc(list, func(a, b Comparison) int { return cmp.Compare(a.Figure, b.Figure) }).String()
}

func join(list []Comparison) string {
	var texts []string
	for _, c := range list {
		texts = append(texts, c.String())
	}
	return strings.Join(texts, "; ")
}

func (c Comparison) String() string {
	if c.CPU == 0 {
		return fmt.Sprintf("%s %.3g", c.What, c.Figure)
	}
	return fmt.Sprintf("%s %.3g / %.3g", c.What, c.Figure, c.CPU)
}
