package race

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
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
}

// Run runs the cases in order. The first entrant that fails ends it.
func (r *Race) Run(ctx context.Context, cases []plan.Case) error {
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
	total, start := 0.0, time.Now()
	for _, c := range cases {
		total += c.Weight
	}
	budget := time.Duration(r.Scale.Minutes * float64(time.Minute))
	for i, c := range cases {
		share := max(time.Duration(float64(budget-time.Since(start))*c.Weight/total), 0)
		total -= c.Weight
		began := time.Now()
		if err := r.runCase(ctx, c, share); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		r.Progress("%3d/%d %s: %.1f s", i+1, len(cases), c.Name, time.Since(began).Seconds())
	}
	return nil
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

// rounds are the numbers of those that all entrants have finished in an earlier run.
func (r *Race) rounds(c *plan.Case) map[int]bool {
	count := map[int]int{}
	for _, rec := range r.Done {
		if rec.Case == c.Name {
			count[rec.Round]++
		}
	}
	done := map[int]bool{}
	for round, n := range count {
		done[round] = n >= len(c.Entrants)
	}
	return done
}

// enough says whether no further round is due: share is how long the case may take.
func (r *Race) enough(round int, began time.Time, share time.Duration) bool {
	took := time.Since(began)
	return round >= r.Scale.MinRounds && took > share || round >= 1 && took > 3*share
}

func (r *Race) runCase(ctx context.Context, c plan.Case, share time.Duration) (err error) {
	began, done := time.Now(), r.rounds(&c)
	dir, err := os.MkdirTemp(r.Dir, "case")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if c.Source == plan.Tree {
		c.Path = r.Tree
	}
	var want *contract.Checksum
	for round := range r.Scale.Rounds {
		if done[round] {
			continue
		}
		if r.enough(round, began, share) {
			break
		}
		if want == nil {
			sum, err := c.Expect(r.data)
			if err != nil {
				return err
			}
			want = &sum
		}
		if err := r.round(ctx, c, dir, round, *want); err != nil {
			return err
		}
	}
	return nil
}

// round lets each entrant run once, in random order.
func (r *Race) round(ctx context.Context, c plan.Case, dir string, round int, want contract.Checksum) error {
	for _, i := range rand.Perm(len(c.Entrants)) {
		e := c.Entrants[i]
		res, err := r.one(ctx, c, e, filepath.Join(dir, strings.ReplaceAll(string(e), ":", "-")))
		if err != nil {
			return fmt.Errorf("%s: %w", e, err)
		}
		if res.Unsupported == "" && res.Checksum != want {
			return fmt.Errorf("%s read something else: checksum %016x, want %016x", e, uint64(res.Checksum), uint64(want))
		}
		if err := r.Save(Record{Case: c.Name, Entrant: e, Round: round, Result: res}); err != nil {
			return err
		}
	}
	return nil
}

// one is one entrant's run on a store of its own, which stays for the next round if it was filled.
func (r *Race) one(ctx context.Context, c plan.Case, e plan.Entrant, dir string) (res contract.Result, err error) {
	command, err := r.Programs.Command(ctx, e.Program())
	if err != nil {
		return res, err
	}
	p := c.Params
	p.Via, p.Dir, p.Pool = e.Via(), dir, r.pool
	if _, err := os.Stat(dir); err != nil {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return res, err
		}
		if c.Filled {
			fill := p
			fill.Fill, fill.Full, fill.Path = true, false, ""
			if res, err = start(ctx, command, fill); err != nil || res.Unsupported != "" {
				return res, err
			}
		}
	}
	if c.Cold {
		if err := cool(dir); err != nil {
			return res, err
		}
	}
	if r.CPUProfile != "" && e.Program() == "vault" {
		name := strings.NewReplacer("/", "-", " ", "", ",", "").Replace(c.Name+"-"+string(e)) + ".pprof"
		p.CPUProfile = filepath.Join(r.CPUProfile, strings.ReplaceAll(name, ":", "-"))
	}
	if res, err = r.feed(ctx, c, command, p); err != nil {
		return res, err
	}
	if res.DiskBytes, err = diskBytes(dir); err != nil || c.Filled {
		return res, err
	}
	return res, os.RemoveAll(dir)
}

// feed runs the contender with the file or the pipe that the case needs.
func (r *Race) feed(ctx context.Context, c plan.Case, command []string, p contract.Params) (contract.Result, error) {
	switch c.Source {
	case plan.File:
		p.Path = filepath.Join(r.Dir, "stream")
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
