package report

import (
	"bytes"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/kohakuvault/kvault/bench/internal/plan"
)

const (
	chartWidth, chartHeight = 22 * vg.Centimeter, 12 * vg.Centimeter
	legendWidth             = 4.6 * vg.Centimeter
	plotWidth               = chartWidth - legendWidth
)

// Charts draws the groups whose cases differ in the size of values or the number of keys: the time
// of an operation, a line for each contender; and those of streams: bytes in a second, a bar for
// each. It returns the names of the files by group.
func Charts(dir string, tables []Table) (map[string]string, error) {
	groups := map[string][]Table{}
	for _, t := range tables {
		if t.Case.Size > 0 {
			groups[t.Case.Group] = append(groups[t.Case.Group], t)
		}
	}
	files := map[string]string{}
	for group, members := range groups {
		draw := lineChart
		switch {
		case strings.HasPrefix(members[0].Case.Workload, "stream"):
			draw = barChart
		case len(members) < 3:
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		name := fileName(group) + ".svg"
		if err := draw(filepath.Join(dir, name), group, members); err != nil {
			return nil, err
		}
		files[group] = name
	}
	return files, nil
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// fileName names the files of a group, without an extension.
func fileName(group string) string {
	return strings.Trim(notInNames.ReplaceAllString(strings.ToLower(group), "-"), "-")
}

// style is how a contender is drawn, the same in all charts: those in Python are dashed.
type style struct {
	color  color.RGBA
	dashed bool
}

var styles = map[plan.Entrant]style{
	"vault": {color.RGBA{0xd6, 0x27, 0x28, 0xff}, false}, "floor": {color.RGBA{0, 0, 0, 0xff}, false},
	"files": {color.RGBA{0x8c, 0x8c, 0x8c, 0xff}, false}, "bbolt": {color.RGBA{0x1f, 0x77, 0xb4, 0xff}, false},
	"badger": {color.RGBA{0xff, 0x7f, 0x0e, 0xff}, false}, "pebble": {color.RGBA{0x2c, 0xa0, 0x2c, 0xff}, false},
	"mattn": {color.RGBA{0x94, 0x67, 0xbd, 0xff}, false}, "modernc": {color.RGBA{0x17, 0xbe, 0xcf, 0xff}, false},
	"kohakuvault-0.8.6": {color.RGBA{0x8c, 0x56, 0x4b, 0xff}, true}, "kohakuvault-0.2.2": {color.RGBA{0xe3, 0x77, 0xc2, 0xff}, true},
	"diskcache": {color.RGBA{0x9a, 0x9b, 0x10, 0xff}, true},
}

func styleOf(e plan.Entrant) style {
	if s, ok := styles[e]; ok {
		return s
	}
	return style{color.RGBA{0x40, 0x40, 0x40, 0xff}, false}
}

func lineChart(path, title string, tables []Table) error {
	p, legend := newPlot(title), newLegend()
	p.X.Label.Text, p.Y.Label.Text = "size of a value", "time of an operation"
	if strings.HasPrefix(tables[0].Name, "growth/") {
		p.X.Label.Text = "keys in the store"
	}
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.ConstantTicks(sizeTicks(tables)), durationTicks{}
	for i, e := range drawn(tables) {
		line, dots, err := lineOf(e, i, tables)
		if err != nil {
			return err
		}
		p.Add(line, dots)
		legend.Add(string(e), line, dots)
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = p.X.Min/1.15, p.X.Max*1.15, p.Y.Min/1.2, p.Y.Max*1.2
	return save(path, p, legend)
}

// save puts the legend to the right of the plot, where no line runs.
func save(path string, p *plot.Plot, legend plot.Legend) error {
	canvas := vgsvg.New(chartWidth, chartHeight)
	whole := draw.New(canvas)
	whole.FillPolygon(color.White, []vg.Point{{}, {X: chartWidth}, {X: chartWidth, Y: chartHeight}, {Y: chartHeight}})
	p.Draw(draw.Crop(whole, vg.Points(4), -legendWidth, vg.Points(4), -vg.Points(4)))
	legend.Draw(draw.Crop(whole, plotWidth+vg.Points(8), 0, 0, -vg.Points(24)))
	var text bytes.Buffer
	if _, err := canvas.WriteTo(&text); err != nil {
		return err
	}
	// The reader's machine may not have the font that the layout was made with.
	out := bytes.ReplaceAll(text.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
	return os.WriteFile(path, out, 0o644)
}

func sans(size float64) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
}

func newLegend() plot.Legend {
	l := plot.NewLegend()
	l.TextStyle.Font = sans(10)
	l.Top, l.Left, l.YPosition = true, true, draw.PosCenter
	l.Padding, l.ThumbnailWidth = vg.Points(3), vg.Points(24)
	return l
}

func newPlot(title string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.White
	p.Title.Text, p.Title.TextStyle.Font, p.Title.Padding = title, sans(13), vg.Points(6)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font, axis.Tick.Label.Font = sans(11), sans(10)
	}
	p.Add(plotter.NewGrid())
	return p
}

// abscissa is where a case lies, and what stands there.
func abscissa(t Table) (x float64, label string) {
	if strings.HasPrefix(t.Name, "growth/") {
		return float64(t.Case.Keys), humanize.Comma(t.Case.Keys)
	}
	return float64(t.Case.Size), plan.Size(t.Case.Size)
}

func sizeTicks(tables []Table) (ticks []plot.Tick) {
	for _, t := range tables {
		x, label := abscissa(t)
		ticks = append(ticks, plot.Tick{Value: x, Label: label})
	}
	return ticks
}

// durationTicks are those of a logarithmic axis of microseconds, with units.
type durationTicks struct{}

func (durationTicks) Ticks(low, high float64) []plot.Tick {
	ticks := plot.LogTicks{Prec: -1}.Ticks(low, high)
	for i, t := range ticks {
		first := fmt.Sprintf("%.0e", t.Value)[0]
		if t.Label != "" || high/low < 300 && (first == '2' || first == '5') {
			ticks[i].Label = Duration(t.Value * 1e3)
		}
	}
	return ticks
}

func lineOf(e plan.Entrant, i int, tables []Table) (*plotter.Line, *plotter.Scatter, error) {
	var points plotter.XYs
	for _, t := range tables {
		if r, ok := t.row(e); ok {
			x, _ := abscissa(t)
			points = append(points, plotter.XY{X: x, Y: r.NSPerOp.Median / 1e3})
		}
	}
	line, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		return nil, nil, err
	}
	look := styleOf(e)
	line.Color, dots.Color, dots.Shape, line.Width = look.color, look.color, plotutil.Shape(i), vg.Points(1.2)
	if look.dashed {
		line.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
	}
	if e == "vault" {
		line.Width = vg.Points(3)
	}
	return line, dots, nil
}

// drawn are the entrants with a line: one interface of each contender, or the picture would be a
// tangle.
func drawn(tables []Table) []plan.Entrant {
	var list []plan.Entrant
	for _, t := range tables {
		for _, r := range t.Rows {
			if r.Rounds > 0 && r.Entrant.Via() == "" && !slices.Contains(list, r.Entrant) {
				list = append(list, r.Entrant)
			}
		}
	}
	return list
}
