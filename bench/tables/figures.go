package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/kohakuvault/kvault/bench/internal/report"
)

func lines(out []byte, each func(line []byte) error) error {
	for line := range bytes.Lines(out) {
		if err := each(line); err != nil {
			return err
		}
	}
	return nil
}

func machineText(m report.Machine, v versions) string {
	return fmt.Sprintf("%s, %d cores (%s), %s of memory, %s, %s, DuckDB %s, numpy %s.\n", m.OS, m.Cores, m.CPU,
		humanize.IBytes(uint64(m.Memory)), m.Disk, m.Go, v.DuckDB, v.Numpy)
}

// sameStats compares what both said of the numbers: integers and bins exactly, sums of floats as
// far as numpy's order of adding lets them be.
func sameStats(ours, theirs []byte) error {
	type stats struct {
		Sum, Min, Max, Mean json.Number
		Counts              []int64
		Histogram           []struct{ Count int64 }
	}
	var got, want stats
	if err := json.Unmarshal(ours, &got); err != nil {
		return err
	}
	if err := json.Unmarshal(theirs, &want); err != nil {
		return err
	}
	for _, b := range got.Histogram {
		got.Counts = append(got.Counts, b.Count)
	}
	for name, pair := range map[string][2]json.Number{"sum": {got.Sum, want.Sum}, "min": {got.Min, want.Min}, "max": {got.Max, want.Max}, "mean": {got.Mean, want.Mean}} {
		a, _ := pair[0].Float64()
		b, _ := pair[1].Float64()
		if math.IsNaN(a-b) || math.Abs(a-b) > 1e-9*max(math.Abs(b), 1e-3) {
			return fmt.Errorf("%s is %s, and %s to numpy", name, pair[0], pair[1])
		}
	}
	if !slices.Equal(got.Counts, want.Counts) {
		return fmt.Errorf("bins %v, and %v to numpy", got.Counts, want.Counts)
	}
	return nil
}

// figures is the table of all cases. A ratio is formed within a round, and its median is shown.
func figures(outcomes []outcome) string {
	var b strings.Builder
	b.WriteString("| | kvault | other | its work alone | its process | ratio to its work | to its process | aim | peak of kvault | of the other |\n")
	b.WriteString("| --- | --: | --- | --: | --: | --: | --: | --- | --: | --: |\n")
	for _, o := range outcomes {
		var toWork, toWhole []float64
		for i := range o.ours {
			toWork = append(toWork, float64(o.ours[i].whole)/float64(o.theirs[i].work))
			toWhole = append(toWhole, float64(o.ours[i].whole)/float64(o.theirs[i].whole))
		}
		ratio, peak := median(toWork), most(o.ours)
		aim := verdict(fmt.Sprintf("at most %d times", atMost), ratio <= atMost)
		if o.within > 0 {
			aim += "; " + verdict("below "+humanize.IBytes(uint64(o.within)), peak < o.within)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %.2f (%.2f to %.2f) | %.2f | %s | %s | %s |\n", o.name, medianTime(o.ours, whole), o.against,
			medianTime(o.theirs, work), medianTime(o.theirs, whole), ratio, slices.Min(toWork), slices.Max(toWork), median(toWhole), aim,
			humanize.IBytes(uint64(peak)), humanize.IBytes(uint64(most(o.theirs))))
	}
	fmt.Fprintf(&b, "\n%d rounds, medians; peaks are the greatest.\n", len(outcomes[0].ours))
	return b.String()
}

func verdict(aim string, met bool) string {
	if met {
		return aim + ": met"
	}
	return aim + ": **missed**"
}

func work(r result) time.Duration  { return r.work }
func whole(r result) time.Duration { return r.whole }

func medianTime(results []result, of func(result) time.Duration) string {
	var all []float64
	for _, r := range results {
		all = append(all, float64(of(r)))
	}
	return report.Duration(median(all))
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}

func most(results []result) (peak int64) {
	for _, r := range results {
		peak = max(peak, r.peak)
	}
	return peak
}

// space is what the same table takes as each program keeps it.
func (r *race) space(ctx context.Context) (string, error) {
	for _, format := range []string{"csv", "parquet"} {
		if _, _, err := measure(ctx, r.kvault, "-f", r.file("flights.kv"), "--quiet", "col", "export", "flights/", "-o", r.file("ours."+format)); err != nil {
			return "", err
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "The flights, %s rows of %d columns, take\n\n", thousands(int(r.flights.Rows)), r.flights.Columns)
	for _, f := range []struct{ name, of string }{
		{"flights.kv", "in the vault"},
		{"flights.duckdb", "in DuckDB's file"},
		{"flights.csv", "as CSV, as the package ships it"},
		{"ours.csv", "as CSV, exported by kvault"},
		{"flights.parquet", "as Parquet, written by pyarrow"},
		{"ours.parquet", "as Parquet, exported by kvault"},
	} {
		info, err := os.Stat(r.file(f.name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "- %s %s,\n", humanize.IBytes(uint64(info.Size())), f.of)
	}
	return strings.TrimSuffix(b.String(), ",\n") + ".\n", nil
}
