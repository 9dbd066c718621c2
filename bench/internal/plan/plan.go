// Package plan says what is measured: the cases, who takes part in each, and what a contender must
// have read.
package plan

import (
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/kohakuvault/kvault/bench/internal/contract"
)

// Entrant is a contender through one of its interfaces, as program or program:via.
type Entrant string

// Program is the name of the contender.
func (e Entrant) Program() string {
	program, _, _ := strings.Cut(string(e), ":")
	return program
}

// Via is the interface or setting.
func (e Entrant) Via() string {
	_, via, _ := strings.Cut(string(e), ":")
	return via
}

// Source is what a case needs at contract.Params.Path.
type Source uint8

// What there can be.
const (
	NoSource Source = iota
	// File is a file with the stream; Pipe, a named pipe that gives or takes it.
	File
	Pipe
	// Tree is the source tree of Go's own standard library, or the folder that was asked for.
	Tree
)

// Case is one measurement that several entrants run in turn.
type Case struct {
	// Name is unique: the group, and what tells it from the others.
	Name, Group string
	contract.Params
	// Entrants take part; the first is the one that the others are compared with.
	Entrants []Entrant
	// Filled cases work on a store that was filled before, once for all rounds.
	Filled bool
	// Cold drops the system's cached pages of the store before each run.
	Cold   bool
	Source Source
}

// Scale is how large everything is.
type Scale struct {
	Name string
	// Ops bounds the operations of a case and OpBytes the bytes that they move.
	Ops, OpBytes int64
	// Full bounds the operations that are synced.
	Full int64
	// Keys bounds the keys of a filled store, and StoreBytes what it holds.
	Keys, StoreBytes int64
	Listed           int64
	// Stream is the length of the streamed value, and FewStream of the one that contenders in
	// Python can take.
	Stream, FewStream int64
	Ranges            int64
	// Elements of a column, and of one that contenders in Python can read in good time.
	Elements, Few int64
	Appends       int64
	// Picks are how many elements are read at random, and FewPicks how many by those in Python.
	Picks, FewPicks int64
	// Growth are the numbers of keys; up to GrowthOfAll all who grow take part, beyond only the
	// vault and the floor.
	Growth      []int64
	GrowthOfAll int64
	// Rounds is how many there are unless the time is up. All cases come up to MinRounds before any
	// goes on, if there is time for that.
	Rounds, MinRounds int
	// Minutes is how long all may take. Every case has one round even so.
	Minutes float64
}

// Scales are those that the command knows by name.
var Scales = []Scale{
	{Name: "smoke", Ops: 40, OpBytes: 4 << 20, Full: 8, Keys: 100, StoreBytes: 4 << 20, Listed: 1000, Stream: 5<<20 + 4321, FewStream: 3<<20 + 7, Ranges: 50,
		Elements: 2<<20 + 777, Few: 5000, Appends: 50, Picks: 50, FewPicks: 20, Growth: []int64{100, 1000}, GrowthOfAll: 100, Rounds: 1, MinRounds: 1, Minutes: 1},
	{Name: "default", Ops: 2000, OpBytes: 32 << 20, Full: 200, Keys: 20_000, StoreBytes: 64 << 20, Listed: 100_000, Stream: 1 << 30, FewStream: 256 << 20, Ranges: 20_000,
		Elements: 100_000_000, Few: 100_000, Appends: 2000, Picks: 10_000, FewPicks: 300, Growth: []int64{10_000, 100_000, 1_000_000, 10_000_000},
		GrowthOfAll: 1_000_000, Rounds: 7, MinRounds: 3, Minutes: 35},
	{Name: "full", Ops: 20_000, OpBytes: 256 << 20, Full: 2000, Keys: 100_000, StoreBytes: 512 << 20, Listed: 100_000, Stream: 1 << 30, FewStream: 256 << 20, Ranges: 50_000,
		Elements: 100_000_000, Few: 1_000_000, Appends: 10_000, Picks: 50_000, FewPicks: 1000, Growth: []int64{10_000, 100_000, 1_000_000, 10_000_000},
		GrowthOfAll: 10_000_000, Rounds: 11, MinRounds: 5, Minutes: 150},
}

// ScaleOf finds a scale.
func ScaleOf(name string) (Scale, error) {
	var names []string
	for _, s := range Scales {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Scale{}, fmt.Errorf("no scale %q: want one of %s", name, strings.Join(names, ", "))
}

// Seed of everything.
const Seed = 20_000

// ops is how many operations of size bytes fit the scale.
func (s Scale) ops(size, most int64) int64 {
	return max(min(most, s.OpBytes/max(size, 1)), min(most, 16))
}

// Cases are all that are measured at this scale.
func Cases(s Scale) []Case {
	var all []Case
	for _, group := range [](func(Scale) []Case){puts, durable, gets, listings, mixed, trees, streams, columns, growth} {
		all = append(all, group(s)...)
	}
	for i := range all {
		all[i].Seed = Seed
	}
	return all
}

// Digest tells plans apart whose cases of the same name differ.
func Digest(s Scale) string {
	h := fnv.New64a()
	for _, c := range Cases(s) {
		fmt.Fprintf(h, "%s %+v %t %t %d\n", c.Name, c.Params, c.Filled, c.Cold, c.Source)
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// Size is a size as people write it.
func Size(n int64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}
