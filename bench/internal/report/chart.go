package report

import (
	"image/color"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"

	"github.com/kohakuvault/kvault/bench/internal/plan"
)

const chartWidth, chartHeight = 20 * vg.Centimeter, 12 * vg.Centimeter

// Charts draws the groups whose cases differ in the size of values or the number of keys: the time of an operation, a line for each
// contender. It returns the names of the files by group.
func Charts(dir string, tables []Table) (map[string]string, error) {
	groups := map[string][]Table{}
	for _, t := range tables {
		if t.Case.Size > 0 && t.Case.Workload != "streamin" && t.Case.Workload != "streamout" {
			groups[t.Case.Group] = append(groups[t.Case.Group], t)
		}
	}
	files := map[string]string{}
	for group, members := range groups {
		if len(members) < 3 {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		name := fileName(group)
		if err := chart(filepath.Join(dir, name), group, members); err != nil {
			return nil, err
		}
		files[group] = name
	}
	return files, nil
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

func fileName(group string) string {
	return strings.Trim(notInNames.ReplaceAllString(strings.ToLower(group), "-"), "-") + ".svg"
}

func chart(path, title string, tables []Table) error {
	p := plot.New()
	p.BackgroundColor = color.White
	p.Title.Text = title
	p.X.Label.Text, p.Y.Label.Text = "bytes of a value", "microseconds of an operation"
	x := func(t Table) float64 { return float64(t.Case.Size) }
	if strings.HasPrefix(tables[0].Name, "growth/") {
		p.X.Label.Text = "keys"
		x = func(t Table) float64 { return float64(t.Case.Keys) }
	}
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	for i, e := range drawn(tables) {
		var points plotter.XYs
		for _, t := range tables {
			if r, ok := t.row(e); ok {
				points = append(points, plotter.XY{X: x(t), Y: r.NSPerOp.Median / 1e3})
			}
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return err
		}
		line.Color, dots.Color = plotutil.Color(i), plotutil.Color(i)
		line.Dashes, dots.Shape = plotutil.Dashes(i/7), plotutil.Shape(i)
		if e == "vault" {
			line.Width = vg.Points(3)
		}
		p.Add(line, dots)
		p.Legend.Add(string(e), line, dots)
	}
	return p.Save(chartWidth, chartHeight, path)
}

// drawn are the entrants with a line: one interface of each contender, or the picture would be a tangle.
func drawn(tables []Table) []plan.Entrant {
	var list []plan.Entrant
	for _, e := range tables[0].Case.Entrants {
		for _, t := range tables {
			if _, ok := t.row(e); ok && e.Via() == "" {
				list = append(list, e)
				break
			}
		}
	}
	return list
}
