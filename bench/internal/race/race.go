package race

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kohakuvault/kvault/bench/internal/contract"
	"github.com/kohakuvault/kvault/bench/internal/plan"
)

// Record is one result in its round.
type Record struct {
	Case    string          `json:"case"`
	Entrant plan.Entrant    `json:"entrant"`
	Round   int             `json:"round"`
	Result  contract.Result `json:"result"`
	// TookNS is how long the run kept the machine, with opening, warming and comparing. FillNS is
	// what filling its store took before, if it was.
	TookNS int64 `json:"took_ns"`
	FillNS int64 `json:"fill_ns,omitempty"`
}

// Race is a run of several cases.
type Race struct {
	Programs *Programs
	// Dir is a folder for the stores; Tree, the one that is imported.
	Dir, Tree string
	Scale     plan.Scale
	// Done are the records of an earlier run that this one goes on from, and Save keeps a new one.
	Done []Record
	Save func(Record) error
	// Progress is told what is going on.
	Progress func(format string, args ...any)
	// CPUProfile is a folder for CPU profiles of the vault.
	CPUProfile string

	data *contract.Data
	pool string
	// sums are the checksums of cases, and refused is what entrants cannot do.
	sums    map[string]contract.Checksum
	refused map[string]contract.Result
}

// Run runs the cases within the scale's time; each of them once, even if that takes longer. The
// first entrant that fails ends it.
func (r *Race) Run(ctx context.Context, cases []plan.Case) error {
	deadline := time.Now().Add(time.Duration(r.Scale.Minutes * float64(time.Minute)))
	r.sums, r.refused = map[string]contract.Checksum{}, map[string]contract.Result{}
	r.pool = filepath.Join(r.Dir, "pool")
	if err := contract.WritePool(r.pool, plan.Seed); err != nil {
		return err
	}
	var err error
	if r.data, err = contract.LoadData(r.pool, plan.Seed); err != nil {
		return err
	}
	if err := r.build(ctx, cases); err != nil {
		return err
	}
	all := standings(cases, r.Done)
	for {
		s := next(all, r.Scale, time.Until(deadline))
		if s == nil {
			return nil
		}
		began, round := time.Now(), s.due()
		took, err := r.round(ctx, &s.Case, round)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		s.finish(round, took)
		r.Progress("%s: round %d took %.1f s; %.1f minutes are left", s.Name, round+1, time.Since(began).Seconds(), time.Until(deadline).Minutes())
	}
}

// build builds all contenders before the first measurement.
func (r *Race) build(ctx context.Context, cases []plan.Case) error {
	for _, c := range cases {
		for _, e := range c.Entrants {
			if _, known := r.Programs.commands[e.Program()]; !known {
				r.Progress("building %s", e.Program())
			}
			if _, err := r.Programs.Command(ctx, e.Program()); err != nil {
				return err
			}
		}
	}
	return nil
}

// round lets each entrant run once, in random order, and returns how long that took, filling stores
// not included.
func (r *Race) round(ctx context.Context, c *plan.Case, round int) (took time.Duration, err error) {
	want, err := r.expect(c)
	if err != nil {
		return 0, err
	}
	for _, i := range rand.Perm(len(c.Entrants)) {
		rec := Record{Case: c.Name, Entrant: c.Entrants[i], Round: round}
		if err := r.one(ctx, c, &rec); err != nil {
			return took, fmt.Errorf("%s: %w", rec.Entrant, err)
		}
		if rec.Result.Unsupported == "" && rec.Result.Checksum != want {
			return took, fmt.Errorf("%s read something else: checksum %016x, want %016x", rec.Entrant, uint64(rec.Result.Checksum), uint64(want))
		}
		if err := r.Save(rec); err != nil {
			return took, err
		}
		took += time.Duration(rec.TookNS)
	}
	return took, nil
}

// expect is what every entrant must have read.
func (r *Race) expect(c *plan.Case) (contract.Checksum, error) {
	if c.Source == plan.Tree {
		c.Path = r.Tree
	}
	if sum, ok := r.sums[c.Name]; ok {
		return sum, nil
	}
	sum, err := c.Expect(r.data)
	if err == nil {
		r.sums[c.Name] = sum
	}
	return sum, err
}

// one is one entrant's run on a store of its own, which stays for the next round if it was filled.
// What a contender cannot do it is asked once.
func (r *Race) one(ctx context.Context, c *plan.Case, rec *Record) error {
	command, err := r.Programs.Command(ctx, rec.Entrant.Program())
	if err != nil {
		return err
	}
	asked := c.Name + " " + string(rec.Entrant)
	if res, ok := r.refused[asked]; ok {
		rec.Result = res
		return nil
	}
	p, began := c.Params, time.Now()
	p.Via, p.Dir, p.Pool = rec.Entrant.Via(), r.folder(c, rec.Entrant), r.pool
	if c.Filled {
		res, filled, err := r.fill(ctx, command, p)
		if err != nil {
			return fmt.Errorf("filling: %w", err)
		}
		if filled {
			rec.FillNS = time.Since(began).Nanoseconds()
		}
		if rec.Result = res; res.Unsupported != "" {
			r.refused[asked] = res
			return nil
		}
	}
	began = time.Now()
	if rec.Result, err = r.run(ctx, c, command, p); err != nil {
		return err
	}
	if rec.Result.Unsupported != "" {
		r.refused[asked] = rec.Result
	}
	rec.TookNS = time.Since(began).Nanoseconds()
	return nil
}

// run is the measurement on the store in its folder.
func (r *Race) run(ctx context.Context, c *plan.Case, command []string, p contract.Params) (res contract.Result, err error) {
	switch {
	case c.Cold:
		// Read first: a virtual machine may have given memory that nobody used back to its host,
		// and whoever needs it next waits for the host. What was read and dropped just now is there
		// for the taking, for every contender alike.
		if err = heat(p.Dir); err == nil {
			err = cool(p.Dir)
		}
	case c.Filled:
		err = heat(p.Dir)
	default:
		err = os.MkdirAll(p.Dir, 0o700)
	}
	if err != nil {
		return res, err
	}
	if r.CPUProfile != "" && filepath.Base(command[0]) == "vault" {
		name := strings.NewReplacer("/", "-", " ", "", ",", "").Replace(c.Name + "-vault")
		if p.Via != "" {
			name += "-" + p.Via
		}
		p.CPUProfile = filepath.Join(r.CPUProfile, name+".pprof")
	}
	if res, err = r.feed(ctx, c, command, p); err != nil {
		return res, err
	}
	if res.DiskBytes, err = diskBytes(p.Dir); err != nil || c.Filled {
		return res, err
	}
	return res, os.RemoveAll(p.Dir)
}

// feed runs the contender with the file or the pipe that the case needs.
func (r *Race) feed(ctx context.Context, c *plan.Case, command []string, p contract.Params) (contract.Result, error) {
	switch c.Source {
	case plan.File:
		p.Path = filepath.Join(r.Dir, "stream-"+strconv.FormatInt(c.Size, 10))
		if info, err := os.Stat(p.Path); err != nil || info.Size() != c.Size {
			if err := writeStream(p.Path, r.data, c.Size); err != nil {
				return contract.Result{}, err
			}
		}
	case plan.Pipe:
		p.Path = filepath.Join(r.Dir, "pipe")
		other, err := newPipe(p.Path, r.data, c.Size, c.Workload == "streamin")
		if err != nil {
			return contract.Result{}, err
		}
		res, err := start(ctx, command, p)
		return res, errors.Join(err, other.finish(err))
	}
	return start(ctx, command, p)
}
