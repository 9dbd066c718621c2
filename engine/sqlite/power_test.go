package sqlite_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

var (
	powerCuts = flag.Int("powercuts", sqlite.PowerCuts, "how many power cuts each way of keeping a vault meets")
	powerSeed = flag.Uint64("powerseed", 1, "seed of the first run of power cuts")
)

// A power cut leaves a sound vault with all that was acknowledged. Only with a write-ahead log and
// without Full the last commits may be lost: the vault then holds the state after an earlier one.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	for _, rollback := range []bool{false, true} {
		for _, full := range []bool{false, true} {
			t.Run(fmt.Sprintf("rollback=%t,full=%t", rollback, full), func(t *testing.T) {
				cuts, lost, runs := 0, 0, 0
				for seed := *powerSeed; cuts < *powerCuts && !t.Failed(); seed++ {
					p := newPowerRun(t, powerOptions(rollback, full), seed, *powerCuts-cuts)
					if (seed%4 < 2) == full { // in which Optimize then upgrades it
						p.file = fileOfLayout1(t, p.o, nil)
					}
					p.verify = p.findState
					p.run()
					cuts, lost, runs = cuts+p.cuts, lost+p.lost, runs+1
				}
				t.Logf("%d cuts in %d runs; %d lost commits that had returned, all at the end", cuts, runs, lost)
			})
		}
	}
}

