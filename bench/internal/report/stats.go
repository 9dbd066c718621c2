// Package report turns records into figures: text, JSON, pages and charts.
package report

import (
	"slices"

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
	// PeakBytes is the resident memory less the pool, and DiskBytes the space on disk: the greatest of all rounds.
	PeakBytes int64 `json:"peak_bytes"`
	DiskBytes int64 `json:"disk_bytes"`
}

// Table is what came of one case.
type Table struct {
	Case plan.Case `json:"-"`
	Name string    `json:"case"`
	Rows []Row     `json:"rows"`
}

// Tables sorts records by case and entrant. Cases without records are left out.
func Tables(cases []plan.Case, records []race.Record) []Table {
	var all []Table
	for _, c := range cases {
		t := Table{Case: c, Name: c.Name}
		first := map[int]contract.Result{}
		for _, r := range records {
			if r.Case == c.Name && r.Entrant == c.Entrants[0] {
				first[r.Round] = r.Result
			}
		}
		for _, e := range c.Entrants {
			if row := rowOf(c.Name, e, records, first); row.Rounds > 0 || row.Unsupported != "" {
				t.Rows = append(t.Rows, row)
			}
		}
		if len(t.Rows) > 0 {
			all = append(all, t)
		}
	}
	return all
}

func rowOf(name string, e plan.Entrant, records []race.Record, first map[int]contract.Result) Row {
	row := Row{Entrant: e}
	var ns, cpu, bytes, ratios, cpuRatios []float64
	for _, rec := range records {
		r := rec.Result
		if rec.Case != name || rec.Entrant != e {
			continue
		}
		row.Version = r.Version
		if r.Unsupported != "" || r.Ops == 0 || r.ElapsedNS == 0 {
			row.Unsupported = r.Unsupported
			continue
		}
		row.Rounds++
		ns = append(ns, float64(r.ElapsedNS)/float64(r.Ops))
		cpu = append(cpu, float64(r.UserNS+r.SysNS)/float64(r.Ops))
		bytes = append(bytes, float64(r.Bytes)/float64(r.ElapsedNS)*1e9)
		if f, ok := first[rec.Round]; ok && f.ElapsedNS > 0 {
			ratios = append(ratios, float64(r.ElapsedNS)/float64(f.ElapsedNS))
			cpuRatios = append(cpuRatios, float64(r.UserNS+r.SysNS)/float64(max(f.UserNS+f.SysNS, 1)))
		}
		row.PeakBytes = max(row.PeakBytes, r.PeakBytes-contract.PoolBytes)
		row.DiskBytes = max(row.DiskBytes, r.DiskBytes)
	}
	row.NSPerOp, row.CPUPerOp, row.BytesPerSecond, row.Ratio = spread(ns), spread(cpu), spread(bytes), spread(ratios)
	row.CPURatio = spread(cpuRatios)
	return row
}
