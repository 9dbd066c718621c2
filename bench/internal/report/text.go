package report

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/kohakuvault/kvault/bench/internal/plan"
)

// Text writes tables for a terminal.
func Text(w io.Writer, tables []Table) error {
	for _, t := range tables {
		fmt.Fprintf(w, "\n%s  (%s; time over that of %s, of the same round)\n", t.Case.Name, t.Case.Group, t.Case.Entrants[0])
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(tw, "\tratio\tleast\tmost\tCPU ratio\ttime/op\tCPU/op\tMB/s\tpeak MiB\tdisk MiB\trounds\t")
		for _, r := range t.Rows {
			if r.Rounds == 0 {
				fmt.Fprintf(tw, "%s\t-\t\t\t\t\t\t\t\t\t\t\n", r.Entrant)
				continue
			}
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.1f\t%.1f\t%.1f\t%d\t\n", r.Entrant, ratio(r.Ratio.Median), ratio(r.Ratio.Min), ratio(r.Ratio.Max), ratio(r.CPURatio.Median),
				Duration(r.NSPerOp.Median), Duration(r.CPUPerOp.Median), r.BytesPerSecond.Median/1e6, mib(r.PeakBytes), mib(r.DiskBytes), r.Rounds)
		}
		if err := tw.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// ratio is a dash where there was nothing to compare with.
func ratio(x float64) string {
	if x == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3g", x)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// Duration is nanoseconds with a unit, in three digits.
func Duration(ns float64) string {
	switch {
	case ns >= 1e9:
		return fmt.Sprintf("%.3g s", ns/1e9)
	case ns >= 1e6:
		return fmt.Sprintf("%.3g ms", ns/1e6)
	case ns >= 1e3:
		return fmt.Sprintf("%.3g us", ns/1e3)
	}
	return fmt.Sprintf("%.3g ns", ns)
}

// JSON writes the machine and all tables.
func JSON(w io.Writer, m Machine, scale plan.Scale, tables []Table) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	return enc.Encode(struct {
		Machine Machine   `json:"machine"`
		Scale   string    `json:"scale"`
		Bars    []Verdict `json:"bars"`
		Tables  []Table   `json:"cases"`
	}{m, scale.Name, Judge(tables), tables})
}
