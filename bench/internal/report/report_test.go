package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/bench/internal/contract"
	"github.com/kohakuvault/kvault/bench/internal/plan"
	"github.com/kohakuvault/kvault/bench/internal/race"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want Spread
	}{
		{nil, Spread{}},
		{[]float64{3}, Spread{3, 3, 3}},
		{[]float64{4, 1}, Spread{2.5, 1, 4}},
		{[]float64{9, 1, 2}, Spread{2, 1, 9}},
		{[]float64{7, 1, 5, 3}, Spread{4, 1, 7}},
	} {
		if got := spread(c.in); got != c.want {
			t.Errorf("spread(%v) = %v, want %v", c.in, got, c.want)
		}
	}
}

// records are two rounds, in the second of which everything took ten times as long: ratios must not see that.
func records(name string, elapsed map[plan.Entrant]int64) []race.Record {
	var list []race.Record
	for round, slow := range []int64{1, 10} {
		for e, ns := range elapsed {
			list = append(list, race.Record{Case: name, Entrant: e, Round: round, Result: contract.Result{ElapsedNS: slow * ns, UserNS: slow * ns / 2,
				Ops: 10, Bytes: 1000, PeakBytes: contract.PoolBytes + ns, DiskBytes: 5, Version: "v1"}})
		}
	}
	return list
}

func TestTablesFormRatiosWithinARound(t *testing.T) {
	cases := []plan.Case{{Name: "c", Entrants: []plan.Entrant{"vault", "floor", "absent"}}, {Name: "not run", Entrants: []plan.Entrant{"vault"}}}
	tables := Tables(cases, records("c", map[plan.Entrant]int64{"vault": 1000, "floor": 500}))
	if len(tables) != 1 || len(tables[0].Rows) != 2 {
		t.Fatalf("got %+v", tables)
	}
	floor := tables[0].Rows[1]
	if want := (Spread{0.5, 0.5, 0.5}); floor.Ratio != want || floor.CPURatio != want {
		t.Errorf("ratios %v and %v, want %v", floor.Ratio, floor.CPURatio, want)
	}
	if floor.NSPerOp != (Spread{275, 50, 500}) || floor.Rounds != 2 || floor.PeakBytes != 500 || floor.DiskBytes != 5 {
		t.Errorf("got %+v", floor)
	}
}

func TestTablesKeepWhyThereIsNothing(t *testing.T) {
	tables := Tables([]plan.Case{{Name: "c", Entrants: []plan.Entrant{"vault", "parquet"}}}, []race.Record{
		{Case: "c", Entrant: "parquet", Result: contract.Result{Unsupported: "cannot"}}})
	if len(tables) != 1 || tables[0].Rows[0].Unsupported != "cannot" || tables[0].Rows[0].Rounds != 0 {
		t.Errorf("got %+v", tables)
	}
}

func sized(name string, size int64, elapsed map[plan.Entrant]int64) []Table {
	c := plan.Case{Name: name, Group: "Some puts", Entrants: []plan.Entrant{"vault", "vault:cached", "floor", "files", "kohakuvault-0.8.6"}}
	c.Size, c.Workload = size, "put"
	return Tables([]plan.Case{c}, records(name, elapsed))
}

func TestJudge(t *testing.T) {
	tables := append(sized("durable1/1 KiB", 1<<10, map[plan.Entrant]int64{"vault": 149, "floor": 100, "files": 140}),
		sized("durable1/100 B", 100, map[plan.Entrant]int64{"vault": 160, "floor": 100, "files": 170})...)
	want := map[string]string{
		"single operations in at most 1.5 times the C floor's time": "not met in 1 of 2",
		"faster than plain files for durable puts up to 100 KiB":    "not met in 1 of 2",
		"1 GiB in within 3 times a file's write and fsync":          "not measured",
	}
	for _, v := range Judge(tables) {
		if w, ok := want[v.Aim]; ok && v.String() != w {
			t.Errorf("%s: %s, want %s (%v)", v.Aim, v, w, v.Misses)
		}
		delete(want, v.Aim)
	}
	if len(want) > 0 {
		t.Errorf("no such aims: %v", want)
	}
}

