package plan

import (
	"regexp"
	"slices"
)

// Select keeps the cases whose name matches, and of their entrants those that are wanted, in that
// order; all if none are named. A case that the first of them does not take part in is left out,
// because there is nothing to compare with.
func Select(cases []Case, name *regexp.Regexp, wanted []Entrant) []Case {
	var selected []Case
	for _, c := range cases {
		if !name.MatchString(c.Name) {
			continue
		}
		if len(wanted) > 0 {
			if !slices.Contains(c.Entrants, wanted[0]) {
				continue
			}
			c.Entrants = slices.DeleteFunc(slices.Clone(wanted), func(e Entrant) bool { return !slices.Contains(c.Entrants, e) })
		}
		selected = append(selected, c)
	}
	return selected
}
