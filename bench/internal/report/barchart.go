package report

import (
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/kohakuvault/kvault/bench/internal/plan"
)

// barChart draws the cases of a group side by side, each with a bar for every contender that took
// part.
func barChart(path, title string, tables []Table) error {
	p, legend := newPlot(title), newLegend()
	p.Y.Label.Text, p.Y.Scale, p.Y.Tick.Marker = "MB/s, logarithmic", logFromLeast{}, plot.LogTicks{Prec: -1}
	var names []string
	for _, t := range tables {
		names = append(names, strings.TrimPrefix(t.Name, "stream"))
	}
	entrants := slices.DeleteFunc(drawn(tables), func(e plan.Entrant) bool { return e == "memory" }) // beside it all others are flat
	width := vg.Length(float64(plotWidth) / float64(len(tables)) * 0.8 / float64(len(entrants)))
	for i, e := range entrants {
		bars, err := plotter.NewBarChart(speeds(e, tables), width)
		if err != nil {
			return err
		}
		bars.Color, bars.LineStyle.Width = styleOf(e).color, 0
		bars.Offset = width * vg.Length(float64(i)-float64(len(entrants)-1)/2)
		p.Add(bars)
		legend.Add(string(e), bars)
	}
	p.NominalX(names...)
	p.X.Min, p.X.Max, p.Y.Min = -0.5, float64(len(tables))-0.5, decadeBelow(tables)
	return save(path, p, legend)
}

// speeds are zero, and no bar, where the contender did not take part.
func speeds(e plan.Entrant, tables []Table) plotter.Values {
	var values plotter.Values
	for _, t := range tables {
		r, _ := t.row(e)
		values = append(values, r.BytesPerSecond.Median/1e6)
	}
	return values
}

// logFromLeast is a logarithmic scale on which bars, which begin at zero, begin at the least value
// that is shown.
type logFromLeast struct{}

func (logFromLeast) Normalize(low, high, x float64) float64 {
	return plot.LogScale{}.Normalize(low, high, max(x, low))
}

// decadeBelow is the power of ten below all speeds.
func decadeBelow(tables []Table) float64 {
	least := math.Inf(1)
	for _, t := range tables {
		for _, r := range t.Rows {
			if r.Rounds > 0 {
				least = min(least, r.BytesPerSecond.Median/1e6)
			}
		}
	}
	return math.Pow(10, math.Ceil(math.Log10(least))-1)
}
