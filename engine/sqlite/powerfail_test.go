package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine/sqlite"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/faultfs"
)

// Where syncs fail now and then, a power cut takes nothing either that was acknowledged. What was
// refused is not there, or, if the cut comes before the next change that is acknowledged, may be
// there as a whole.
func TestPowerCutFailingSyncs(t *testing.T) {
	t.Parallel()
	for _, o := range []sqlite.Options{powerOptions(false, false), powerOptions(false, true), powerOptions(true, true)} {
		t.Run(fmt.Sprintf("rollback=%t,full=%t", o.DisableWAL, o.Full), func(t *testing.T) {
			cuts, lost, runs, failures, refusals, back := 0, 0, 0, 0, 0, 0
			for seed := *powerSeed; cuts < *powerCuts/3 && !t.Failed(); seed++ {
				p := newPowerRun(t, o, seed, *powerCuts/3-cuts)
				p.verify = p.findState
				f := &failingRun{powerRun: p}
				f.run()
				cuts, lost, runs = cuts+p.cuts, lost+p.lost, runs+1
				failures, refusals, back = failures+f.failures, refusals+f.refusals, back+p.back
			}
			t.Logf("%d cuts in %d runs; syncs made to fail %d times, %d calls refused, back after %d cuts at once; %d lost commits that had returned, all at the end",
				cuts, runs, failures, refusals, back, lost)
		})
	}
}

// failingRun is a powerRun some of whose syncs fail.
type failingRun struct {
	*powerRun
	path string
	// calm says that no more syncs are to fail.
	calm               bool
	failures, refusals int
	// stored is what the file holds, seen what the vault holds with its cache. returned are what
	// the file would hold after the calls that were refused since the last change.
	stored, seen *image
	returned     []*image
}

// inFailing is in how many changes syncs are made to fail.
const inFailing = 120

func (f *failingRun) run() {
	load := rand.New(rand.NewPCG(f.seed, 2))
	f.stored = &image{values: map[string][]byte{}}
	f.seen = f.stored
	f.states = append(f.states, f.stored.digest())
	f.before = f.maybeFail
	f.onDisk(func(path, disk string) error {
		f.path = path
		for range 3 {
			if err := f.work(disk, load); err != nil {
				return err
			}
		}
		return nil
	})
}

// maybeFail has the next syncs fail of the log or the journal, of the file or of both.
func (f *failingRun) maybeFail(s *faultfs.Still) {
	if f.calm || f.r.IntN(inFailing) != 0 {
		return
	}
	f.failures++
	which, failure := 1+f.r.IntN(3), faultfs.Failure{Times: 1, Rand: f.r}
	if f.r.IntN(3) == 0 {
		failure.Times += f.r.IntN(4)
	}
	if f.r.IntN(2) == 0 {
		failure.Keep = f.r.Float64()
	}
	log := "-wal"
	if f.o.DisableWAL {
		log = "-journal"
	}
	for i, path := range []string{f.path, f.path + log} {
		if which&(1<<i) != 0 {
			s.FailSync(path, failure)
		}
	}
}

// eventually repeats a call as long as syncs fail, and lets them succeed at last.
func (f *failingRun) eventually(call func() error) error {
	for range 5 {
		err := call()
		if !mayFail(err) {
			return err
		}
	}
	f.disk.Still(func(s *faultfs.Still) {
		f.calm = true
		for _, suffix := range []string{"", "-wal", "-journal"} {
			s.FailSync(f.path+suffix, faultfs.Failure{})
		}
	})
	defer f.disk.Still(func(*faultfs.Still) { f.calm = false })
	return call()
}

func mayFail(err error) bool {
	_, is := errors.AsType[*kvault.IOError](err)
	return is
}

func (f *failingRun) work(disk string, load *rand.Rand) error {
	ctx := f.t.Context()
	var v *vaultOn
	err := f.eventually(func() (err error) { v, err = openOn(ctx, f.path, f.o.On(disk)); return err })
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if err := f.opened(ctx, v); err != nil {
		return errors.Join(err, v.Close())
	}
	for i := range 25 {
		after := f.seen.clone()
		call := randomStep(load, after)
		f.begin(after)
		err := call(ctx, v)
		if err == nil || mayFail(err) {
			err = f.end(ctx, v, after, err)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("call %d: %w", i, err), v.Close())
		}
	}
	return f.close(v)
}

