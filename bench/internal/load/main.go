package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/kohakuvault/kvault/bench/internal/contract"
)

// ErrUnsupported is for what a contender cannot do.
var ErrUnsupported = errors.New("not offered by this contender")

// Main is the main function of a contender: it opens the store as the flags say, runs the workload,
// and prints the result. The module names the contender's library, whose version is printed too.
func Main(module string, open func(contract.Params) (Store, error)) {
	p, err := contract.Parse(os.Args[1:])
	var res contract.Result
	if err == nil {
		res, err = Run(p, open)
	}
	switch {
	case errors.Is(err, ErrUnsupported):
		res = contract.Result{Unsupported: err.Error()}
	case err != nil:
		res = contract.Result{Error: err.Error()}
	}
	res.Version = version(module)
	if err := json.NewEncoder(os.Stdout).Encode(res); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if res.Error != "" {
		os.Exit(1)
	}
}

func version(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == module && m.Replace == nil {
				return m.Version
			}
		}
	}
	return ""
}

// run is one workload under way.
type run struct {
	contract.Params
	*contract.Data
	store Store
	res   contract.Result
	// order is that in which a store is filled, if it is not that of the indexes.
	order []int64
}

var workloads = map[string]func(*run) error{
	"put": (*run).put, "replace": (*run).put, "get": (*run).get, "mixed": (*run).mixed, "list": (*run).list,
	"tree": (*run).tree, "streamin": (*run).streamIn, "streamout": (*run).streamOut, "range": (*run).ranges,
	"extend": (*run).extend, "append": (*run).extend, "scan": (*run).scan, "element": (*run).element,
}

// Run runs one workload, or its preparation.
func Run(p contract.Params, open func(contract.Params) (Store, error)) (contract.Result, error) {
	work, ok := workloads[p.Workload]
	if !ok {
		return contract.Result{}, fmt.Errorf("no workload %q", p.Workload)
	}
	if p.Fill {
		work = (*run).fill
	}
	p.Batch, p.Workers = max(p.Batch, 1), max(p.Workers, 1)
	data, err := contract.LoadData(p.Pool, p.Seed)
	if err != nil {
		return contract.Result{}, err
	}
	store, err := open(p)
	if err != nil {
		return contract.Result{}, err
	}
	r := &run{Params: p, Data: data, store: store}
	err = work(r)
	start := time.Now()
	err = errors.Join(err, store.Close())
	r.res.CloseNS = time.Since(start).Nanoseconds()
	return r.res, err
}

// measure runs fn as the measured section, a flush at its end included.
func (r *run) measure(fn func() error) error {
	section, err := contract.Begin(r.CPUProfile)
	if err != nil {
		return err
	}
	err = fn()
	if f, ok := r.store.(Flusher); ok && err == nil {
		err = f.Flush()
	}
	return errors.Join(err, section.End(&r.res))
}

// fill prepares the store that a workload works on.
func (r *run) fill() error {
	switch r.Workload {
	case "streamout", "range":
		return r.fillStream()
	case "scan", "element":
		return r.fillColumn()
	}
	r.Ops, r.Workers = r.Keys, 1
	if r.Ordered {
		r.order = r.KeyOrder(r.Keys)
	}
	r.Batch = 1
	if _, ok := r.store.(Batcher); ok {
		r.Batch = max(min(1000, 8<<20/max(r.Size, 1)), 1)
	}
	return r.put()
}
