package report

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/kohakuvault/kvault/bench/internal/plan"
)

// Bar is one aim of the project: in the cases whose names match, a figure of one entrant is at most
// so many times that of others.
type Bar struct {
	Aim   string
	Cases *regexp.Regexp
	// Own is the entrant of the vault, and Others those that it is held against.
	Own    plan.Entrant
	Others *regexp.Regexp
	Limit  float64
	// Memory is what is compared instead of time.
	Memory bool
}

const several = 3

// Bars are the aims, in the order of the document.
var Bars = []Bar{
	bar("single operations in at most 1.5 times the C floor's time", `^(put|durable\d+|get|coldget)/(100 B|1 KiB|10 KiB)$`, "vault", `^floor$`, 1.5),
	bar("values of 16 KiB and more in at most 1.25 times", `^(put|putbatch|durable\d+|get|coldget|getbatch)/(100 KiB|1 MiB)$`, "vault", `^floor$`, 1.25),
	bar("streams and scans in at most 1.25 times", `^(streamin|streamout|list|column/extend$|column/scan$)`, "vault", `^floor$`, 1.25),
	bar("point reads no slower than C's own autocommit reads", `^get/`, "vault", `^floor:bare$`, 1),
	bar("the same, into memory that the caller has, as C does", `^get/`, "vault:append", `^floor:bare$`, 1),
	bar("at least as fast as the Python package, in every workload", `.`, "vault", `^kohakuvault-[0-9.]+$`, 1),
	bar("the same through the cache", `^put/`, "vault:cached", `^kohakuvault.*:cached$`, 1),
	bar("several (3) times as fast as it in single puts, streams, listings, columns", `^(put/|stream|list|column)`, "vault",
		`^kohakuvault-[0-9.]+$`, 1.0/several),
	bar("faster than plain files for durable puts up to 100 KiB", `^durable\d+/(100 B|1 KiB|10 KiB|100 KiB)$`, "vault", `^files$`, 1),
	bar("faster than plain files for reads up to 10 KiB", `^(cold)?get/(100 B|1 KiB|10 KiB)$`, "vault", `^files$`, 1),
	bar("faster than bbolt and Pebble for writes from 10 KiB up", `^(put|putbatch|durable\d+)/(10 KiB|100 KiB|1 MiB)$`, "vault", `^(bbolt|pebble)$`, 1),
	bar("faster than bbolt and Pebble for streams", `^stream`, "vault", `^(bbolt|pebble)$`, 1),
	bar("1 GiB in within 3 times a file's write and fsync", `^streamin/file, durable`, "vault", `^files$`, 3),
	bar("1 GiB out within 1.5 times a file's read", `^streamout/`, "vault", `^files$`, 1.5),
	{Aim: "peak memory below every peer's from 100 KiB up", Cases: regexp.MustCompile(`(100 KiB|1 MiB)$|^(stream|range)`), Own: "vault",
		Others: regexp.MustCompile(`^(files|bbolt|badger|badger:vlog|pebble|mattn|modernc|kohakuvault-[0-9.]+|diskcache)$`), Limit: 1, Memory: true},
}

func bar(aim, cases string, own plan.Entrant, others string, limit float64) Bar {
	return Bar{aim, regexp.MustCompile(cases), own, regexp.MustCompile(others), limit, false}
}

// Verdict says how a bar came out.
type Verdict struct {
	Aim         string       `json:"aim"`
	Limit       float64      `json:"limit"`
	Comparisons []Comparison `json:"comparisons"`
}

// Comparison is the vault's figure over another's.
type Comparison struct {
	What string `json:"what"`
	// Figure is of the time by the clock, or of memory. CPU is of the processors' time, and zero
	// for memory.
	Figure float64 `json:"figure"`
	CPU    float64 `json:"cpu,omitempty"`
}

// Met counts the comparisons within the limit, by the clock, or of memory, and by the processors'
// time.
func (v Verdict) Met() (figure, cpu int) {
	for _, c := range v.Comparisons {
		if c.Figure <= v.Limit {
			figure++
		}
		if c.CPU <= v.Limit {
			cpu++
		}
	}
	return figure, cpu
}

// Misses are the comparisons beyond the limit by either, the worst first.
func (v Verdict) Misses() []Comparison {
	var misses []Comparison
	for _, c := range v.Comparisons {
		if c.Figure > v.Limit || c.CPU > v.Limit {
			misses = append(misses, c)
		}
	}
	slices.SortStableFunc(misses, func(a, b Comparison) int { return cmp.Compare(b.Figure, a.Figure) })
	return misses
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
	v := Verdict{Aim: b.Aim, Limit: b.Limit}
	for _, t := range tables {
		own, ok := t.row(b.Own)
		if !ok || !b.Cases.MatchString(t.Name) {
			continue
		}
		for _, r := range t.Rows {
			if r.Rounds > 0 && b.Others.MatchString(string(r.Entrant)) {
				v.Comparisons = append(v.Comparisons, b.compare(t, own, r))
			}
		}
	}
	return v
}

func (b Bar) compare(t Table, own, other Row) Comparison {
	c := Comparison{What: t.Name + " " + string(other.Entrant)}
	if b.Memory {
		c.Figure = float64(own.PeakBytes) / float64(max(other.PeakBytes, 1))
		return c
	}
	clock, cpu := ratios(own.rounds, other.rounds)
	c.Figure, c.CPU = clock.Median, cpu.Median
	return c
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
	v := Verdict{Aim: "cost of an operation flat within a factor of 2 from 10,000 to 10,000,000 keys: over the least", Limit: 2}
	least := map[string]Row{}
	each := func(fn func(kind, name string, own Row)) {
		for _, t := range tables {
			kind, _, ok := strings.Cut(t.Name, " at ")
			if own, there := t.row("vault"); there && ok && strings.HasPrefix(t.Name, "growth/") {
				fn(kind, t.Name, own)
			}
		}
	}
	each(func(kind, _ string, own Row) {
		if l, ok := least[kind]; !ok || own.NSPerOp.Median < l.NSPerOp.Median {
			least[kind] = own
		}
	})
	each(func(kind, name string, own Row) {
		l := least[kind]
		v.Comparisons = append(v.Comparisons, Comparison{name, own.NSPerOp.Median / l.NSPerOp.Median, own.CPUPerOp.Median / max(l.CPUPerOp.Median, 1)})
	})
	return v
}
