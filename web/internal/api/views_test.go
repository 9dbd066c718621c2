package api_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/api"
)

func TestSummariesAsTheCommand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	v := newTypes(t, path)
	c := everything(t, v)
	var summaries, histograms strings.Builder
	for _, e := range elements {
		for _, name := range []string{e.typ, e.typ + " or null"} {
			summaries.WriteString(c.get(pathOf("types/"+name) + "?view=summary"))
			histograms.WriteString(c.get(pathOf("types/"+name) + "?view=histogram"))
		}
	}
	if want := command(t, path, "col", "describe", "types/", "--json"); summaries.String() != want {
		t.Errorf("%s, want %s", &summaries, want)
	}
	if want := command(t, path, "col", "stats", "types/", "--json"); histograms.String() != want {
		t.Errorf("%s, want %s", &histograms, want)
	}
}

func TestHistogram(t *testing.T) {
	v := newVault(t)
	add(t, v, "n", column.Int64, count(1000)...)
	add(t, v, "f", column.Float64, 0, 0.5, 1, math.NaN())
	c := everything(t, v)
	type histogram struct {
		Histogram []struct {
			From, To json.Number
			Count    int64
		}
	}
	for _, bins := range []int{1, 7, 200} {
		h := into[histogram](c, fmt.Sprintf("columns/n?view=histogram&bins=%d", bins)).Histogram
		sum := int64(0)
		for _, b := range h {
			sum += b.Count
		}
		if len(h) != bins || sum != 1000 || h[0].From != "0" || h[bins-1].To != "999" {
			t.Errorf("%d: %+v", bins, h)
		}
	}
	h := into[histogram](c, "columns/f?view=histogram&bins=2").Histogram
	if len(h) != 2 || h[0].Count != 1 || h[1].Count != 2 || h[1].From != "0.5" {
		t.Errorf("%+v", h)
	}
}

type plotAnswer struct {
	Name, Type               string
	Length, From, To, Bucket int64
	Sampled                  bool
	Read, Gaps               int64
	X                        []int64
	Y                        []*json.Number
}

func (p plotAnswer) String() string {
	var b strings.Builder
	for i, x := range p.X {
		y := "gap"
		if p.Y[i] != nil {
			y = p.Y[i].String()
		}
		fmt.Fprintf(&b, " %d:%s", x, y)
	}
	return strings.TrimSpace(b.String())
}

func TestPlotOfFew(t *testing.T) {
	v := newVault(t)
	null := func(x float64) column.Null[float64] { return column.Null[float64]{V: x, Valid: true} }
	inf, nan := math.Inf(1), math.NaN()
	add(t, v, "i", column.Int64, math.MaxInt64, -1, math.MinInt64)
	add(t, v, "in", column.Nullable(column.Int64), column.Null[int64]{V: 1, Valid: true}, column.Null[int64]{})
	add(t, v, "f", column.Float64, 1, nan, -0.5, inf, -inf, 1e300)
	add(t, v, "fn", column.Nullable(column.Float64), null(nan), column.Null[float64]{}, null(2))
	add(t, v, "none", column.Float64)
	c := everything(t, v)
	for path, want := range map[string]string{
		"i":              "0:9223372036854775807 1:-1 2:-9223372036854775808",
		"in":             "0:1 1:gap",
		"f":              "0:1.0 1:gap 2:-0.5 3:gap 4:gap 5:1e+300",
		"fn":             "0:gap 1:gap 2:2.0",
		"none":           "",
		"i&from=1":       "1:-1 2:-9223372036854775808",
		"i&from=-1":      "2:-9223372036854775808",
		"i&to=1":         "0:9223372036854775807",
		"i&from=1&to=-1": "1:-1",
		"i&from=2&to=1":  "",
		"i&to=99":        "0:9223372036854775807 1:-1 2:-9223372036854775808",
	} {
		name, rest, _ := strings.Cut(path, "&")
		p := into[plotAnswer](c, "columns/"+name+"?view=plot&"+rest)
		if p.String() != want || p.Bucket != 1 || p.Sampled || p.Name != name || int(p.Gaps) != strings.Count(want, "gap") {
			t.Errorf("%s: %s (%+v), want %s", path, p, p, want)
		}
	}
	if text := c.get("columns/none?view=plot"); !strings.Contains(text, `"x":[],"y":[]`) {
		t.Error(text)
	}
}

