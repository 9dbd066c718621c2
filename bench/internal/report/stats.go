// Package report turns records into figures: text, JSON, pages and charts.
package report

import (
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/kohakuvault/kvault/bench/internal/contract"
	"github.com/kohakuvault/kvault/bench/internal/plan"
	"github.com/kohakuvault/kvault/bench/internal/race"
)

// Spread is the median of some figures, and the least and the greatest.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spread of figures; all zero if there are none.
func spread(figures []float64) Spread {
	if len(figures) == 0 {
		return Spread{}
	}
	figures = slices.Sorted(slices.Values(figures))
	return Spread{Median: median(figures), Min: figures[0], Max: figures[len(figures)-1]}
}

// median of sorted figures: the mean of the middle two if their number is even.
func median(sorted []float64) float64 {
	lower := stat.Quantile(0.5, stat.Empirical, sorted, nil)
	if len(sorted)%2 == 1 {
		return lower
	}
	return (lower + sorted[len(sorted)/2]) / 2
}

// Row is what came of one entrant in one case.
type Row struct {
	Entrant plan.Entrant `json:"entrant"`
	Version string       `json:"version,omitempty"`
	// Unsupported says why there are no figures.
	Unsupported string `json:"unsupported,omitempty"`
	Rounds      int    `json:"rounds"`
	// NSPerOp and CPUPerOp are nanoseconds of an operation, by the clock and of all processors.
	NSPerOp  Spread `json:"ns_per_op"`
	CPUPerOp Spread `json:"cpu_ns_per_op"`
	// BytesPerSecond is what passed.
	BytesPerSecond Spread `json:"bytes_per_second"`
	// Ratio is the entrant's time over the first entrant's of the same round.
	Ratio Spread `json:"ratio"`
	// CPURatio is the same of the processors' time, which other programs on the machine disturb less.
	CPURatio Spread `json:"cpu_ratio"`
	// PeakBytes is the resident memory less the pool, and DiskBytes the space on disk: the greatest
	// of all rounds.
	PeakBytes int64 `json:"peak_bytes"`
	DiskBytes int64 `json:"disk_bytes"`

	rounds map[int]contract.Result
}

// Table is what came of one case.
type Table struct {
	Case plan.Case `json:"-"`
	Name string    `json:"case"`
	// Took is how long all rounds of all entrants took together, filling stores included.
	Took time.Duration `json:"took_ns"`
	Rows []Row         `json:"rows"`
}

// Rounds is how many all entrants have that can take part.
func (t Table) Rounds() int {
	least := 0
	for _, r := range t.Rows {
		if r.Rounds > 0 && (least == 0 || r.Rounds < least) {
			least = r.Rounds
		}
	}
	return least
}

// Tables sorts records by case and entrant. Cases without records are left out.
func Tables(cases []plan.Case, records []race.Record) []Table {
	var all []Table
	for _, c := range cases {
		t := Table{Case: c, Name: c.Name}
		rounds := map[plan.Entrant]map[int]contract.Result{}
		for _, r := range records {
			if r.Case != c.Name {
				continue
			}
			if rounds[r.Entrant] == nil {
				rounds[r.Entrant] = map[int]contract.Result{}
			}
			rounds[r.Entrant][r.Round] = r.Result // that of a round begun again replaces the one before
			t.Took += time.Duration(r.TookNS + r.FillNS)
		}
		for _, e := range c.Entrants {
			if row := rowOf(e, rounds[e], rounds[c.Entrants[0]]); row.Rounds > 0 || row.Unsupported != "" {
				t.Rows = append(t.Rows, row)
			}
		}
		if len(t.Rows) > 0 {
			all = append(all, t)
		}
	}
	return all
}

func rowOf(e plan.Entrant, rounds, first map[int]contract.Result) Row {
	row := Row{Entrant: e, rounds: map[int]contract.Result{}}
	var ns, cpu, bytes []float64
	for round, r := range rounds {
		row.Version = r.Version
		if r.Unsupported != "" || r.Ops == 0 || r.ElapsedNS == 0 {
			row.Unsupported = r.Unsupported
			continue
		}
		row.Rounds++
		row.rounds[round] = r
		ns = append(ns, float64(r.ElapsedNS)/float64(r.Ops))
		cpu = append(cpu, float64(r.UserNS+r.SysNS)/float64(r.Ops))
		bytes = append(bytes, float64(r.Bytes)/float64(r.ElapsedNS)*1e9)
		row.PeakBytes = max(row.PeakBytes, r.PeakBytes-contract.PoolBytes)
		row.DiskBytes = max(row.DiskBytes, r.DiskBytes)
	}
	row.NSPerOp, row.CPUPerOp, row.BytesPerSecond = spread(ns), spread(cpu), spread(bytes)
	row.Ratio, row.CPURatio = ratios(row.rounds, first)
	return row
}

// ratios are of the time by the clock, and of the processors' time, each in the rounds that both
// have.
func ratios(own, other map[int]contract.Result) (clock, cpu Spread) {
	var clocks, cpus []float64
	for round, a := range own {
		b, ok := other[round]
		if !ok || b.ElapsedNS == 0 {
			continue
		}
		clocks = append(clocks, float64(a.ElapsedNS)/float64(b.ElapsedNS))
		cpus = append(cpus, float64(a.UserNS+a.SysNS)/float64(max(b.UserNS+b.SysNS, 1)))
	}
	return spread(clocks), spread(cpus)
}