// opened finds out whether a change is back that was refused before the last close.
func (f *failingRun) opened(ctx context.Context, v *vaultOn) error {
	// The first read rolls back what a killed writer left, and syncs for that.
	var m *image
	err := f.eventually(func() (err error) { m, err = readImage(ctx, v.Vault); return err })
	if err != nil {
		return err
	}
	now := among(m, append([]*image{f.stored}, f.returned...))
	if now == nil {
		return errors.New("the contents are not those when the vault was closed")
	}
	f.returned = nil
	f.note(now, now)
	return nil
}

// begin notes what the file may hold while a call runs: the cache is written before the call's own
// change.
func (f *failingRun) begin(after *image) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.states = append(f.states, f.seen.digest(), after.digest())
}

// end finds out what there is after the call, which said failure.
func (f *failingRun) end(ctx context.Context, v *vaultOn, after *image, failure error) error {
	now, seen := after, after
	if v.CacheStats().Entries > 0 || failure != nil {
		var err error
		if now, seen, err = f.look(ctx, v, after); err != nil {
			return errors.Join(err, failure)
		}
	}
	before := []*image{f.stored, f.seen}
	if failure != nil {
		if f.refusals++; among(now, before) == nil {
			return fmt.Errorf("what was refused is there: %w", failure)
		}
	}
	if among(now, before[:1]) == nil { // the log was repaired before
		f.returned = nil
	}
	f.returned = append(f.returned, f.seen, after)
	f.note(now, seen)
	return nil
}

// look returns what is in the file, and what there is with the cache.
func (f *failingRun) look(ctx context.Context, v *vaultOn, after *image) (now, seen *image, err error) {
	stored, err := kvault.New(v.store, nil)
	if err != nil {
		return nil, nil, err
	}
	var m *image
	if err := f.eventually(func() (err error) { m, err = readImage(ctx, stored); return err }); err != nil {
		return nil, nil, err
	}
	if now = among(m, []*image{f.stored, f.seen, after}); now == nil {
		return nil, nil, errors.New("the contents are neither those before the call nor after")
	}
	if v.CacheStats().Entries == 0 {
		return now, now, nil
	}
	if err := f.eventually(func() error {
		m = &image{values: map[string][]byte{}}
		for item, err := range v.Items(ctx, nil) {
			if err != nil {
				return err
			}
			m.values[item.Key] = item.Value
		}
		return readUpload(ctx, v.Vault, m)
	}); err != nil {
		return nil, nil, err
	}
	for _, seen := range []*image{f.seen, after} {
		if among(m, []*image{{values: seen.values}}) != nil {
			return now, seen, nil
		}
	}
	return nil, nil, errors.New("what is in the cache is neither there nor not there")
}

// note notes what there is after a call.
func (f *failingRun) note(stored, seen *image) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.states = f.states[:f.acknowledged+1]
	for _, m := range []*image{f.seen, stored} {
		if d := m.digest(); d != f.states[f.acknowledged] && among(stored, []*image{f.stored}) == nil {
			f.states = append(f.states, d)
			f.acknowledged++
		}
	}
	f.stored, f.seen = stored, seen
	f.refused = nil
	for _, m := range f.returned {
		f.refused = append(f.refused, m.digest())
	}
}

// close closes the vault, which writes what is in the cache.
func (f *failingRun) close(v *vaultOn) error {
	f.begin(f.seen)
	repaired := true
	err := f.eventually(func() error {
		err := v.Close()
		repaired = repaired && (err == nil || v.CacheStats().Entries > 0)
		return err
	})
	if err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if repaired || among(f.seen, []*image{f.stored}) == nil {
		f.returned = nil
	}
	f.note(f.seen, f.seen)
	return nil
}

// among returns the image that is equal to m.
func among(m *image, all []*image) *image {
	d := m.digest()
	for _, other := range all {
		if other.digest() == d {
			return other
		}
	}
	return nil
}