// Whatever the number of points, no peak and no end is lost, and points are in order.
func TestPlotKeepsPeaks(t *testing.T) {
	v := newVault(t)
	const length = 300_007
	list := make([]float64, length)
	for i := range list {
		list[i] = math.Sin(float64(i) / 5000)
	}
	peaks := map[int64]string{0: "9.0", 1000: "50.0", 131_072: "-7.0", 131_073: "60.0", length - 2: "-70.0", length - 1: "0.25"}
	for at, y := range peaks {
		fmt.Sscan(y, &list[at])
	}
	for i := 200_000; i < 220_000; i++ {
		list[i] = math.NaN()
	}
	add(t, v, "f", column.Float64, list...)
	c := everything(t, v)
	for _, points := range []int{4, 5, 100, 800, 10_000} {
		p := into[plotAnswer](c, fmt.Sprintf("columns/f?view=plot&points=%d", points))
		if len(p.X) > points || len(p.X) != len(p.Y) || !slices.IsSorted(p.X) || p.Gaps != 20_000 {
			t.Errorf("%d points: %d, gaps %d", points, len(p.X), p.Gaps)
		}
		gap := false
		drawn := map[int64]string{}
		for i, x := range p.X {
			if p.Y[i] == nil {
				gap = gap || x >= 200_000 && x < 220_000
				continue
			}
			drawn[x] = p.Y[i].String()
			if got, _ := p.Y[i].Float64(); got != list[x] {
				t.Errorf("%d points: %v at %d, want %v", points, got, x, list[x])
			}
		}
		for at, y := range peaks {
			extreme := y == "60.0" || y == "-70.0" || at == 0 || at == length-1
			if (extreme || points >= 100) && drawn[at] != y {
				t.Errorf("%d points: %q at %d, want %s", points, drawn[at], at, y)
			}
		}
		if points >= 100 && !gap {
			t.Errorf("%d points: no gap", points)
		}
	}
}

// A gap at the end of a bucket takes the place of a point.
func TestPlotOfManyGaps(t *testing.T) {
	v := newVault(t)
	list := make([]float64, 10_000)
	for i := range list {
		if list[i] = float64(i * 7919 % 1000); i%2 == 1 {
			list[i] = math.NaN()
		}
	}
	add(t, v, "f", column.Float64, list...)
	p := into[plotAnswer](everything(t, v), "columns/f?view=plot&points=100")
	last := len(p.X) - 1
	if last >= 100 || p.Gaps != 5000 || p.Y[last] != nil || p.X[last] != 9999 {
		t.Errorf("%d points, %d gaps", len(p.X), p.Gaps)
	}
}

func TestSampledPlot(t *testing.T) {
	v := newVault(t)
	add(t, v, "n", column.Int64, count(100_000)...)
	c := serve(t, api.NewWith(v, func(l *api.Limits) { l.Plotted = 1000 }), access.Everything(false))
	p := into[plotAnswer](c, "columns/n?view=plot&points=400")
	if !p.Sampled || p.Read != 10 || p.Bucket != 1000 || len(p.X) != 200 || p.X[0] != 0 || p.X[1] != 9 || p.X[199] != 99_009 {
		t.Errorf("%+v", p)
	}
	if p := into[plotAnswer](c, "columns/n?view=plot&points=400&from=-1000"); p.Sampled || len(p.X) > 400 {
		t.Errorf("%+v", p)
	}
}

func TestPlotOfOthers(t *testing.T) {
	v := newTypes(t, ":memory:")
	c := everything(t, v)
	for _, e := range elements {
		for _, name := range []string{e.typ, e.typ + " or null"} {
			status, text := c.status("GET", pathOf("types/"+name)+"?view=plot", "")
			want := http.StatusBadRequest
			if e.typ == "i64" || e.typ == "f64" {
				want = http.StatusOK
			}
			if status != want || status != http.StatusOK && !strings.Contains(text, "numbers") {
				t.Errorf("%s: %d %s", name, status, text)
			}
		}
	}
}

