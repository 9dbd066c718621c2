// Package contract is what the harness and every contender agree on: the parameters of one
// measurement, the data that it works on, and the result that comes back. Contenders in C and
// Python follow the same contract; README.md has it in words.
package contract

import (
	"flag"
	"fmt"
	"strconv"
)

// Params are one measurement, or one preparation of a measurement. A contender gets them as
// command-line flags.
type Params struct {
	// Workload is what to do: see README.md.
	Workload string
	// Via chooses among the contender's interfaces or settings; empty is the only one.
	Via string
	// Fill prepares the store for the workload instead of running it.
	Fill bool
	// Dir is the folder of the store. Pool is the file that all bytes come from.
	Dir, Pool string
	// Seed picks keys and their order.
	Seed uint64
	// Warm is how many operations precede the measured section.
	Warm int64
	// Keys is how many keys or elements the store holds, or is to hold. Ops is how many operations
	// to do.
	Keys, Ops int64
	// Size of a value in bytes; Batch, how many operations make one transaction; Workers, how many
	// write or read at once. Both are 1 if they are not given.
	Size, Batch int64
	Workers     int
	// Ordered fills the store in the order of the keys.
	Ordered bool
	// Full makes each commit survive a power cut.
	Full bool
	// Path is a file, named pipe or folder outside the store that the workload reads or writes.
	Path string
	// CPUProfile is where to write a CPU profile of the measured section; Go contenders only.
	CPUProfile string
}

func (p *Params) flags() *flag.FlagSet {
	f := flag.NewFlagSet("contender", flag.ContinueOnError)
	f.StringVar(&p.Workload, "workload", "", "")
	f.StringVar(&p.Via, "via", "", "")
	f.BoolFunc("fill", "", func(s string) (err error) { p.Fill, err = strconv.ParseBool(s); return err })
	f.StringVar(&p.Dir, "dir", "", "")
	f.StringVar(&p.Pool, "pool", "", "")
	f.Uint64Var(&p.Seed, "seed", 0, "")
	f.Int64Var(&p.Keys, "keys", 0, "")
	f.Int64Var(&p.Warm, "warm", 0, "")
	f.Int64Var(&p.Ops, "ops", 0, "")
	f.Int64Var(&p.Size, "size", 0, "")
	f.Int64Var(&p.Batch, "batch", 0, "")
	f.IntVar(&p.Workers, "workers", 0, "")
	f.BoolFunc("full", "", func(s string) (err error) { p.Full, err = strconv.ParseBool(s); return err })
	f.BoolFunc("ordered", "", func(s string) (err error) { p.Ordered, err = strconv.ParseBool(s); return err })
	f.StringVar(&p.Path, "path", "", "")
	f.StringVar(&p.CPUProfile, "cpuprofile", "", "")
	return f
}

// Parse reads the flags that Args made.
func Parse(args []string) (Params, error) {
	var p Params
	f := p.flags()
	if err := f.Parse(args); err != nil {
		return p, err
	}
	if f.NArg() > 0 {
		return p, fmt.Errorf("%q is no flag", f.Arg(0))
	}
	if p.Workload == "" || p.Dir == "" || p.Pool == "" {
		return p, fmt.Errorf("-workload, -dir and -pool are needed")
	}
	return p, nil
}

// Args is p as a command line: each flag is followed by its value, or by =true, and absent if it is
// zero.
func (p Params) Args() []string {
	var args []string
	add := func(name, value string) {
		if value != "" && value != "0" {
			args = append(args, "-"+name, value)
		}
	}
	add("workload", p.Workload)
	add("via", p.Via)
	add("dir", p.Dir)
	add("pool", p.Pool)
	add("seed", strconv.FormatUint(p.Seed, 10))
	add("keys", strconv.FormatInt(p.Keys, 10))
	add("warm", strconv.FormatInt(p.Warm, 10))
	add("ops", strconv.FormatInt(p.Ops, 10))
	add("size", strconv.FormatInt(p.Size, 10))
	add("batch", strconv.FormatInt(p.Batch, 10))
	add("workers", strconv.Itoa(p.Workers))
	add("path", p.Path)
	add("cpuprofile", p.CPUProfile)
	if p.Fill {
		args = append(args, "-fill=true")
	}
	if p.Ordered {
		args = append(args, "-ordered=true")
	}
	if p.Full {
		args = append(args, "-full=true")
	}
	return args
}
