// The command s3 races a vault in a bucket against the plain client of AWS's SDK: the same bucket,
// the same gateways, the same number of calls at once, in alternating rounds. It prints the table of
// docs/scale.md: the median speed of each side, and the median of the quotients of each round.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"
)

// settings are the flags.
type settings struct {
	bucket    string
	endpoints []string
	rounds    int
	only      string
	scale     float64
	stream    int64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var s settings
	gateways := flag.String("gateways", os.Getenv("S3_GATEWAYS"), "addresses of the gateways, HOST:PORT, with commas")
	flag.StringVar(&s.bucket, "bucket", "bench", "an existing bucket; what the command writes there it removes")
	flag.IntVar(&s.rounds, "rounds", 5, "how often each side runs each case")
	flag.StringVar(&s.only, "only", "", "only the cases whose name contains this")
	flag.Float64Var(&s.scale, "scale", 1, "times the number of objects")
	flag.Int64Var(&s.stream, "stream", 256<<20, "the length of streams in bytes")
	profile := flag.String("cpuprofile", "", "write a CPU profile of all sides to this file")
	flag.Parse()
	for _, g := range strings.Split(*gateways, ",") {
		s.endpoints = append(s.endpoints, "http://"+g)
	}
	if *gateways == "" {
		fmt.Fprintln(os.Stderr, `s3: no gateways: run ".ci/ceph up DIR" and ".ci/ceph bucket DIR bench", and export what ".ci/ceph env DIR" prints`)
		os.Exit(2)
	}
	if err := profiled(*profile, func() error { return race(ctx, s) }); err != nil {
		fmt.Fprintln(os.Stderr, "s3:", err)
		os.Exit(1)
	}
}

// profiled runs fn under a CPU profile, if there is a file for one.
func profiled(file string, fn func() error) error {
	if file == "" {
		return fn()
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	err = fn()
	pprof.StopCPUProfile()
	return errors.Join(err, f.Close())
}

// race runs every case and prints its row.
func race(ctx context.Context, s settings) (err error) {
	sides, done, err := open(ctx, s)
	if err != nil {
		return err
	}
	defer func() {
		if e := done(); err == nil {
			err = e
		}
	}()
	fmt.Printf("| | calls at once | plain client | plain client, same condition | vault | vault / plain | vault / same condition | processor time, vault / plain |\n")
	fmt.Printf("| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, c := range cases(s) {
		if !strings.Contains(c.name, s.only) {
			continue
		}
		runs, err := c.race(ctx, sides, s.rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		speed, ratio := "", ""
		if c.conditional {
			speed, ratio = c.speed(runs[same]), quotient(runs[same], runs[ours], elapsed)
		}
		fmt.Printf("| %s | %d | %s | %s | %s | %s | %s | %s |\n", c.name, c.parallel, c.speed(runs[plainClient]), speed,
			c.speed(runs[ours]), quotient(runs[plainClient], runs[ours], elapsed), ratio, quotient(runs[ours], runs[plainClient], processor))
	}
	return nil
}

// took is what a side took in a round: time, and the time of this process on processors, which is the
// client's part of the work.
type took struct{ elapsed, processor time.Duration }

func elapsed(t took) time.Duration   { return t.elapsed }
func processor(t took) time.Duration { return t.processor }

func measure(fn func() error) (took, error) {
	began, used := time.Now(), processorTime()
	err := fn()
	return took{time.Since(began), processorTime() - used}, err
}

// processorTime is how long this process has run on processors.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails for no reason that can be here
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// race returns what each side took in each round. Within a round the sides follow each other, so that
// what else the machine does concerns all of them.
func (c *raceCase) race(ctx context.Context, sides contenders, rounds int) (runs [len(contenders{})][]took, err error) {
	var works [len(sides)]work
	// No key has been there before: what is left of a deleted one until a sweep makes the next put dearer.
	id := rand.Text()
	prefix := func(i, round int) string {
		if c.reads {
			round = 0
		}
		return fmt.Sprintf("%s/%d/%d/", id, i, round)
	}
	for round := range rounds {
		for i := range sides {
			i = (i + round) % len(sides) // who begins alternates
			if i == same && !c.conditional {
				continue
			}
			if works[i] == nil || !c.reads {
				if works[i], err = c.prepare(ctx, sides[i], prefix(i, round)); err != nil {
					return runs, err
				}
			}
			t, err := measure(func() error { return works[i](ctx) })
			if err != nil {
				return runs, err
			}
			runs[i] = append(runs[i], t)
			if c.reads && round+1 < rounds {
				continue
			}
			if err := sides[i].clear(ctx, prefix(i, round)); err != nil {
				return runs, err
			}
		}
	}
	return runs, nil
}

func median[T cmp.Ordered](list []T) T {
	return slices.Sorted(slices.Values(list))[len(list)/2]
}

// quotient is the median of a/b, round by round.
func quotient(a, b []took, of func(took) time.Duration) string {
	list := make([]float64, len(a))
	for i := range a {
		list[i] = float64(of(a[i])) / float64(of(b[i]))
	}
	return fmt.Sprintf("%.2f", median(list))
}
