package plan

import (
	"fmt"
	"slices"

	"github.com/kohakuvault/kvault/bench/internal/contract"
)

var sizes = []int64{100, 1 << 10, 10 << 10, 100 << 10, 1 << 20}

// What users would pick instead, for keys and values. Those in Python have no class that syncs each
// commit.
var (
	peers    = []Entrant{"files", "bbolt", "badger", "badger:vlog", "pebble", "mattn", "modernc"}
	everyone = with(peers, "kohakuvault-0.8.6", "kohakuvault-0.2.2", "diskcache")
)

func with(own []Entrant, more ...Entrant) []Entrant { return append(own[:len(own):len(own)], more...) }

func without(list []Entrant, names ...Entrant) []Entrant {
	return slices.DeleteFunc(slices.Clone(list), func(e Entrant) bool { return slices.Contains(names, e) })
}

// batchOf is how many values of a size make a batch.
func batchOf(size int64) int64 { return max(min(100, 16<<20/size), 1) }

func puts(s Scale) []Case {
	var all []Case
	for _, size := range sizes {
		all = append(all, Case{Name: "put/" + Size(size), Group: "Single puts, no sync",
			Params: contract.Params{Workload: "put", Ops: s.ops(size, s.Ops), Size: size},
			Entrants: with([]Entrant{"vault", "vault:cached", "vault:update", "vault:stream", "floor", "floor:bare"},
				with(everyone, "kohakuvault-0.8.6:cached", "kohakuvault-0.2.2:cached")...)})
	}
	for _, size := range sizes {
		all = append(all, Case{Name: "putbatch/" + Size(size), Group: "Batched puts, no sync",
			Params: contract.Params{Workload: "put", Ops: s.ops(size, 5*s.Ops), Size: size, Batch: batchOf(size)},
			Entrants: with([]Entrant{"vault", "vault:update", "vault:cached", "floor", "floor:bare"},
				without(everyone, "files", "badger:vlog")...)})
	}
	return all
}

func durable(s Scale) []Case {
	var all []Case
	for _, size := range sizes {
		all = append(all, durableCase(s, size, 1))
	}
	for _, workers := range []int{4, 16} {
		for _, size := range []int64{1 << 10, 10 << 10} {
			all = append(all, durableCase(s, size, workers))
		}
	}
	return all
}

func durableCase(s Scale, size int64, workers int) Case {
	c := Case{Name: fmt.Sprintf("durable%d/%s", workers, Size(size)), Group: "Durable puts, 1 writer",
		Params:   contract.Params{Workload: "put", Ops: s.ops(size, s.Full), Size: size, Workers: workers, Full: true},
		Entrants: with([]Entrant{"vault", "floor", "floor:bare"}, peers...)}
	if workers > 1 {
		c.Group = fmt.Sprintf("Durable puts, %d writers", workers)
		c.Ops *= 2
	}
	return c
}

// stored is how many values of a size a filled store holds.
func (s Scale) stored(size int64) int64 { return max(min(s.Keys, s.StoreBytes/size), 16) }

func gets(s Scale) []Case {
	var all []Case
	for _, cold := range []bool{false, true} {
		for _, size := range sizes {
			c := Case{Name: "get/" + Size(size), Group: "Single gets, warm", Filled: true,
				Params:   contract.Params{Workload: "get", Keys: s.stored(size), Ops: s.ops(size, 5*s.Ops), Size: size},
				Entrants: with([]Entrant{"vault", "vault:append", "floor", "floor:bare"}, everyone...)}
			if !cold && size <= 10<<10 {
				c.Entrants = with(c.Entrants, "vault:touched")
			}
			if cold {
				c.Name, c.Group, c.Cold = "coldget/"+Size(size), "Single gets, cold", true
				c.Ops = min(c.Ops, c.Keys/4)
			} else {
				c.Warm = c.Ops / 2
			}
			all = append(all, c)
		}
	}
	for _, size := range sizes {
		all = append(all, Case{Name: "getbatch/" + Size(size), Group: "Gets in a transaction, warm", Filled: true,
			Params: contract.Params{Workload: "get", Keys: s.stored(size), Ops: s.ops(size, 5*s.Ops), Size: size,
				Batch: batchOf(size), Warm: s.ops(size, s.Ops)},
			Entrants: with([]Entrant{"vault", "vault:getmany", "floor", "floor:bare"}, without(peers, "files", "badger:vlog")...)})
	}
	return all
}

func listings(s Scale) []Case {
	p := contract.Params{Workload: "list", Keys: s.Listed, Size: 100}
	who := with([]Entrant{"vault", "floor"}, without(everyone, "badger:vlog")...)
	return []Case{
		{Name: "list/warm", Group: "All keys in order", Params: p, Entrants: with(who, "vault:touched"), Filled: true},
		{Name: "list/cold", Group: "All keys in order", Params: p, Entrants: who, Filled: true, Cold: true},
	}
}

func mixed(s Scale) []Case {
	return []Case{{Name: "mixed/1 KiB", Group: "90/10 with 8 goroutines", Filled: true,
		Params:   contract.Params{Workload: "mixed", Keys: s.Keys, Ops: 5 * s.Ops, Size: 1 << 10, Workers: 8},
		Entrants: with([]Entrant{"vault", "vault:cached", "floor"}, without(everyone, "badger:vlog")...)}}
}

func trees(Scale) []Case {
	return []Case{{Name: "tree", Group: "Import of Go's source", Source: Tree,
		Params:   contract.Params{Workload: "tree", Batch: 1000},
		Entrants: with([]Entrant{"vault", "vault:cached", "floor"}, without(everyone, "badger:vlog", "kohakuvault-0.2.2")...)}}
}
