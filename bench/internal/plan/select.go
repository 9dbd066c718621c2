package plan

import (
	"regexp"
	"slices"
)

// Earlier is the vault of an earlier tree as a contender.
const Earlier = "before"

// Against are the cases with the vault alone, through each of its interfaces, against itself in an
// earlier tree: a case for each interface, whose ratios are the time of this tree over that of the
// earlier one.
func Against(cases []Case) []Case {
	var all []Case
	for _, c := range cases {
		for _, e := range c.Entrants {
			if e.Program() != "vault" {
				continue
			}
			one, before := c, Entrant(Earlier)
			if via := e.Via(); via != "" {
				one.Name += ", " + via
				before += Entrant(":" + via)
			}
			one.Entrants = []Entrant{before, e}
			all = append(all, one)
		}
	}
	return all
}

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
