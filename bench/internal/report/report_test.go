package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
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

// records are two rounds, in the second of which everything took ten times as long: ratios must not
// see that.
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
	text := aimsText(Judge(tables)) + missesText(Judge(tables))
	for _, want := range []string{
		"| single operations in at most 1.5 times the C floor's time | 1.5 | **missed** in 1 of 2 | **missed** in 1 of 2 | durable1/100 B floor 1.6 / 1.6 |",
		"| faster than plain files for durable puts up to 100 KiB | 1 | **missed** in 1 of 2 | **missed** in 1 of 2 | durable1/1 KiB files 1.06 / 1.06 |",
		"## Single operations in at most 1.5 times the C floor's time\n\nThe ratio is to be at most 1.5.\n",
		"| durable1/100 B floor | 1.6 | 1.6 |\n",
		"| 1 GiB in within 3 times a file's write and fsync | 3 | not measured | not measured |  |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	verdicts := Judge(sized("durable1/100 B", 100, map[plan.Entrant]int64{"vault": 100, "floor": 100}))
	if misses := missesText(verdicts); !strings.Contains(misses, "the worst first.\n\nNone.") {
		t.Errorf("misses where there are none:\n%s", misses)
	}
	met := aimsText(verdicts)
	if want := "| met in all 1 | met in all 1 | durable1/100 B floor 1 / 1 |"; !strings.Contains(met, want) {
		t.Errorf("no %q in:\n%s", want, met)
	}
	verdicts = Judge(sized("put/100 KiB", 100<<10, map[plan.Entrant]int64{"vault": 300, "files": 100}))
	memory := aimsText(verdicts)
	if want := "| peak memory below every peer's from 100 KiB up | 1 | **missed** in 1 of 1 |  | put/100 KiB files 3 |"; !strings.Contains(memory, want) {
		t.Errorf("no %q in:\n%s", want, memory)
	}
}

// TestJudgeBothWays has a program that waits a lot: its clock is slow and its processor is not.
func TestJudgeBothWays(t *testing.T) {
	c := plan.Case{Name: "get/1 KiB", Entrants: []plan.Entrant{"vault", "vault:append", "floor:bare"}}
	var list []race.Record
	for round := range 3 {
		for e, cpu := range map[plan.Entrant]int64{"vault": 300, "vault:append": 80, "floor:bare": 100} {
			list = append(list, race.Record{Case: c.Name, Entrant: e, Round: round, Result: contract.Result{ElapsedNS: 1000, UserNS: cpu, Ops: 1}})
		}
	}
	for _, v := range Judge(Tables([]plan.Case{c}, list)) {
		if strings.Contains(v.Aim, "into memory that the caller has") {
			if clock, cpu := v.Met(); clock != 1 || cpu != 1 || v.Comparisons[0] != (Comparison{"get/1 KiB floor:bare", 1, 0.8}) {
				t.Errorf("%+v", v)
			}
		}
		if strings.HasPrefix(v.Aim, "point reads") {
			if clock, cpu := v.Met(); clock != 1 || cpu != 0 || len(v.Misses()) != 1 {
				t.Errorf("%+v", v)
			}
		}
	}
}

