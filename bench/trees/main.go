// Command trees races kvault import and sync against cp, restic and rclone on trees of files. It
// prints a table in Markdown for docs/performance/trees.md. bench/README.md describes it.
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
	"syscall"

	"github.com/dustin/go-humanize"

	"github.com/kohakuvault/kvault/bench/internal/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "trees:", err)
		stop()
		os.Exit(1)
	}
}

type settings struct {
	dir, kvault, docs    string
	rounds, files, large int
}

func parse(args []string) (settings, error) {
	var s settings
	f := flag.NewFlagSet("trees", flag.ContinueOnError)
	f.StringVar(&s.dir, "dir", "", "folder for trees and vaults, on the disk to be measured (default a temporary one)")
	f.StringVar(&s.kvault, "kvault", "", "the command to be measured (default one built from this source)")
	f.StringVar(&s.docs, "docs", "", "page whose figures are to be brought up to date")
	f.IntVar(&s.rounds, "rounds", 5, "rounds of each case")
	f.IntVar(&s.files, "files", 100_000, "how many small files the first tree has")
	f.IntVar(&s.large, "large", 4096, "how many files of 1 MiB the second tree has")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	switch {
	case f.NArg() > 0:
		return s, fmt.Errorf("%q is no flag", f.Arg(0))
	case s.rounds < 1 || s.files < 1 || s.large < 1:
		return s, errors.New("-rounds, -files and -large are at least 1")
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
	r := &race{kvault: s.kvault}
	if r.dir, err = os.MkdirTemp(s.dir, "kvault-trees-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.dir)) }()
	if err := r.build(ctx); err != nil {
		return err
	}
	outcomes, err := r.run(ctx, s)
	if err != nil {
		return err
	}
	m := report.ThisMachine(r.dir)
	page := fmt.Sprintf("%s, %d cores (%s), %s of memory, %s, %s; %s; %s.\n\n%s", m.OS, m.Cores, m.CPU,
		humanize.IBytes(uint64(m.Memory)), m.Disk, m.Go, firstLine(ctx, "restic", "version"),
		firstLine(ctx, "rclone", "version"), figures(outcomes))
	fmt.Print(page)
	if s.docs == "" {
		return nil
	}
	old, err := os.ReadFile(s.docs)
	if err != nil {
		return err
	}
	updated, err := report.Replace(string(old), "trees", page)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(s.docs), err)
	}
	return os.WriteFile(s.docs, []byte(updated), 0o644)
}

// build builds the command, unless one was given.
func (r *race) build(ctx context.Context) error {
	if r.kvault != "" {
		return nil
	}
	r.kvault = r.path("kvault")
	cmd := exec.CommandContext(ctx, "go", "build", "-C", "..", "-o", r.kvault, "github.com/kohakuvault/kvault/cmd/kvault")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}