// TestBarsMatchThePlan finds a bar that no case can decide, as after a case was renamed.
func TestBarsMatchThePlan(t *testing.T) {
	scale, err := plan.ScaleOf("default")
	if err != nil {
		t.Fatal(err)
	}
	var all []race.Record
	cases := plan.Cases(scale)
	for _, c := range cases {
		for _, e := range c.Entrants {
			all = append(all, race.Record{Case: c.Name, Entrant: e, Result: contract.Result{ElapsedNS: 100, Ops: 1, PeakBytes: contract.PoolBytes + 1}})
		}
	}
	for _, v := range Judge(Tables(cases, all)) {
		if v.Comparisons == 0 {
			t.Errorf("nothing decides %q", v.Aim)
		}
	}
}

func TestGrowth(t *testing.T) {
	var tables []Table
	for name, ns := range map[string]int64{"growth/get at 10,000": 100, "growth/get at 100,000": 150, "growth/get at 1,000,000": 250} {
		tables = append(tables, sized(name, 100, map[plan.Entrant]int64{"vault": ns})...)
	}
	if v := judgeGrowth(tables); v.Comparisons != 3 || v.Met != 2 || len(v.Misses) != 1 || !strings.Contains(v.Misses[0], "1,000,000 2.5") {
		t.Errorf("got %+v", v)
	}
}

func TestDuration(t *testing.T) {
	for ns, want := range map[float64]string{5: "5 ns", 1234: "1.23 us", 5.6e6: "5.6 ms", 2e9: "2 s"} {
		if got := Duration(ns); got != want {
			t.Errorf("Duration(%v) = %q, want %q", ns, got, want)
		}
	}
}

func TestPublish(t *testing.T) {
	docs := t.TempDir()
	path := filepath.Join(docs, Page)
	if err := Publish(docs, Machine{}, "smoke", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no page: %v", err)
	}
	page := "intro\n"
	for _, name := range []string{"machine", "bars", "figures"} {
		page += "<!-- generated: " + name + " -->\nold\n<!-- end of " + name + " -->\nbetween\n"
	}
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	var tables []Table
	for name, size := range map[string]int64{"put/100 B": 100, "put/1 KiB": 1 << 10, "put/10 KiB": 10 << 10} {
		tables = append(tables, sized(name, size, map[plan.Entrant]int64{"vault": 100 + size, "floor": 100})...)
	}
	for range 2 { // the second time replaces the first
		if err := Publish(docs, Machine{CPU: "some processor", Cores: 2}, "smoke", tables); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for text, times := range map[string]int{"intro": 1, "between": 3, "old": 0, "some processor": 1, "### Some puts": 1, "put/10 KiB:": 1,
		"![Some puts](performance/some-puts.svg)": 1} {
		if n := bytes.Count(got, []byte(text)); n != times {
			t.Errorf("%q stands there %d times, want %d", text, n, times)
		}
	}
	checkXML(t, filepath.Join(docs, "performance", "some-puts.svg"))
	if err := os.WriteFile(path, []byte("no marks"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Publish(docs, Machine{}, "smoke", tables); err == nil || !strings.Contains(err.Error(), "no part") {
		t.Errorf("no marks: %v", err)
	}
}

func checkXML(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for dec := xml.NewDecoder(f); ; {
		if _, err := dec.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestTextAndJSON(t *testing.T) {
	tables := sized("put/100 B", 100, map[plan.Entrant]int64{"vault": 100, "floor": 50})
	var text, js bytes.Buffer
	if err := errors.Join(Text(&text, tables), JSON(&js, ThisMachine(t.TempDir()), plan.Scale{Name: "smoke"}, tables)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "put/100 B") || !strings.Contains(text.String(), "0.5") {
		t.Errorf("text: %s", &text)
	}
	if !strings.Contains(js.String(), `"entrant": "floor"`) || !strings.Contains(js.String(), `"aim"`) {
		t.Errorf("JSON: %s", &js)
	}
	if math.Abs(tables[0].Rows[0].BytesPerSecond.Median-5.5e9) > 1 {
		t.Errorf("%v bytes a second", tables[0].Rows[0].BytesPerSecond)
	}
}
