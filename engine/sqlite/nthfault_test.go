package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver/faultfs"
)

var faulty = faultfs.New("kvault-faulty")

// faultCase is an operation on the store of fillForFaults. It returns what has changed in the contents if it succeeds.
type faultCase struct {
	name string
	run  func(t *testing.T, s *Store) error
	then func(want map[string][]byte)
}

func applying(ops ...engine.Op) func(t *testing.T, s *Store) error {
	return func(t *testing.T, s *Store) error { _, err := s.Apply(t.Context(), ops); return err }
}

var faultCases = []faultCase{
	{"put", applying(engine.Op{Kind: engine.Put, Key: "k1", Value: filled('n', 5000)}),
		func(want map[string][]byte) { want["k1"] = filled('n', 5000) }},
	{"stream", streamInto, func(want map[string][]byte) { want["large"] = filled('s', 20000) }},
	{"flush", flushMany, func(want map[string][]byte) {
		for i := range 20 {
			want[fmt.Sprint("f", i)] = filled('f', 100*i)
		}
		delete(want, "k2")
	}},
	{"delete", applying(engine.Op{Kind: engine.Delete, Key: "large"}, engine.Op{Kind: engine.Delete, Key: "k1"}),
		func(want map[string][]byte) { delete(want, "large"); delete(want, "k1") }},
	{"append", appendToArray, func(want map[string][]byte) {
		want[arrayKey] = slices.Concat(want[arrayKey], filled('a', 6000))
		want["k1"] = filled('m', 10)
	}},
	{"vacuum", func(t *testing.T, s *Store) error { return s.Optimize(t.Context()) }, func(map[string][]byte) {}},
}

// arrayKey stands for the array among the contents.
const arrayKey = "\x00array"

func filled(c byte, n int) []byte { return bytes.Repeat([]byte{c}, n) }

func streamInto(t *testing.T, s *Store) error {
	st, err := s.Stage(t.Context(), engine.StageOptions{ChunkSize: 8192, Size: -1})
	if err != nil {
		return err
	}
	defer st.Abort()
	for p := range slices.Chunk(filled('s', 20000), 8192) {
		if err := st.WriteChunk(t.Context(), p); err != nil {
			return err
		}
	}
	_, err = s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "large", Staged: st}})
	return err
}

func flushMany(t *testing.T, s *Store) error {
	ops := []engine.Op{{Kind: engine.Delete, Key: "k2"}}
	for i := range 20 {
		ops = append(ops, engine.Op{Kind: engine.Put, Key: fmt.Sprint("f", i), Value: filled('f', 100*i)})
	}
	_, err := s.Apply(t.Context(), ops)
	return err
}

// appendToArray adds to the array and puts a value in one transaction.
func appendToArray(t *testing.T, s *Store) error {
	ctx := t.Context()
	x, err := s.Begin(ctx, true)
	if err != nil {
		return err
	}
	defer x.Rollback()
	arrays := x.(engine.Arrays)
	a, err := arrays.Array(ctx, "array")
	if err != nil {
		return err
	}
	size, err := arrays.ChunkSize(ctx, a.ID, 0)
	if err == nil {
		err = arrays.ResizeChunk(ctx, a.ID, 0, size+6000)
	}
	if err == nil {
		err = arrays.WriteChunk(ctx, a.ID, 0, size, filled('a', 6000))
	}
	if err == nil {
		err = arrays.SetArrayLength(ctx, a.ID, size+6000)
	}
	if err == nil {
		_, err = x.Apply(ctx, []engine.Op{{Kind: engine.Put, Key: "k1", Value: filled('m', 10)}})
	}
	if err != nil {
		return err
	}
	return x.Commit(ctx)
}

// fillForFaults makes the vault that every fault meets, and returns its contents.
func fillForFaults(t *testing.T, path string, o Options) map[string][]byte {
	t.Helper()
	s, err := Open(t.Context(), path, &o)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"k1": filled('1', 3000), "k2": filled('2', 30), "k3": {}, "large": filled('l', 12000), arrayKey: filled('x', 2000)}
	for key, value := range want {
		if key != arrayKey {
			apply(t, s, engine.Op{Kind: engine.Put, Key: key, Value: value})
		}
	}
	x := begin(t, s)
	arrays := x.(engine.Arrays)
	a, err := arrays.CreateArray(t.Context(), engine.Array{Name: "array", Type: "bytes:1", ElemSize: 1, MinChunk: 1024, MaxChunk: 1 << 20})
	err = errors.Join(err, arrays.ResizeChunk(t.Context(), a.ID, 0, 2000), arrays.WriteChunk(t.Context(), a.ID, 0, 0, want[arrayKey]),
		arrays.SetArrayLength(t.Context(), a.ID, 2000), x.Commit(t.Context()), s.Close())
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// contents reads all that a store holds and checks it.
func contents(t *testing.T, s *Store) map[string][]byte {
	t.Helper()
	ctx := t.Context()
	if err := s.Check(ctx, func(p engine.Problem) { t.Errorf("check: %q: %v", p.Key, p.Err) }, nil); err != nil {
		t.Errorf("check: %v", err)
	}
	x, err := s.Begin(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Rollback()
	page, err := x.List(ctx, engine.Query{Limit: 1000, Values: true})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]byte{}
	for _, item := range page.Items {
		got[item.Key] = item.Value
	}
	arrays := x.(engine.Arrays)
	a, err := arrays.Array(ctx, "array")
	if err != nil {
		t.Fatal(err)
	}
	got[arrayKey] = make([]byte, a.Length)
	if err := arrays.ReadChunk(ctx, a.ID, 0, 0, got[arrayKey]); err != nil {
		t.Error(err)
	}
	return got
}