type usageAnswer struct {
	Folders []struct {
		Key        string
		Base64     []byte `json:"key_base64"`
		Keys, Size int64
		More       bool
	}
	Next string
}

func TestUsage(t *testing.T) {
	v := newVault(t)
	put(t, v, "a", "d/1", "d/2", "d/e/3", "f\xff/1", "g/1", "g/2", "g/3", "g/4")
	c := serve(t, api.NewWith(v, func(l *api.Limits) { l.FolderKeys = 3 }), access.Everything(false))
	for path, want := range map[string]string{
		"":                              `{"folders":[{"keys":9,"size":28}` + "\n]}",
		"?prefix=d/":                    `{"folders":[{"key":"d/","keys":3,"size":11}` + "\n]}",
		"?prefix=absent":                `{"folders":[{"key":"absent","keys":0,"size":0}` + "\n]}",
		"?delimiter=/":                  `{"folders":[{"key":"d/","keys":3,"size":11}` + "\n" + `,{"key":"f\ufffd/","key_base64":"Zv8v","keys":1,"size":4}` + "\n" + `,{"key":"g/","keys":3,"size":9,"more":true}` + "\n]}",
		"?prefix=d/&delimiter=/":        `{"folders":[{"key":"d/e/","keys":1,"size":5}` + "\n]}",
		"?prefix=d/e/&delimiter=/":      `{"folders":[]}`,
		"?delimiter=/&limit=1&after=Zg": `{"folders":[{"key":"f\ufffd/","key_base64":"Zv8v","keys":1,"size":4}` + "\n" + `],"next":"Zv8v"}`,
	} {
		if got := c.get("du" + path); got != want+"\n" {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// However little time there is, the pages come to an end and have each folder once.
func TestUsageWithoutTime(t *testing.T) {
	v := newVault(t)
	want := []string{}
	for i := range 30 {
		put(t, v, fmt.Sprintf("%02d/a", i), fmt.Sprintf("%02d/b", i), fmt.Sprintf("%02d", i))
		want = append(want, fmt.Sprintf("%02d/", i))
	}
	c := serve(t, api.NewWith(v, func(l *api.Limits) { l.Counting, l.Adding = 1, 1 }), access.Everything(false))
	var got []string
	after := ""
	for {
		a := into[usageAnswer](c, "du?delimiter=/"+after)
		for _, f := range a.Folders {
			if got = append(got, f.Key); f.Keys != 1 || !f.More {
				t.Errorf("%+v", f)
			}
		}
		if a.Next == "" {
			break
		}
		after = "&after=" + a.Next
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if a := into[usageAnswer](c, "du"); len(a.Folders) != 1 || a.Folders[0].Keys != 1 || !a.Folders[0].More {
		t.Errorf("%+v", a)
	}
	if text := c.get("stats"); strings.Contains(text, "value_bytes") {
		t.Error(text)
	}
}

func TestStatsAsTheCommand(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "v.kv")
	v, err := kvault.Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	put(t, v, "a", "bc")
	text := everything(t, v).get("stats")
	if strings.Contains(text, dir) || strings.Contains(text, "v.kv") {
		t.Errorf("%s tells where the file is", text)
	}
	var got, want map[string]any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(command(t, path, "info", "--json")), &want); err != nil {
		t.Fatal(err)
	}
	if got["cache"].(map[string]any)["enabled"] != false {
		t.Errorf("%s", text)
	}
	delete(got, "cache")
	delete(want, "location")
	if fmt.Sprint(got) != fmt.Sprint(want) || got["value_bytes"] != 3.0 {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestStatsOfCache(t *testing.T) {
	v := newVault(t)
	if err := v.EnableCache(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	put(t, v, "a", "bc")
	type stats struct {
		Cache struct {
			Enabled         bool
			Entries         int
			Bytes, Capacity int64
		}
	}
	if s := into[stats](everything(t, v), "stats").Cache; !s.Enabled || s.Entries != 2 || s.Bytes != 6 || s.Capacity != kvault.DefaultCapacity {
		t.Errorf("%+v", s)
	}
}
