package sqlite_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine/sqlite"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/faultfs"
)

// powerRun is a vault that works on a disk whose power may fail at any change.
type powerRun struct {
	t    *testing.T
	o    sqlite.Options
	seed uint64
	r    *rand.Rand // chooses the cuts; the load has another, since goroutines of the vault change the disk at times of their own
	dir  string
	one  int // in how many changes there is a cut
	left int

	// file is the vault as it is when the power is first on, or nil if there is none.
	file []byte
	// verify says what is wrong with a vault that a cut left. before is called ahead of each
	// change, if it is there.
	verify func(ctx context.Context, v *kvault.Vault) error
	before func(*faultfs.Still)
	disk   *faultfs.Disk

	mu sync.Mutex
	// states are the digests of the vault's contents after so many changes; acknowledged is the
	// last that has returned. refused are those after calls that were refused, which are there in
	// back cuts.
	states           [][sha256.Size]byte
	acknowledged     int
	refused          [][sha256.Size]byte
	cuts, lost, back int
}

// powerOptions are small, so that little data passes through all there is.
func powerOptions(rollback, full bool) sqlite.Options {
	return sqlite.Options{PageSize: 1024, OneRowLimit: 16000, CacheKB: 16, DisableWAL: rollback, Full: full}
}

func newPowerRun(t *testing.T, o sqlite.Options, seed uint64, cuts int) *powerRun {
	if seed%2 == 0 { // most of the log is copied beside commits
		o = o.WithLog(64 << 10)
	}
	return &powerRun{t: t, o: o, seed: seed, r: rand.New(rand.NewPCG(seed, 1)), dir: t.TempDir(), one: 300, left: cuts}
}

// onDisk runs fn with a disk whose power may fail at any change, and does once fn has returned.
func (p *powerRun) onDisk(fn func(path, disk string) error) {
	name := fmt.Sprintf("power-%s-%d", p.t.Name(), p.seed)
	path, files := filepath.Join(p.dir, "v.kv"), map[string][]byte{}
	if p.file != nil {
		files[path] = bytes.Clone(p.file) // which the disk changes
		writeFile(p.t, path, p.file)
	}
	p.disk = faultfs.NewDisk(name, files, p.maybeCut)
	defer faultfs.Drop(name)
	if err := fn(path, name); err != nil {
		p.t.Errorf("seed %d: %v", p.seed, err)
	}
	p.disk.Still(p.cut)
}

func (p *powerRun) maybeCut(s *faultfs.Still) {
	if p.before != nil {
		p.before(s)
	}
	if p.r.IntN(p.one) == 0 {
		p.cut(s)
	}
}

// cut looks at what each kind of power cut would leave at this moment.
func (p *powerRun) cut(s *faultfs.Still) {
	for _, keep := range []float64{0, 0.1, 0.5, 1} {
		if p.cuts == p.left || p.t.Failed() {
			return
		}
		p.cuts++
		c := faultfs.Cut{Keep: keep, Sector: []int{512, 4096}[p.r.IntN(2)], Garbage: p.r.IntN(4) == 0}
		if err := p.examine(s.Files(c, p.r), p.r.IntN(4) == 0); err != nil {
			p.t.Errorf("seed %d, cut %d, %+v, %d changes not synced: %v", p.seed, p.cuts, c, s.Pending(), err)
		}
	}
}

// examine opens what a cut left. If there is to be another cut, it comes while the vault is being
// opened.
func (p *powerRun) examine(files map[string][]byte, another bool) error {
	dir, err := os.MkdirTemp(p.dir, "cut")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	moved := map[string][]byte{}
	for name, content := range files {
		name = filepath.Join(dir, filepath.Base(name))
		moved[name] = content
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return err
		}
	}
	path, ctx := filepath.Join(dir, "v.kv"), context.Background()
	if another {
		left, err := p.cutWhileOpening(ctx, path, moved)
		if err != nil {
			return err
		}
		return p.examine(left, false)
	}
	faultfs.NewDisk(path, moved, func(*faultfs.Still) {}) // which syncs nothing: it is faster
	defer faultfs.Drop(path)
	s, err := sqlite.Open(ctx, path, p.o.On(path))
	if err != nil {
		return err
	}
	v, err := kvault.New(s, nil)
	if err != nil {
		return err
	}
	_, err = v.Check(ctx, nil)
	return errors.Join(err, p.verify(ctx, v), v.Put(ctx, "after", []byte("the cut")), v.Close())
}

// cutWhileOpening opens the vault and returns what a cut at some change leaves, or one after the
// last.
func (p *powerRun) cutWhileOpening(ctx context.Context, path string, files map[string][]byte) (left map[string][]byte, err error) {
	c := faultfs.Cut{Keep: p.r.Float64(), Sector: 512}
	changes := 1 + p.r.IntN(20)
	step := func(s *faultfs.Still) {
		if changes--; changes == 0 {
			left = s.Files(c, p.r)
		}
	}
	disk := faultfs.NewDisk(path, files, step)
	defer faultfs.Drop(path)
	s, err := sqlite.Open(ctx, path, p.o.On(path))
	if err != nil {
		return nil, err
	}
	disk.Still(func(s *faultfs.Still) {
		if changes > 0 {
			left, changes = s.Files(c, p.r), 0
		}
	})
	return left, s.Close()
}
