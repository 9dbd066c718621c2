package report

import (
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/kohakuvault/kvault/bench/internal/plan"
)

// Bar is one aim of the project: in the cases whose names match, a figure of one entrant is at most so many times that of others.
type Bar struct {
	Aim   string
	Cases *regexp.Regexp
	// Own is the entrant of the vault, and Others those that it is held against.
	Own    plan.Entrant
	Others *regexp.Regexp
	Limit  float64
	Figure func(Row) float64
}

func elapsed(r Row) float64 { return r.Ratio.Median }
func memory(r Row) float64  { return float64(r.PeakBytes) }

const several = 3

// Bars are the aims, in the order of the document.
var Bars = []Bar{
	bar("single operations in at most 1.5 times the C floor's time", `^(put|durable1|get)/(100 B|1 KiB|10 KiB)$`, "vault", `^floor$`, 1.5),
	bar("values of 16 KiB and more in at most 1.25 times", `^(put|durable1|get)/(100 KiB|1 MiB)$`, "vault", `^floor$`, 1.25),
	bar("streams and scans in at most 1.25 times", `^(streamin|streamout|list|column/extend$|column/scan$)`, "vault", `^floor$`, 1.25),
	bar("point reads no slower than C's own autocommit reads", `^get/`, "vault", `^floor:bare$`, 1),
	bar("the same, into memory that the caller has, as C does", `^get/`, "vault:append", `^floor:bare$`, 1),
	bar("at least as fast as the Python package, in every workload", `.`, "vault", `^kohakuvault-[0-9.]+$`, 1),
	bar("the same through the cache", `^put/`, "vault:cached", `^kohakuvault.*:cached$`, 1),
	bar("several (3) times as fast as it in single puts, streams, listings, columns", `^(put/|streamin|list|column)`, "vault",
		`^kohakuvault-[0-9.]+$`, 1.0/several),
	bar("faster than plain files for durable puts up to 100 KiB", `^durable\d+/(100 B|1 KiB|10 KiB|100 KiB)$`, "vault", `^files$`, 1),
	bar("faster than plain files for reads up to 10 KiB", `^(cold)?get/(100 B|1 KiB|10 KiB)$`, "vault", `^files$`, 1),
	bar("faster than bbolt and Pebble for writes from 10 KiB up", `^(put|putbatch|durable\d+)/(10 KiB|100 KiB|1 MiB)$`, "vault", `^(bbolt|pebble)$`, 1),
	bar("faster than bbolt and Pebble for streams", `^stream`, "vault", `^(bbolt|pebble)$`, 1),
	bar("1 GiB in within 3 times a file's write and fsync", `^streamin/file, durable`, "vault", `^files$`, 3),
	bar("1 GiB out within 1.5 times a file's read", `^streamout/`, "vault", `^files$`, 1.5),
	{Aim: "peak memory below every peer's from 100 KiB up", Cases: regexp.MustCompile(`(100 KiB|1 MiB)$|^stream`), Own: "vault",
		Others: regexp.MustCompile(`^(files|bbolt|badger|badger:vlog|pebble|mattn|modernc|kohakuvault-[0-9.]+|diskcache)$`), Limit: 1, Figure: memory},
}

func bar(aim, cases string, own plan.Entrant, others string, limit float64) Bar {
	return Bar{aim, regexp.MustCompile(cases), own, regexp.MustCompile(others), limit, elapsed}
}

// Verdict says how a bar came out.
type Verdict struct {
	Aim string `json:"aim"`
	// Comparisons is how many there were, and Met in how many the aim was met; Misses names the others.
	Comparisons int      `json:"comparisons"`
	Met         int      `json:"met"`
	Misses      []string `json:"misses,omitempty"`
}

// String is met, not met, or not measured.
func (v Verdict) String() string {
	switch v.Comparisons {
	case 0:
		return "not measured"
	case v.Met:
		return fmt.Sprintf("met in all of %d", v.Comparisons)
	}
	return fmt.Sprintf("not met in %d of %d", v.Comparisons-v.Met, v.Comparisons)
}

// Judge holds the tables against all bars.
func Judge(tables []Table) []Verdict {
	var all []Verdict
	for _, b := range Bars {
		all = append(all, b.judge(tables))
	}
	return append(all, judgeGrowth(tables))
}

func (b Bar) judge(tables []Table) Verdict {
	v := Verdict{Aim: b.Aim}
	for _, t := range tables {
		own, ok := t.row(b.Own)
		if !ok || !b.Cases.MatchString(t.Name) {
			continue
		}
		for _, r := range t.Rows {
			if r.Rounds > 0 && b.Others.MatchString(string(r.Entrant)) {
				v.count(t.Name+" "+string(r.Entrant), b.Figure(own)/b.Figure(r), b.Limit)
			}
		}
	}
	return v
}

func (v *Verdict) count(what string, ratio, limit float64) {
	v.Comparisons++
	if ratio <= limit && !math.IsNaN(ratio) {
		v.Met++
		return
	}
	v.Misses = append(v.Misses, fmt.Sprintf("%s %.3g", what, ratio))
}

func (t Table) row(e plan.Entrant) (Row, bool) {
	for _, r := range t.Rows {
		if r.Entrant == e && r.Rounds > 0 {
			return r, true
		}
	}
	return Row{}, false
}

// judgeGrowth holds the cost of an operation at each number of keys against the least.
func judgeGrowth(tables []Table) Verdict {
	v := Verdict{Aim: "cost of an operation flat within a factor of 2 from 10,000 keys up"}
	least := map[string]float64{}
	each := func(fn func(kind, name string, ns float64)) {
		for _, t := range tables {
			kind, _, ok := strings.Cut(t.Name, " at ")
			if own, there := t.row("vault"); there && ok && strings.HasPrefix(t.Name, "growth/") {
				fn(kind, t.Name, own.NSPerOp.Median)
			}
		}
	}
	each(func(kind, _ string, ns float64) {
		if l, ok := least[kind]; !ok || ns < l {
			least[kind] = ns
		}
	})
	each(func(kind, name string, ns float64) { v.count(name, ns/least[kind], 2) })
	return v
}
