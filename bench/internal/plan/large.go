package plan

import (
	"github.com/dustin/go-humanize"

	"github.com/kohakuvault/kvault/bench/internal/contract"
)

func streams(s Scale) []Case {
	who := []Entrant{"vault", "floor", "files", "memory", "bbolt", "badger", "pebble"}
	inPython := []Entrant{"kohakuvault-0.8.6", "kohakuvault-0.2.2", "diskcache"}
	whoSyncs := without(who, "memory")
	few := without(whoSyncs, "badger")
	in := contract.Params{Workload: "streamin", Size: s.Stream}
	durable := in
	durable.Full = true
	out := contract.Params{Workload: "streamout", Size: s.Stream, Keys: 1}
	fewIn, fewOut := in, out // KohakuVault keeps a value in one row, of at most 1,000,000,000 bytes
	fewIn.Size, fewOut.Size = s.FewStream, s.FewStream
	ranges := contract.Params{Workload: "range", Size: s.Stream, Keys: 1, Ops: s.Ranges, Batch: 4 << 10}
	return []Case{
		{Name: "streamin/file", Group: "1 GiB in", Params: in, Entrants: with(who, inPython...), Source: File},
		{Name: "streamin/pipe", Group: "1 GiB in", Params: in, Entrants: few, Source: Pipe},
		{Name: "streamin/file, durable", Group: "1 GiB in", Params: durable, Entrants: whoSyncs, Source: File},
		{Name: "streamout/memory", Group: "1 GiB out", Params: out, Entrants: with(who, "diskcache"), Filled: true},
		{Name: "streamout/pipe", Group: "1 GiB out", Params: out, Entrants: few, Filled: true, Source: Pipe},
		{Name: "streamout/cold", Group: "1 GiB out", Params: out, Entrants: few, Filled: true, Cold: true},
		{Name: "streamin/few", Group: "Streams beside Python", Params: fewIn, Entrants: with([]Entrant{"vault", "floor"}, inPython...), Source: File},
		{Name: "streamout/few", Group: "Streams beside Python", Params: fewOut, Entrants: with([]Entrant{"vault", "floor"}, inPython...),
			Filled: true},
		{Name: "range/4 KiB", Group: "Range reads", Params: ranges, Entrants: who, Filled: true},
	}
}

func columns(s Scale) []Case {
	who := []Entrant{"vault", "floor", "files", "memory", "parquet"}
	few := []Entrant{"vault", "kohakuvault-0.8.6", "kohakuvault-0.2.2"}
	return []Case{
		{Name: "column/extend", Group: "Columns", Entrants: who,
			Params: contract.Params{Workload: "extend", Ops: s.Elements, Batch: contract.PoolBytes / 8}},
		{Name: "column/append", Group: "Columns", Entrants: with([]Entrant{"vault", "vault:cached", "floor", "files"}, few[1:]...),
			Params: contract.Params{Workload: "append", Ops: s.Appends}},
		{Name: "column/scan", Group: "Columns", Entrants: who, Filled: true,
			Params: contract.Params{Workload: "scan", Keys: s.Elements}},
		{Name: "column/element", Group: "Columns", Entrants: without(who, "memory", "parquet"), Filled: true,
			Params: contract.Params{Workload: "element", Keys: s.Elements, Ops: s.Picks, Warm: s.Picks / 2}},
		{Name: "column/extend, few", Group: "Columns", Entrants: few,
			Params: contract.Params{Workload: "extend", Ops: s.Few, Batch: contract.PoolBytes / 8}},
		{Name: "column/scan, few", Group: "Columns", Entrants: few, Filled: true,
			Params: contract.Params{Workload: "scan", Keys: s.Few}},
		{Name: "column/element, few", Group: "Columns", Entrants: few, Filled: true,
			Params: contract.Params{Workload: "element", Keys: s.Few, Ops: s.FewPicks, Warm: s.FewPicks / 10}},
	}
}

// growth has stores that were loaded in the order of the keys: in another order the largest would
// take too long.
func growth(s Scale) []Case {
	var gets, puts []Case
	for _, keys := range s.Growth {
		who := []Entrant{"vault", "floor", "bbolt", "pebble"}
		if keys > s.GrowthOfAll {
			who = who[:2]
		}
		p := contract.Params{Workload: "get", Keys: keys, Ops: 10 * s.Ops, Warm: 5 * s.Ops, Size: 100, Ordered: true}
		gets = append(gets, Case{Name: "growth/get at " + humanize.Comma(keys), Group: "Growth: gets", Params: p, Entrants: who, Filled: true})
		p.Workload, p.Ops, p.Warm = "replace", 2*s.Ops, 0
		puts = append(puts, Case{Name: "growth/put at " + humanize.Comma(keys), Group: "Growth: puts", Params: p, Entrants: who, Filled: true})
	}
	return append(gets, puts...)
}
