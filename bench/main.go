// Command bench races the vault against what its users would pick instead. README.md describes it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/kohakuvault/kvault/bench/internal/plan"
	"github.com/kohakuvault/kvault/bench/internal/race"
	"github.com/kohakuvault/kvault/bench/internal/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// noLimit is more minutes than anybody waits.
const noLimit = 1e6

// settings are the command's flags.
type settings struct {
	scale                          plan.Scale
	workload                       *regexp.Regexp
	compare                        []plan.Entrant
	dir, tree, results, json, docs string
	profile, before                string
	list, report                   bool
}

func parse(args []string) (settings, error) {
	var s settings
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	scale := f.String("scale", "default", "how much is measured: smoke, default or full")
	smoke := f.Bool("smoke", false, "short for -scale smoke")
	workload := f.String("workload", "", "measure only the cases whose name matches this regular expression")
	compare := f.String("compare", "", "measure only these, as A,B with interfaces as in vault:cached; ratios are to the first")
	rounds := f.Int("rounds", 0, "so many rounds exactly, however long they take")
	minutes := f.Float64("minutes", 0, "how long all may take; every case is run once even so (default that of the scale)")
	f.StringVar(&s.dir, "dir", "", "folder for the stores, on the disk to be measured (default a temporary one)")
	f.StringVar(&s.tree, "tree", "", "folder that is imported (default Go's own source)")
	f.StringVar(&s.results, "results", "", "file that keeps every result; what it holds already is not measured again")
	f.StringVar(&s.json, "json", "", "file to write all figures to")
	f.StringVar(&s.docs, "docs", "", "folder whose performance.md, and the pages and charts below it, are to be brought up to date")
	f.StringVar(&s.profile, "cpuprofile", "", "folder for CPU profiles of the vault in each case")
	f.StringVar(&s.before, "before", "", "checkout of an earlier tree, whose vault this one is compared with in place of all others")
	f.BoolVar(&s.report, "report", false, "measure nothing, and report what -results holds")
	f.BoolVar(&s.list, "list", false, "print the cases and who takes part, and measure nothing")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if f.NArg() > 0 {
		return s, fmt.Errorf("%q is no flag", f.Arg(0))
	}
	if *smoke {
		*scale = "smoke"
	}
	var err error
	if s.scale, err = plan.ScaleOf(*scale); err != nil {
		return s, err
	}
	if *rounds > 0 {
		s.scale.Rounds, s.scale.MinRounds, s.scale.Minutes = *rounds, *rounds, noLimit
	}
	if *minutes > 0 {
		s.scale.Minutes = *minutes
	}
	if s.workload, err = regexp.Compile(*workload); err != nil {
		return s, fmt.Errorf("-workload: %w", err)
	}
	for _, e := range strings.FieldsFunc(*compare, func(r rune) bool { return r == ',' }) {
		s.compare = append(s.compare, plan.Entrant(e))
	}
	return s, nil
}

func run(ctx context.Context, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	all := plan.Cases(s.scale)
	if s.before != "" {
		all = plan.Against(all)
	}
	cases := plan.Select(all, s.workload, s.compare)
	if len(cases) == 0 {
		return fmt.Errorf("no case is left: -list shows all")
	}
	if s.list {
		for _, c := range cases {
			fmt.Printf("%-28s %v\n", c.Name, c.Entrants)
		}
		return nil
	}
	if s.report {
		log, err := race.OpenLog(s.results, s.scale)
		if err != nil {
			return err
		}
		return errors.Join(publish(s, os.TempDir(), all, cases, log.Records()), log.Close())
	}
	r, err := newRace(ctx, &s)
	if err != nil {
		return err
	}
	defer os.RemoveAll(r.Dir)
	records, err := measure(ctx, r, s, cases)
	return errors.Join(err, publish(s, r.Dir, all, cases, records))
}

// newRace prepares the folders. The one that it returns is the run's own, and is to be removed.
func newRace(ctx context.Context, s *settings) (*race.Race, error) {
	for _, dir := range []string{s.dir, s.profile} {
		if dir == "" {
			continue
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	r := &race.Race{Tree: s.tree, Scale: s.scale, CPUProfile: s.profile}
	r.Progress = func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	if r.Tree == "" {
		out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
		if err != nil {
			return nil, fmt.Errorf("go env GOROOT: %w", err)
		}
		r.Tree = filepath.Join(strings.TrimSpace(string(out)), "src")
		if s.scale.Name == "smoke" {
			r.Tree = filepath.Join(r.Tree, "encoding")
		}
	}
	var err error
	if r.Dir, err = os.MkdirTemp(s.dir, "kvault-bench-"); err != nil {
		return nil, err
	}
	if r.Programs, err = race.NewPrograms(ctx, filepath.Join(r.Dir, "bin")); err != nil {
		return nil, errors.Join(err, os.RemoveAll(r.Dir))
	}
	r.Programs.Earlier = filepath.Join(s.before, "bench")
	return r, nil
}

// measure runs the cases and keeps what came of them, also of those before one that failed.
func measure(ctx context.Context, r *race.Race, s settings, cases []plan.Case) ([]race.Record, error) {
	log, err := race.OpenLog(s.results, s.scale)
	if err != nil {
		return nil, err
	}
	r.Done, r.Save = log.Records(), log.Add
	err = r.Run(ctx, cases)
	return log.Records(), errors.Join(err, log.Close())
}

func publish(s settings, dir string, all, cases []plan.Case, records []race.Record) error {
	tables := report.Tables(cases, records)
	if err := report.Text(os.Stdout, tables); err != nil {
		return err
	}
	machine := report.ThisMachine(dir)
	if s.docs != "" && s.before != "" {
		if err := report.PublishAgainst(s.docs, report.Run{Machine: machine, Scale: s.scale, Cases: all}, tables); err != nil {
			return err
		}
	} else if s.docs != "" {
		if err := report.Publish(s.docs, report.Run{Machine: machine, Scale: s.scale, Cases: all}, tables); err != nil {
			return err
		}
	}
	if s.json == "" {
		return nil
	}
	f, err := os.Create(s.json)
	if err != nil {
		return err
	}
	return errors.Join(report.JSON(f, machine, s.scale, tables), f.Close())
}
