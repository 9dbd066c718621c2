package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kohakuvault/kvault/bench/internal/report"
)

// race has the trees and what is made of them in one folder.
type race struct{ dir, kvault string }

func (r *race) path(name string) string { return filepath.Join(r.dir, name) }

// side is a command of a case. What it makes is removed before each run, and before runs after that
// without being measured.
type side struct {
	name   string
	aim    float64 // the most of kvault's time over this one's; 0 for none
	before []string
	args   []string
	made   []string
}

// contest is a case. The first side is kvault; after the first round check says whether it did all
// that there was to do.
type contest struct {
	name  string
	sides []side
	check []string
}

type result struct{ clock, processor time.Duration }

type outcome struct {
	contest
	results [][]result // of each round and side
}

func (r *race) contests() []contest {
	var all []contest
	for _, tree := range []string{"small", "large"} {
		source, vault := r.path(tree), r.path("new.kv")
		all = append(all, contest{
			name: "import of " + tree + " files",
			sides: []side{
				{name: "kvault import", args: []string{r.kvault, "-f", vault, "--quiet", "import", source, "t"},
					made: []string{"new.kv", "new.kv-wal", "new.kv-shm"}},
				{name: "cp -r", aim: 1.5, args: []string{"cp", "-r", source, r.path("copy")}, made: []string{"copy"}},
				{name: "restic backup", aim: 0.5, made: []string{"repository"},
					before: []string{"restic", "init", "--quiet", "--repo", r.path("repository")},
					args:   []string{"restic", "backup", "--quiet", "--compression", "off", "--repo", r.path("repository"), source}},
			},
			check: []string{r.kvault, "-f", vault, "--quiet", "verify", source, "t"},
		})
	}
	source := r.path("small")
	return append(all, contest{
		name: "sync of unchanged small files",
		sides: []side{
			{name: "kvault sync", args: []string{r.kvault, "-f", r.path("kept.kv"), "--quiet", "sync", source, "t"}},
			{name: "rclone check", aim: 1, args: []string{"rclone", "check", "--quiet", source, r.path("kept")}},
			{name: "rclone check --size-only", aim: 1,
				args: []string{"rclone", "check", "--quiet", "--size-only", source, r.path("kept")}},
		},
		check: []string{r.kvault, "-f", r.path("kept.kv"), "--quiet", "diff", source, "t"},
	})
}

// run makes the trees and runs the sides of each case in turn, in an order drawn anew each time.
func (r *race) run(ctx context.Context, s settings) ([]outcome, error) {
	if err := r.makeTrees(s); err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		{"cp", "-rp", r.path("small"), r.path("kept")},
		{r.kvault, "-f", r.path("kept.kv"), "--quiet", "sync", r.path("small"), "t"},
	} {
		if _, err := measure(ctx, args); err != nil {
			return nil, err
		}
	}
	var all []outcome
	for _, c := range r.contests() {
		all = append(all, outcome{contest: c})
	}
	for round := range s.rounds {
		for i := range all {
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, s.rounds, all[i].name)
			results, err := r.round(ctx, all[i].contest, round == 0)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", all[i].name, err)
			}
			all[i].results = append(all[i].results, results)
		}
	}
	return all, nil
}

func (r *race) round(ctx context.Context, c contest, check bool) ([]result, error) {
	results := make([]result, len(c.sides))
	for _, i := range rand.Perm(len(c.sides)) {
		s := c.sides[i]
		for _, name := range s.made {
			if err := os.RemoveAll(r.path(name)); err != nil {
				return nil, err
			}
		}
		if len(s.before) > 0 {
			if _, err := measure(ctx, s.before); err != nil {
				return nil, err
			}
		}
		// What an earlier run left to the system to write is not this one's business.
		if _, err := measure(ctx, []string{"sync"}); err != nil {
			return nil, err
		}
		var err error
		if results[i], err = measure(ctx, s.args); err != nil {
			return nil, err
		}
	}
	if check {
		if _, err := measure(ctx, c.check); err != nil {
			return nil, err
		}
	}
	return results, nil
}

func measure(ctx context.Context, args []string) (res result, err error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "RESTIC_PASSWORD=tree", "RCLONE_CONFIG=/dev/null")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return res, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return result{time.Since(began), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil
}

// makeTrees makes files of 100 to 1,500 bytes, a thousand to a directory, and files of 1 MiB.
// Their bytes do not compress.
func (r *race) makeTrees(s settings) error {
	source := rand.New(rand.NewPCG(1, 2))
	fill := rand.NewChaCha8([32]byte{1})
	for _, t := range []struct {
		name  string
		files int
		size  func() int
	}{
		{"small", s.files, func() int { return 100 + source.IntN(1401) }},
		{"large", s.large, func() int { return 1 << 20 }},
	} {
		for i := range t.files {
			dir := filepath.Join(r.path(t.name), fmt.Sprintf("%03d", i/1000))
			if i%1000 == 0 {
				if err := os.MkdirAll(dir, 0o700); err != nil {
					return err
				}
			}
			data := make([]byte, t.size())
			if _, err := fill.Read(data); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%06d.bin", i)), data, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// figures is the table of all cases. A ratio is formed within a round, and its median is shown.
func figures(outcomes []outcome) string {
	var b strings.Builder
	b.WriteString("| case | command | time | processor time | kvault's time over it | processor time | aim |\n")
	b.WriteString("| --- | --- | --: | --: | --: | --: | --- |\n")
	for _, o := range outcomes {
		for i, s := range o.sides {
			var clock, processor, toClock, toProcessor []float64
			for _, round := range o.results {
				own, other := round[0], round[i]
				clock = append(clock, float64(other.clock))
				processor = append(processor, float64(other.processor))
				toClock = append(toClock, float64(own.clock)/float64(other.clock))
				toProcessor = append(toProcessor, float64(own.processor)/float64(max(other.processor, 1)))
			}
			times := fmt.Sprintf("%s | `%s` | %s | %s", o.name, s.name, report.Duration(median(clock)), report.Duration(median(processor)))
			if i == 0 {
				fmt.Fprintf(&b, "| %s | | | |\n", times)
				continue
			}
			fmt.Fprintf(&b, "| %s | %.2f (%.2f to %.2f) | %.2f | %s |\n", times, median(toClock), slices.Min(toClock), slices.Max(toClock),
				median(toProcessor), verdict(s.aim, median(toClock)))
		}
	}
	fmt.Fprintf(&b, "\n%d rounds, medians.\n", len(outcomes[0].results))
	return b.String()
}

func verdict(aim, ratio float64) string {
	if ratio <= aim {
		return fmt.Sprintf("at most %.3g: met", aim)
	}
	return fmt.Sprintf("at most %.3g: **missed**", aim)
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}

// firstLine is what a program says of its version.
func firstLine(ctx context.Context, args ...string) string {
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).Output()
	if err != nil {
		return args[0] + ": " + err.Error()
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}
