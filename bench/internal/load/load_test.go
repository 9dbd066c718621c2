package load_test

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kohakuvault/kvault/bench/internal/contract"
	"github.com/kohakuvault/kvault/bench/internal/load"
	"github.com/kohakuvault/kvault/bench/internal/plan"
)

// fake is a store in memory that offers everything; hurt changes what it reads.
type fake struct {
	load.Chunked
	mu     *sync.Mutex
	values map[string][]byte
	column *[]int64
	hurt   func([]byte) []byte
}

func newFake(values map[string][]byte, column *[]int64) *fake {
	f := &fake{mu: &sync.Mutex{}, values: values, column: column, hurt: func(b []byte) []byte { return b }}
	f.Chunked = load.Chunked{Batcher: f, Peeker: f}
	return f
}

func (f *fake) Close() error { return nil }

func (f *fake) Put(key string, value []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.values[key] = bytes.Clone(value)
	return nil
}

func (f *fake) Get(key string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	value, ok := f.values[key]
	if !ok {
		return nil, load.ErrNoKey
	}
	return f.hurt(bytes.Clone(value)), nil
}

func (f *fake) PutBatch(pairs iter.Seq2[string, []byte]) error {
	for key, value := range pairs {
		if err := f.Put(key, value); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) Peek(key string, fn func([]byte) error) error {
	value, err := f.Get(key)
	if err != nil {
		return err
	}
	return fn(value)
}

func (f *fake) View(keys []string, each func(int, []byte)) error {
	for i, key := range keys {
		value, err := f.Get(key)
		if err != nil {
			return err
		}
		each(i, value)
	}
	return nil
}

func (f *fake) List(each func(string)) error {
	for _, key := range slices.Sorted(maps.Keys(f.values)) {
		each(key)
	}
	return nil
}

func (f *fake) Extend(x []int64) error {
	*f.column = append(*f.column, x...)
	return nil
}

func (f *fake) Scan(each func([]int64)) error {
	each(*f.column)
	return nil
}

func (f *fake) At(i int64) (int64, error) { return (*f.column)[i], nil }

// bare offers the least.
type bare struct{ load.Store }

// workbench is where the tests' cases find their data.
type workbench struct {
	*contract.Data
	dir string
}

func newWorkbench(t *testing.T) workbench {
	t.Helper()
	dir := t.TempDir()
	pool := filepath.Join(dir, "pool")
	if err := contract.WritePool(pool, plan.Seed); err != nil {
		t.Fatal(err)
	}
	d, err := contract.LoadData(pool, plan.Seed)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "tree", "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tree/a", "tree/sub/b"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return workbench{d, dir}
}

// prepare gives the case what the harness would.
func (w workbench) prepare(t *testing.T, c *plan.Case) {
	t.Helper()
	c.Dir, c.Pool = w.dir, filepath.Join(w.dir, "pool")
	switch c.Source {
	case plan.Tree:
		c.Path = filepath.Join(w.dir, "tree")
	case plan.File, plan.Pipe:
		c.Path = filepath.Join(w.dir, "stream")
		if c.Workload != "streamin" {
			return
		}
		b, err := io.ReadAll(w.Stream(c.Size))
		if err == nil {
			err = os.WriteFile(c.Path, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func smokeCases(t *testing.T) []plan.Case {
	t.Helper()
	s, err := plan.ScaleOf("smoke")
	if err != nil {
		t.Fatal(err)
	}
	return plan.Cases(s)
}

// TestChecksums runs every case of the smoke scale and holds what it reads against what the plan
// computes on its own.
func TestChecksums(t *testing.T) {
	w := newWorkbench(t)
	for _, c := range smokeCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			w.prepare(t, &c)
			values, column := map[string][]byte{}, []int64{}
			open := func(contract.Params) (load.Store, error) { return newFake(values, &column), nil }
			if c.Filled {
				p := c.Params
				p.Fill, p.Path = true, ""
				if _, err := load.Run(p, open); err != nil {
					t.Fatal("filling:", err)
				}
			}
			got, err := load.Run(c.Params, open)
			if err != nil {
				t.Fatal(err)
			}
			want, err := c.Expect(w.Data)
			if err != nil || got.Checksum != want || want == 0 {
				t.Errorf("checksum %x, want %x; %v", uint64(got.Checksum), uint64(want), err)
			}
			if got.Ops <= 0 || got.Bytes <= 0 || got.ElapsedNS <= 0 || got.PeakBytes <= 0 {
				t.Errorf("figures are missing: %+v", got)
			}
		})
	}
}

// TestDamageIsFound lets the store read one byte wrong, where the sampled checksum alone would not
// see it.
func TestDamageIsFound(t *testing.T) {
	w := newWorkbench(t)
	for _, c := range smokeCases(t) {
		if c.Size < 1000 || c.Workload == "range" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			w.prepare(t, &c)
			values, column := map[string][]byte{}, []int64{}
			f := newFake(values, &column)
			open := func(contract.Params) (load.Store, error) { return f, nil }
			if c.Filled {
				p := c.Params
				p.Fill, p.Path = true, ""
				if _, err := load.Run(p, open); err != nil {
					t.Fatal("filling:", err)
				}
			}
			f.hurt = func(b []byte) []byte {
				b[len(b)/2+1] ^= 1
				return b
			}
			if _, err := load.Run(c.Params, open); err == nil || !strings.Contains(err.Error(), "differ") {
				t.Errorf("got %v, want a difference", err)
			}
		})
	}
}

