package race

import (
	"time"

	"github.com/kohakuvault/kvault/bench/internal/plan"
)

// standing is how far a case has come.
type standing struct {
	plan.Case
	// done are the rounds that all entrants have finished, and spent is what these took.
	done  map[int]bool
	spent time.Duration
	// refill is how long the stores take that were filled for an earlier run and have to be filled
	// again.
	refill time.Duration
}

// standings are those of all cases after the records of an earlier run.
func standings(cases []plan.Case, records []Record) []*standing {
	var all []*standing
	for _, c := range cases {
		s := &standing{Case: c, done: map[int]bool{}}
		count := map[int]map[plan.Entrant]Record{}
		for _, rec := range records {
			if rec.Case != c.Name {
				continue
			}
			if count[rec.Round] == nil {
				count[rec.Round] = map[plan.Entrant]Record{}
			}
			count[rec.Round][rec.Entrant] = rec
		}
		for round, of := range count {
			if len(of) < len(c.Entrants) {
				continue
			}
			s.done[round] = true
			for _, rec := range of {
				s.spent += time.Duration(rec.TookNS)
				s.refill += time.Duration(rec.FillNS)
			}
		}
		all = append(all, s)
	}
	return all
}

func (s *standing) finish(round int, took time.Duration) {
	s.done[round] = true
	s.spent += took
	s.refill = 0
}

// due is the number of the next round.
func (s *standing) due() int {
	for round := 0; ; round++ {
		if !s.done[round] {
			return round
		}
	}
}

// estimate is how long the next round takes; nobody knows before the first.
func (s *standing) estimate() time.Duration {
	if len(s.done) == 0 {
		return 0
	}
	return s.spent/time.Duration(len(s.done)) + s.refill
}

// next is the case that is to run its next round. First each has one, whatever time is left; then
// the cheapest come up to the least number of rounds before the dearer ones; then the case that has
// had the least time goes on. A round that would end after the time is up does not begin. Nil says
// that it is.
func next(all []*standing, scale plan.Scale, left time.Duration) *standing {
	var best *standing
	for _, s := range all {
		n := len(s.done)
		if n >= scale.Rounds || n > 0 && s.estimate() > left {
			continue
		}
		if best == nil || s.before(best, scale.MinRounds) {
			best = s
		}
	}
	return best
}

func (s *standing) before(o *standing, least int) bool {
	if a, b := min(len(s.done), least), min(len(o.done), least); a != b {
		return a < b
	}
	if len(s.done) < least {
		return s.estimate() < o.estimate()
	}
	return s.spent < o.spent
}
