package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// aimsText is a row for each aim with its worst figure.
func aimsText(verdicts []Verdict) string {
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
	return b.String()
}

// missesText is the page of all misses: a section for each aim that was missed.
func missesText(verdicts []Verdict) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n# All misses\n\n", generated)
	fmt.Fprint(&b, "The comparisons beyond the limit of an aim by the clock, or by processor time, the worst first.\n")
	none := "\nNone.\n"
	for _, v := range verdicts {
		misses := v.Misses()
		if len(misses) == 0 {
			continue
		}
		none = ""
		fmt.Fprintf(&b, "\n## %s\n\nThe ratio is to be at most %.3g.\n\n", capital(v.Aim), v.Limit)
		fmt.Fprint(&b, "| case and contender | ratio | CPU ratio |\n| --- | --- | --- |\n")
		for _, c := range misses {
			fmt.Fprintf(&b, "| %s | %.3g | %s |\n", c.What, c.Figure, ratio(c.CPU))
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

func (c Comparison) String() string {
	if c.CPU == 0 {
		return fmt.Sprintf("%s %.3g", c.What, c.Figure)
	}
	return fmt.Sprintf("%s %.3g / %.3g", c.What, c.Figure, c.CPU)
}
