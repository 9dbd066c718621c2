package reliability

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault"
)

var seeds = flag.Int("seeds", defaultSeeds, "how many times the model does as it pleases with each configuration")

// modelConfig is one way of keeping and using a vault.
type modelConfig struct {
	rollback, full bool
	page, chunk    int
	row            int64
	cache          cacheMode
	handles        int
	layout1        bool // until it is optimized
}

// cacheMode is how the handles of a model use their caches.
type cacheMode int

const (
	cacheOff    cacheMode = iota
	cacheScoped           // by WithCache, nested too
	cacheDaemon           // with a flush in the background
	cacheLocked           // enabled, and locked now and then
	cacheModes
)

func (m cacheMode) String() string { return [...]string{"off", "scoped", "daemon", "locked"}[m] }

func (c modelConfig) String() string {
	return fmt.Sprintf("rollback=%t,full=%t,page=%d,chunk=%d,row=%d,cache=%v,handles=%d,layout1=%t", c.rollback, c.full, c.page, c.chunk, c.row, c.cache, c.handles, c.layout1)
}

// The sizes that a configuration may have; each is on another side of some limit than its
// neighbours.
var (
	modelPages   = []int{512, 4096, 65536}
	modelChunks  = []int{300, 5000}
	modelRows    = []int64{1, 700, 64 << 20}
	modelHandles = []int{1, 3}
)

// modelConfigs are all of them.
func modelConfigs() (all []modelConfig) {
	for i := range 4 {
		for _, page := range modelPages {
			for _, chunk := range modelChunks {
				for _, row := range modelRows {
					for cache := range cacheModes {
						for _, handles := range modelHandles {
							all = append(all, modelConfig{i&1 > 0, i&2 > 0, page, chunk, row, cache, handles, len(all)%3 == 0})
						}
					}
				}
			}
		}
	}
	return all
}

// choose takes a configuration from a tape.
func choose(t *tape) modelConfig {
	return modelConfig{t.yes(), t.yes(), pick(t, modelPages), pick(t, modelChunks), pick(t, modelRows),
		cacheMode(t.next(int(cacheModes))), pick(t, modelHandles), false}
}

// tape is a string of choices. The same one always makes the same calls, and one that is at its end
// chooses 0.
type tape struct{ left []byte }

// next chooses a number below n, which is at most 256.
func (t *tape) next(n int) int {
	if len(t.left) == 0 {
		return 0
	}
	b := t.left[0]
	t.left = t.left[1:]
	return int(b) % n
}

func (t *tape) yes() bool { return t.next(2) == 1 }

func pick[T any](t *tape, from []T) T { return from[t.next(len(from))] }

// Random calls give what they would on a map and some slices, however the vault is kept, cached and
// shared.
func TestModel(t *testing.T) {
	const parts = 4
	var calls, vaults atomic.Int64
	t.Cleanup(func() { t.Logf("%d calls on %d vaults", calls.Load(), vaults.Load()) })
	configs, first := modelConfigs(), rand.IntN(modelStride)
	for part := range parts {
		t.Run(fmt.Sprint("part ", part), func(t *testing.T) {
			t.Parallel()
			for i := first + part*modelStride; i < len(configs); i += parts * modelStride {
				for seed := range *seeds {
					name := fmt.Sprintf("%v, seed %d", configs[i], seed)
					choices := make([]byte, 600)
					rand.NewChaCha8([32]byte{byte(seed), byte(i), byte(i >> 8)}).Read(choices)
					m := runModel(t, name, configs[i], &tape{choices})
					calls.Add(int64(m.calls))
					vaults.Add(1)
					if t.Failed() {
						t.Fatal(name)
					}
				}
			}
		})
	}
}

// FuzzModel lets the fuzzer choose the configuration and the calls.
func FuzzModel(f *testing.F) {
	for seed := range byte(4) {
		choices := make([]byte, 120)
		rand.NewChaCha8([32]byte{seed}).Read(choices)
		f.Add(choices)
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		choice := &tape{choices[:min(len(choices), 250)]}
		c := choose(choice)
		runModel(t, fmt.Sprint(c), c, choice)
	})
}

// runModel makes the calls that a tape chooses, and compares along the way and in the end.
func runModel(t *testing.T, name string, c modelConfig, choices *tape) *model {
	t.Helper()
	m := &model{t: t, name: name, config: c, path: filepath.Join(fastDir(t), "v.kv"), tape: choices, stored: newState()}
	m.ctx = t.Context()
	if c.layout1 {
		makeLayout1(t, m.path, c.page)
	}
	for range c.handles {
		m.open()
	}
	for len(m.tape.left) > 0 && !t.Failed() {
		m.step(m.tape, 0)
	}
	for _, h := range m.handles {
		m.settle(h)
	}
	for _, h := range m.handles {
		m.compareAll(h)
		check(t, h.v)
		m.close(h)
	}
	if !t.Failed() {
		m.handles = nil
		m.open()
		m.compareAll(m.handles[0])
		m.close(m.handles[0])
	}
	return m
}