func expect(t *testing.T, s *Store, when string, want map[string][]byte) {
	t.Helper()
	if got := contents(t, s); !maps.EqualFunc(got, want, bytes.Equal) {
		for key := range want {
			if !bytes.Equal(got[key], want[key]) {
				t.Errorf("%s: %q has %d bytes, want %d", when, key, len(got[key]), len(want[key]))
			}
		}
		t.Errorf("%s: %d keys, want %d", when, len(got), len(want))
	}
}

var faultKinds = func() (all []faultfs.Fault) {
	for _, forever := range []bool{false, true} {
		for op := faultfs.Read; op <= faultfs.Open; op++ {
			all = append(all, faultfs.Fault{Op: op, Forever: forever})
		}
		all = append(all, faultfs.Fault{Op: faultfs.Write, Forever: forever, Full: true},
			faultfs.Fault{Op: faultfs.Write, Forever: forever, Short: true},
			faultfs.Fault{Op: faultfs.Write, Forever: forever, Full: true, Short: true})
	}
	return all
}()

// eachFault runs one with the first file operation of each kind failing, then the second and so on, until nothing fails.
func eachFault(t *testing.T, one func(t *testing.T, path string, o Options, f faultfs.Fault, want map[string][]byte) (fired bool)) {
	for _, rollback := range []bool{false, true} {
		o := Options{PageSize: 1024, OneRowLimit: 8000, CacheKB: 16, DisableWAL: rollback, Full: true}
		dir := t.TempDir()
		want := fillForFaults(t, filepath.Join(dir, "template"), o)
		template, err := os.ReadFile(filepath.Join(dir, "template"))
		if err != nil {
			t.Fatal(err)
		}
		count := 0
		for _, f := range faultKinds {
			fired := true
			for f.Nth = 1; fired && !t.Failed(); f.Nth = nextFault(f.Nth) {
				path := filepath.Join(dir, fmt.Sprint("vault", count))
				if err := os.WriteFile(path, template, 0o600); err != nil {
					t.Fatal(err)
				}
				fired = one(t, path, o, f, maps.Clone(want))
				if fired {
					count++
				}
				if t.Failed() {
					t.Fatalf("rollback journal %t, %v %+v", rollback, f.Op, f)
				}
				removeDatabase(path)
			}
		}
		t.Logf("rollback journal %t: %d faults", rollback, count)
	}
}

// Whatever fails while a store works, what was acknowledged is there, what was refused is not, and nothing is damaged: on the
// handle that met the fault as much as on the next one.
func TestNthFault(t *testing.T) {
	for _, c := range faultCases {
		t.Run(c.name, func(t *testing.T) {
			eachFault(t, func(t *testing.T, path string, o Options, f faultfs.Fault, want map[string][]byte) bool {
				o.vfs = "kvault-faulty"
				s, err := Open(t.Context(), path, &o)
				if err != nil {
					t.Fatal(err)
				}
				faulty.Arm(f)
				err = c.run(t, s)
				fired := faulty.Disarm()
				if err == nil {
					c.then(want)
				} else if !fired {
					t.Errorf("without a fault: %v", err)
				}
				expect(t, s, fmt.Sprintf("after %v", err), want)
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
				expectFile(t, path, o, want)
				return fired
			})
		})
	}
}

func expectFile(t *testing.T, path string, o Options, want map[string][]byte) {
	t.Helper()
	o.vfs = ""
	s, err := Open(t.Context(), path, &o)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, s, "opened again", want)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A store that cannot be opened is as it was.
func TestNthFaultAtOpen(t *testing.T) {
	eachFault(t, func(t *testing.T, path string, o Options, f faultfs.Fault, want map[string][]byte) bool {
		o.vfs = "kvault-faulty"
		faulty.Arm(f)
		s, err := Open(t.Context(), path, &o)
		fired := faulty.Disarm()
		if err == nil {
			expect(t, s, "opened", want)
			err = s.Close()
		}
		if err != nil && !fired {
			t.Errorf("without a fault: %v", err)
		}
		expectFile(t, path, o, want)
		return fired
	})
}

// A backup is complete, or not there at all.
func TestNthFaultInBackup(t *testing.T) {
	eachFault(t, func(t *testing.T, path string, o Options, f faultfs.Fault, want map[string][]byte) bool {
		o.vfs = "kvault-faulty"
		s, err := Open(t.Context(), path, &o)
		if err != nil {
			t.Fatal(err)
		}
		target := path + ".copy"
		defer removeDatabase(target)
		faulty.Arm(f)
		err = s.Backup(t.Context(), target, nil)
		fired := faulty.Disarm()
		if err == nil {
			expectFile(t, target, o, want)
		} else if left, _ := filepath.Glob(target + "*"); len(left) > 0 || !fired {
			t.Errorf("%v, and %q left", err, left)
		}
		expect(t, s, "after a backup", want)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		return fired
	})
}