// keeper keeps what it is given, without a copy.
type keeper struct{ parts [][]byte }

func (k *keeper) Write(p []byte) (int, error) {
	k.parts = append(k.parts, p)
	return len(p), nil
}

// TestMappedStreamsAreCopied has a store that lends the same memory always, as a mapped file does.
func TestMappedStreamsAreCopied(t *testing.T) {
	values, lent := map[string][]byte{}, []byte("lent")
	f := newFake(values, nil)
	f.hurt = func([]byte) []byte { return lent }
	if err := f.PutStream("s", bytes.NewReader([]byte("some")), 4); err != nil {
		t.Fatal(err)
	}
	for _, mapped := range []bool{false, true} {
		f.Mapped = mapped
		k := &keeper{}
		if err := f.GetStream("s", k); err != nil || len(k.parts) != 1 || string(k.parts[0]) != "lent" {
			t.Fatalf("%q, %v", k.parts, err)
		}
		if copied := &k.parts[0][0] != &lent[0]; copied != mapped {
			t.Errorf("mapped is %v, and copied %v", mapped, copied)
		}
	}
}

func TestWhatAStoreDoesNotOffer(t *testing.T) {
	w := newWorkbench(t)
	for _, c := range smokeCases(t) {
		open := func(contract.Params) (load.Store, error) { return bare{newFake(map[string][]byte{}, nil)}, nil }
		w.prepare(t, &c)
		_, err := load.Run(c.Params, open)
		switch c.Workload {
		case "list", "streamin", "streamout", "range", "extend", "append", "scan", "element":
			if !errors.Is(err, load.ErrUnsupported) {
				t.Errorf("%s: %v, want ErrUnsupported", c.Name, err)
			}
		}
	}
}

func TestRunErrors(t *testing.T) {
	w := newWorkbench(t)
	p := contract.Params{Workload: "put", Ops: 1, Size: 10, Batch: 1, Pool: filepath.Join(w.dir, "pool"), Dir: w.dir}
	broken := errors.New("broken")
	fails := func(contract.Params) (load.Store, error) { return nil, broken }
	if _, err := load.Run(p, fails); !errors.Is(err, broken) {
		t.Errorf("a store that does not open: %v", err)
	}
	p.Workload = "dance"
	if _, err := load.Run(p, fails); err == nil || !strings.Contains(err.Error(), "dance") {
		t.Errorf("an unknown workload: %v", err)
	}
	p.Workload, p.Pool = "get", filepath.Join(w.dir, "none")
	if _, err := load.Run(p, fails); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no pool: %v", err)
	}
}