func TestRunText(t *testing.T) {
	cases := []plan.Case{{Name: "a", Entrants: []plan.Entrant{"vault", "floor", "parquet"}}, {Name: "b", Entrants: []plan.Entrant{"vault", "absent"}},
		{Name: "c", Entrants: []plan.Entrant{"vault"}}}
	list := append(records("a", map[plan.Entrant]int64{"vault": 1, "floor": 1}), race.Record{Case: "b", Entrant: "vault", TookNS: 6e10,
		Result: contract.Result{Ops: 1, ElapsedNS: 1}}, race.Record{Case: "a", Entrant: "parquet", Result: contract.Result{Unsupported: "wings: not offered by this contender"}})
	text := runText(Run{Machine: Machine{Cores: 2}, Scale: plan.Scale{Name: "s", Rounds: 2, MinRounds: 2}, Cases: cases}, Tables(cases, list))
	for _, want := range []string{"Scale `s`: 2 of 3 cases, in 1 minutes altogether, on 2 cores. A case has 2 rounds if the time suffices, which it did for 1",
		"Cut to 1 of at least 2 rounds, because the time was up: b.", "Not measured: c.", "Measured without some contenders: b (absent).",
		"`parquet` does not take part for want of wings: a."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}

func TestRoundsBegunAgainCountOnce(t *testing.T) {
	cases := []plan.Case{{Name: "a", Entrants: []plan.Entrant{"vault"}}}
	rec := race.Record{Case: "a", Entrant: "vault", Result: contract.Result{Ops: 1, ElapsedNS: 1}}
	if tables := Tables(cases, []race.Record{rec, rec}); tables[0].Rows[0].Rounds != 1 {
		t.Errorf("%d rounds", tables[0].Rows[0].Rounds)
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
		if len(v.Comparisons) == 0 {
			t.Errorf("nothing decides %q", v.Aim)
		}
	}
}

func TestGrowth(t *testing.T) {
	var tables []Table
	for name, ns := range map[string]int64{"growth/get at 10,000": 100, "growth/get at 100,000": 150, "growth/get at 1,000,000": 250} {
		tables = append(tables, sized(name, 100, map[plan.Entrant]int64{"vault": ns})...)
	}
	v := judgeGrowth(tables)
	if figure, cpu := v.Met(); len(v.Comparisons) != 3 || figure != 2 || cpu != 2 {
		t.Errorf("got %+v", v)
	}
	if misses := v.Misses(); len(misses) != 1 || misses[0] != (Comparison{"growth/get at 1,000,000", 2.5, 2.5}) {
		t.Errorf("missed %+v", misses)
	}
}

func TestDuration(t *testing.T) {
	for ns, want := range map[float64]string{5: "5 ns", 1234: "1.23 us", 5.6e6: "5.6 ms", 2e9: "2 s"} {
		if got := Duration(ns); got != want {
			t.Errorf("Duration(%v) = %q, want %q", ns, got, want)
		}
	}
}

// parts is a page with generated parts of these names.
func parts(names ...string) string {
	page := "intro\n"
	for _, name := range names {
		page += "<!-- generated: " + name + " -->\nold\n<!-- end of " + name + " -->\nbetween\n"
	}
	return page
}

func TestPublish(t *testing.T) {
	docs := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(docs, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := Publish(docs, Run{}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no page: %v", err)
	}
	write("performance.md", parts("aims"))
	if err := Publish(docs, Run{}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no index: %v", err)
	}
	write("performance/README.md", parts("run", "machine", "pages"))
	run, tables := published()
	for range 2 { // the second time replaces the first
		if err := Publish(docs, run, tables); err != nil {
			t.Fatal(err)
		}
	}
	for name, texts := range map[string]map[string]int{
		"performance.md":        {"intro": 1, "between": 1, "old": 0, "| aim |": 1},
		"performance/README.md": {"intro": 1, "between": 3, "old": 0, "some processor": 1, "- [Some puts](some-puts.md)\n": 1},
		"performance/misses.md": {"# All misses": 1},
		"performance/some-puts.md": {"# Some puts\n": 1, "![Some puts](some-puts.svg)": 1, "## put/10 KiB\n\nValues of 10,240 bytes.\n": 1,
			"go run . -workload '^(put/100 B|put/1 KiB|put/10 KiB)$'\n": 1},
		"performance/some-streams.md": {"![Some streams](some-streams.svg)": 1},
	} {
		got, err := os.ReadFile(filepath.Join(docs, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		for text, times := range texts {
			if n := bytes.Count(got, []byte(text)); n != times {
				t.Errorf("%s has %q %d times, want %d:\n%s", name, text, n, times, got)
			}
		}
	}
	checkXML(t, filepath.Join(docs, "performance", "some-puts.svg"))
	checkXML(t, filepath.Join(docs, "performance", "some-streams.svg"))
	write("performance.md", "no marks")
	if err := Publish(docs, run, tables); err == nil || !strings.Contains(err.Error(), "no part") {
		t.Errorf("no marks: %v", err)
	}
}

// published is a run with two groups, each of which has a chart.
func published() (Run, []Table) {
	var tables []Table
	for _, size := range []int64{100, 1 << 10, 10 << 10} {
		tables = append(tables, sized("put/"+plan.Size(size), size, map[plan.Entrant]int64{"vault": 100 + size, "floor": 100})...)
	}
	stream := plan.Case{Name: "streamin/file", Group: "Some streams", Entrants: []plan.Entrant{"vault", "files", "memory"}}
	stream.Size, stream.Workload = 1<<20, "streamin"
	tables = append(tables, Tables([]plan.Case{stream}, records("streamin/file", map[plan.Entrant]int64{"vault": 3, "files": 2, "memory": 1}))...)
	return Run{Machine: Machine{CPU: "some processor", Cores: 2}, Scale: plan.Scale{Name: "smoke"}}, tables
}

// The pages of this repository have the parts that Publish replaces, and a page for each group of
// the default scale and no other.
func TestPublishedPages(t *testing.T) {
	docs := filepath.Join("..", "..", "..", "docs")
	if _, err := replaceParts(filepath.Join(docs, Page), map[string]string{"aims": ""}); err != nil {
		t.Error(err)
	}
	if _, err := replaceParts(filepath.Join(docs, Folder, "README.md"), map[string]string{"run": "", "machine": "", "pages": ""}); err != nil {
		t.Error(err)
	}
	pages, err := filepath.Glob(filepath.Join(docs, Folder, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	var written, want []string
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(string(text), generated) {
			written = append(written, filepath.Base(page))
		}
	}
	scale, err := plan.ScaleOf("default")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range plan.Cases(scale) {
		want = append(want, fileName(c.Group)+".md")
	}
	want = append(want, "misses.md")
	slices.Sort(want)
	if want = slices.Compact(want); !slices.Equal(written, want) {
		t.Errorf("pages %v\nwant %v", written, want)
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