// run works on a new vault, and opens it again a few times.
func (p *powerRun) run() {
	load := rand.New(rand.NewPCG(p.seed, 2))
	m := &image{values: map[string][]byte{}}
	p.states = append(p.states, m.digest())
	p.onDisk(func(path, disk string) error {
		for range 3 {
			if err := p.work(path, disk, load, m); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *powerRun) work(path, disk string, load *rand.Rand, m *image) error {
	ctx := p.t.Context()
	v, err := openOn(ctx, path, p.o.On(disk))
	if err != nil {
		return err
	}
	for range 25 {
		step := randomStep(load, m)
		p.mu.Lock()
		p.states = append(p.states, m.digest())
		p.mu.Unlock()
		if err := step(ctx, v); err != nil {
			return errors.Join(err, v.Close())
		}
		p.mu.Lock()
		p.acknowledged = len(p.states) - 1
		p.mu.Unlock()
	}
	return v.Close()
}

// findState looks for the contents among the states that a cut may leave.
func (p *powerRun) findState(ctx context.Context, v *kvault.Vault) error {
	m, err := readImage(ctx, v)
	if err != nil {
		return err
	}
	d := m.digest()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.states) - 1; i >= 0; i-- {
		if p.states[i] != d {
			continue
		}
		missing := max(0, p.acknowledged-i)
		p.lost += missing
		if missing > 0 && (p.o.Full || p.o.DisableWAL) {
			return fmt.Errorf("%d acknowledged changes are lost", missing)
		}
		return nil
	}
	if slices.Contains(p.refused, d) {
		p.back++
		return nil
	}
	return fmt.Errorf("the contents are those after none of the %d changes", len(p.states)-1)
}

// Of what several goroutines write at once, in commits that carry several of their requests, a
// power cut takes nothing that was acknowledged.
func TestPowerCutConcurrent(t *testing.T) {
	t.Parallel()
	for _, rollback := range []bool{false, true} {
		t.Run(fmt.Sprintf("rollback=%t", rollback), func(t *testing.T) {
			cuts := 0
			for seed := *powerSeed; cuts < *powerCuts/2 && !t.Failed(); seed++ {
				p := newPowerRun(t, powerOptions(rollback, true), seed, *powerCuts/2-cuts)
				p.runWriters()
				cuts += p.cuts
			}
			t.Logf("%d cuts", cuts)
		})
	}
}

// runWriters lets goroutines count upwards, each under a key of its own.
func (p *powerRun) runWriters() {
	var acknowledged [4]atomic.Int64
	p.verify = func(ctx context.Context, v *kvault.Vault) error {
		for g := range acknowledged {
			least := acknowledged[g].Load()
			value, err := v.GetOr(ctx, fmt.Sprint("w", g), []byte("0"))
			if err != nil {
				return err
			}
			if n, _, _ := strings.Cut(string(value), " "); number(n) < least {
				return fmt.Errorf("writer %d got to %d, of which %s are there", g, least, n)
			}
		}
		return nil
	}
	p.onDisk(func(path, disk string) error {
		v, err := openOn(p.t.Context(), path, p.o.On(disk))
		if err != nil {
			return err
		}
		var wg sync.WaitGroup
		for g := range acknowledged {
			r := rand.New(rand.NewPCG(p.seed, uint64(g)))
			wg.Go(func() {
				for i := range int64(40) {
					value := fmt.Sprint(i+1, " ", strings.Repeat("x", r.IntN(20000)))
					if _, err := v.PutReader(p.t.Context(), fmt.Sprint("w", g), strings.NewReader(value), nil); err != nil {
						p.t.Error(err)
						return
					}
					acknowledged[g].Store(i + 1)
				}
			})
		}
		wg.Wait()
		return v.Close()
	})
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// fileOfLayout1 is a vault of layout 1 with what fill puts into it.
func fileOfLayout1(t *testing.T, o sqlite.Options, fill func(v *kvault.Vault)) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "v.kv")
	foreign(t, path, fmt.Sprintf(`PRAGMA page_size=%d`, o.PageSize), `PRAGMA auto_vacuum=INCREMENTAL`, sqlite.Layout1)
	if fill != nil {
		v, err := kvault.New(open(t, path, &o), nil)
		if err != nil {
			t.Fatal(err)
		}
		fill(v)
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return must[[]byte](t)(os.ReadFile(path))
}

// A power cut in the midst of an upgrade leaves all values with their metadata, and the next
// Optimize ends the work.
func TestPowerCutInUpgrade(t *testing.T) {
	t.Parallel()
	for _, rollback := range []bool{false, true} {
		t.Run(fmt.Sprintf("rollback=%t", rollback), func(t *testing.T) {
			t.Parallel()
			cuts, before, after, want := 0, 0, 0, map[string]kvault.Item{}
			file := fileOfLayout1(t, powerOptions(rollback, false), func(v *kvault.Vault) { want = fillForUpgrade(t, v) })
			for seed := *powerSeed; cuts < *powerCuts/8 && !t.Failed(); seed++ {
				p := newPowerRun(t, powerOptions(rollback, seed%4 < 2), seed, min(4, *powerCuts/8-cuts))
				p.file, p.one = file, 20<<(seed*5%8) // early in some runs, late in others
				p.verify = func(ctx context.Context, v *kvault.Vault) error {
					stats, err := v.Stats(ctx)
					if stats.Detail["layout version"] == "1" {
						before++
					} else {
						after++
					}
					if err = errors.Join(err, sameItems(ctx, v, want), v.Optimize(ctx, nil), sameItems(ctx, v, want)); err != nil {
						return err
					}
					if stats, err = v.Stats(ctx); stats.Detail["layout version"] != "2" {
						err = errors.Join(err, errors.New("it is not upgraded"))
					}
					_, damaged := v.Check(ctx, nil)
					return errors.Join(err, damaged)
				}
				p.onDisk(func(path, disk string) error {
					v, err := openOn(t.Context(), path, p.o.On(disk))
					if err != nil {
						return err
					}
					return errors.Join(v.Optimize(t.Context(), nil), v.Close())
				})
				cuts += p.cuts
			}
			t.Logf("%d cuts; %d left layout 1, %d layout 2", cuts, before, after)
		})
	}
}

// fillForUpgrade puts values of all kinds, and returns them.
func fillForUpgrade(t *testing.T, v *kvault.Vault) map[string]kvault.Item {
	err := v.WithCache(t.Context(), nil, func() error {
		for i := range 1100 { // which are two steps
			key, value := fmt.Sprintf("k%04d", i), noise([]int{0, 10, 90}[i%3])
			if i%300 == 7 {
				value = noise(5000 * (i / 100)) // some of them in chunk rows
			}
			o := &kvault.PutOptions{ContentType: "of " + key, User: map[string]string{"n": key}}
			if _, err := v.PutWith(t.Context(), key, value, o); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return must[map[string]kvault.Item](t)(itemsOf(t.Context(), v))
}

func itemsOf(ctx context.Context, v *kvault.Vault) (map[string]kvault.Item, error) {
	all := map[string]kvault.Item{}
	for item, err := range v.Items(ctx, nil) {
		if err != nil {
			return nil, err
		}
		all[item.Key] = item
	}
	return all, nil
}

func sameItems(ctx context.Context, v *kvault.Vault, want map[string]kvault.Item) error {
	got, err := itemsOf(ctx, v)
	if err == nil && !reflect.DeepEqual(got, want) {
		err = fmt.Errorf("%d items, not the %d that there were", len(got), len(want))
	}
	return err
}
