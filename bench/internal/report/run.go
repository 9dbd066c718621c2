package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kohakuvault/kvault/bench/internal/plan"
)

// runText says what was measured, in how many rounds, and what was not.
func runText(run Run, tables []Table) string {
	var b strings.Builder
	took, byRounds := time.Duration(0), map[int][]string{}
	for _, t := range tables {
		took += t.Took
		byRounds[t.Rounds()] = append(byRounds[t.Rounds()], t.Name)
	}
	fmt.Fprintf(&b, "Scale `%s`: %d of %d cases, in %.0f minutes altogether, on %d cores.", run.Scale.Name, len(tables), len(run.Cases), took.Minutes(),
		run.Machine.Cores)
	if full := len(byRounds[run.Scale.Rounds]); full == len(tables) {
		fmt.Fprintf(&b, " Each has %d rounds.\n", run.Scale.Rounds)
	} else {
		fmt.Fprintf(&b, " A case has %d rounds if the time suffices, which it did for %d of them; the tables have the rounds of each.\n", run.Scale.Rounds, full)
	}
	for _, line := range slices.Concat(fewRounds(run.Scale, byRounds), leftOut(run.Cases, tables), run.Scale.Reductions(), refused(tables)) {
		fmt.Fprintf(&b, "- %s.\n", line)
	}
	return b.String()
}

// fewRounds names the cases that the time did not suffice for.
func fewRounds(s plan.Scale, byRounds map[int][]string) (lines []string) {
	for n := range s.MinRounds {
		if names := byRounds[n]; len(names) > 0 {
			lines = append(lines, fmt.Sprintf("Cut to %d of at least %d rounds, because the time was up: %s", n, s.MinRounds, strings.Join(names, "; ")))
		}
	}
	return lines
}

// leftOut names the cases, and the contenders of a case, that were not measured at all.
func leftOut(cases []plan.Case, tables []Table) (lines []string) {
	var whole, part []string
	for _, c := range cases {
		at := slices.IndexFunc(tables, func(t Table) bool { return t.Name == c.Name })
		if at < 0 {
			whole = append(whole, c.Name)
			continue
		}
		var absent []string
		for _, e := range c.Entrants {
			if !slices.ContainsFunc(tables[at].Rows, func(r Row) bool { return r.Entrant == e }) {
				absent = append(absent, string(e))
			}
		}
		if len(absent) > 0 {
			part = append(part, fmt.Sprintf("%s (%s)", c.Name, strings.Join(absent, ", ")))
		}
	}
	if len(whole) > 0 {
		lines = append(lines, "Not measured: "+strings.Join(whole, "; "))
	}
	if len(part) > 0 {
		lines = append(lines, "Measured without some contenders: "+strings.Join(part, "; "))
	}
	return lines
}

// refused says what contenders cannot do, with the cases of each reason.
func refused(tables []Table) (lines []string) {
	cases := map[string][]string{}
	var reasons []string
	for _, t := range tables {
		for _, r := range t.Rows {
			if r.Rounds > 0 || r.Unsupported == "" {
				continue
			}
			reason := fmt.Sprintf("`%s` does not take part for want of %s", r.Entrant, strings.TrimSuffix(r.Unsupported, ": not offered by this contender"))
			if cases[reason] == nil {
				reasons = append(reasons, reason)
			}
			cases[reason] = append(cases[reason], t.Name)
		}
	}
	for _, reason := range reasons {
		lines = append(lines, reason+": "+strings.Join(cases[reason], "; "))
	}
	return lines
}
