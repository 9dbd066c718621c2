package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
)

// logStep is a step in which logs are preallocated, as a file system layer.
type logStep struct {
	name, vfs string
	puts      clock
	// grown and over are the usual times of a put in each round, while the log grows and once it is
	// overwritten.
	grown, over []float64
}

// BenchmarkLogPreallocation puts small values, synced or not, into vaults whose logs are
// preallocated in steps of several lengths; where they are not synced no step is longer than 32
// KiB. The puts take turns, in an order that changes. A round begins with new vaults; it measures
// some puts while the logs grow, and as many once they are overwritten. For each step the benchmark
// reports the median of the rounds, and of their ratios to the first step, which is none. A round's
// time is the mean without the slowest put of a hundred, which waits for the disk.
//
//	go test ./engine/sqlite -run '^$' -bench LogPreallocation -benchtime 6x
func BenchmarkLogPreallocation(b *testing.B) {
	for _, full := range []bool{false, true} {
		for _, size := range []int{100, 1 << 10, 10 << 10, 100 << 10} {
			b.Run(fmt.Sprintf("full=%t/size=%d", full, size), func(b *testing.B) { raceSteps(b, full, size) })
		}
	}
}

func raceSteps(b *testing.B, full bool, size int) {
	var steps []*logStep
	kibs := []int64{0, 0, 32, 64, 128, 256, 512}
	if !full {
		kibs = kibs[:3]
	}
	for _, kib := range kibs {
		s := &logStep{name: fmt.Sprintf("%3d KiB", kib), vfs: fmt.Sprint("kvault-step-", len(steps))}
		vfs.Register(s.vfs, walvfs.CoalescePreallocating(vfs.Find("os").(vfs.VFSFilename), kib<<10))
		defer vfs.Unregister(s.vfs)
		steps = append(steps, s)
	}
	for b.Loop() {
		if err := stepsRound(steps, full, size); err != nil {
			b.Fatal(err)
		}
	}
	for _, s := range steps {
		b.Logf("steps of %s: %7.1f us a put, %.3f; overwritten %7.1f us, %.3f", s.name,
			middle(s.grown)/1e3, middleRatio(s.grown, steps[0].grown), middle(s.over)/1e3, middleRatio(s.over, steps[0].over))
	}
}

func stepsRound(steps []*logStep, full bool, size int) error {
	stores := make([]*Store, len(steps))
	for i, step := range steps {
		dir, err := os.MkdirTemp("", "steps")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if stores[i], err = Open(context.Background(), filepath.Join(dir, "v.kv"), &Options{Full: full, vfs: step.vfs}); err != nil {
			return err
		}
		defer stores[i].Close()
	}
	value := make([]byte, size)
	for i := range value {
		value[i] = byte(rand.Uint32())
	}
	// The log grows to checkpointBytes and is written from its start then.
	whole := checkpointBytes / (size + 3*DefaultPageSize)
	n := 0
	puts := func(count int, note func(step *logStep, usual float64)) error {
		for _, step := range steps {
			step.puts = clock{}
		}
		for range count {
			for _, i := range rand.Perm(len(steps)) {
				op := engine.Op{Kind: engine.Put, Key: benchKey(n), Value: value}
				steps[i].puts.time(func() error { _, err := stores[i].Apply(context.Background(), []engine.Op{op}); return err })
			}
			n++
		}
		var errs []error
		for _, step := range steps {
			errs = append(errs, step.puts.err)
			note(step, step.puts.usual())
		}
		return errors.Join(errs...)
	}
	part := min(whole/2, 200)
	return errors.Join(
		puts(part, func(step *logStep, usual float64) { step.grown = append(step.grown, usual) }),
		puts(whole-part/2, func(*logStep, float64) {}), // into the second length
		puts(part, func(step *logStep, usual float64) { step.over = append(step.over, usual) }))
}

// middleRatio is the median of a[i]/b[i].
func middleRatio(a, b []float64) float64 {
	r := make([]float64, len(a))
	for i := range r {
		r[i] = a[i] / b[i]
	}
	return middle(r)
}

func middle(x []float64) float64 { return slices.Sorted(slices.Values(x))[len(x)/2] }