// makeLayout1 makes a file with a table of layout 1, as earlier versions did.
func makeLayout1(t *testing.T, path string, page int) {
	t.Helper()
	c, err := sqlite3.Open(path)
	if err == nil {
		err = errors.Join(c.Exec(fmt.Sprintf(`PRAGMA page_size=%d; PRAGMA auto_vacuum=INCREMENTAL;
			CREATE TABLE kvault(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, size INTEGER NOT NULL DEFAULT -1, value BLOB NOT NULL)`, page)), c.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// model is a vault with all its handles, and what it ought to hold.
type model struct {
	t       *testing.T
	ctx     context.Context
	name    string
	config  modelConfig
	path    string
	tape    *tape
	stored  *state
	handles []*handle
	last    *handle
	calls   int
	values  uint64 // numbers the values, so that no two are alike
}

// handle is one opened vault.
type handle struct {
	v     *kvault.Vault
	texts textColumn
	ints  intColumn
	fixed fixedColumn
	// pending is what its cache holds, as far as is known: the changes since flushes were seen.
	pending []func(*state)
	flushes int64
	unlock  func() // set while the cache is locked
}

func (m *model) open() {
	c := m.config
	durability := kvault.Normal
	if c.full {
		durability = kvault.Full
	}
	v, err := kvault.Open(m.ctx, m.path, &kvault.Options{DisableWAL: c.rollback, PageSize: c.page, ChunkSize: c.chunk, OneRowLimit: c.row,
		Durability: durability, CacheKB: 64, BusyTimeout: time.Minute, OnError: func(err error) { m.t.Errorf("%s: background: %v", m.name, err) }})
	if err != nil {
		m.t.Fatalf("%s: %v", m.name, err)
	}
	h := &handle{v: v}
	m.openColumns(h)
	o := &kvault.CacheOptions{Capacity: 4000, Threshold: 2500}
	switch c.cache {
	case cacheDaemon:
		o.IdleFlush = time.Millisecond
		err = v.EnableCache(m.ctx, o)
	case cacheLocked:
		err = v.EnableCache(m.ctx, o)
	}
	if err != nil {
		m.t.Fatalf("%s: %v", m.name, err)
	}
	m.handles = append(m.handles, h)
}

func (m *model) close(h *handle) {
	if err := h.v.Close(); err != nil {
		m.failf("close: %v", err)
	}
}

func (m *model) failf(format string, args ...any) {
	m.t.Helper()
	m.t.Errorf("%s, call %d: %s", m.name, m.calls, fmt.Sprintf(format, args...))
}

// settle writes what a handle has pending.
func (m *model) settle(h *handle) {
	if h.unlock != nil {
		h.unlock()
		h.unlock = nil
	}
	_, err := h.v.FlushCache(m.ctx)
	m.wantNil("flush", err)
	m.noteFlushes(h)
	if len(h.pending) > 0 {
		m.failf("%d changes are still pending after a flush", len(h.pending))
	}
}

// noteFlushes looks at the counts of a cache: an empty one has written everything.
func (m *model) noteFlushes(h *handle) {
	stats := h.v.CacheStats()
	if stats.Entries == 0 {
		m.write(h)
	}
	h.flushes = stats.Flushes
}

// write takes what was pending to the file.
func (m *model) write(h *handle) {
	for _, change := range h.pending {
		change(m.stored)
	}
	h.pending = nil
}

// seen is what a handle shows.
func (m *model) seen(h *handle) *state {
	s := m.stored.clone()
	for _, change := range h.pending {
		change(s)
	}
	return s
}

// step makes one call.
func (m *model) step(t *tape, depth int) {
	h := m.handles[t.next(len(m.handles))]
	if m.config.cache == cacheDaemon && m.last != nil && m.last != h {
		m.settle(m.last) // when the background does so is not for others to know
	}
	m.last = h
	m.calls++
	switch n := t.next(40); {
	case n < 12:
		m.put(h, t)
	case n < 18:
		m.remove(h, t)
	case n < 22:
		m.update(h, t)
	case n < 30:
		m.changeColumns(h, t)
	case n < 36:
		m.read(h, t)
	case n < 38:
		m.control(h, t, depth)
	default:
		m.maintain(h, t)
	}
	m.noteFlushes(h) // a call that failed may have flushed
	if m.calls%16 == 0 {
		m.compareAll(h)
	}
}

// scope runs some calls with the cache of one handle on.
func (m *model) scope(h *handle, t *tape, depth int) {
	n := t.next(12)
	err := h.v.WithCache(m.ctx, &kvault.CacheOptions{Capacity: 4000 + 1000*int64(depth)}, func() error {
		for i := 0; i < n && len(t.left) > 0; i++ {
			m.step(t, depth+1)
		}
		return nil
	})
	m.wantNil("with cache", err)
	m.noteFlushes(h)
	if depth == 0 && len(h.pending) > 0 {
		m.failf("%d changes are pending after WithCache", len(h.pending))
	}
}

// control makes a call that has to do with the cache.
func (m *model) control(h *handle, t *tape, depth int) {
	switch {
	case m.config.cache == cacheScoped && depth < 2:
		m.scope(h, t, depth)
	case m.config.cache == cacheLocked && h.unlock == nil && t.yes():
		unlock, err := h.v.LockCache()
		m.wantNil("lock", err)
		h.unlock = unlock
	case h.unlock != nil:
		n, err := h.v.FlushCache(m.ctx)
		if n != 0 || err != nil {
			m.failf("flush of a locked cache: %d, %v", n, err)
		}
		h.unlock()
		h.unlock = nil
	default:
		m.settle(h)
	}
}

// compareAll holds all that a handle shows against the model.
func (m *model) compareAll(h *handle) {
	m.t.Helper()
	want := m.seen(h)
	got := map[string]string{}
	err := h.v.View(m.ctx, func(tx *kvault.Tx) error {
		for item, err := range tx.Items(m.ctx, nil) {
			if err != nil {
				return err
			}
			got[item.Key] = string(item.Value)
		}
		return m.compareColumns(h, tx, want)
	})
	m.wantNil("read everything", err)
	want.compareValues(m, got)
	if n, err := h.v.Len(m.ctx); err != nil || n != int64(len(want.values)) {
		m.failf("%d keys, %v; want %d", n, err, len(want.values))
	}
	for _, key := range slices.Sorted(maps.Keys(want.values)) {
		m.readKey(h, key, want)
	}
}
