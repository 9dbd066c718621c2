package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/faultfs"
	"github.com/kohakuvault/kvault/internal/race"
)

var faulty = faultfs.New("kvault-faulty")

// Unsynced names a file system without faults that leaves syncs out, for tests that open thousands
// of files.
const Unsynced = "kvault-Unsynced"

var _ = faultfs.New(Unsynced)

var faultKinds = func() (all []faultfs.Fault) {
	for _, forever := range []bool{false, true} {
		for op := faultfs.Read; op <= faultfs.Size; op++ {
			all = append(all, faultfs.Fault{Op: op, Forever: forever})
		}
		all = append(all, faultfs.Fault{Op: faultfs.Write, Forever: forever, Full: true},
			faultfs.Fault{Op: faultfs.Write, Forever: forever, Short: true},
			faultfs.Fault{Op: faultfs.Write, Forever: forever, Full: true, Short: true})
	}
	return all
}()

// template makes a vault of a layout, and returns its contents.
type template func(t *testing.T, path string, o Options, layout int) (want map[string][]byte)

// eachFault runs one without a fault, and then with those file operations of each kind failing that
// faultsAmong chooses, until nothing fails. Each time the vault is as made left it, in each of the
// layouts.
func eachFault(t *testing.T, faulty *faultfs.FS, layouts []int, made template,
	one func(t *testing.T, path string, o Options, f faultfs.Fault, want map[string][]byte) (fired bool)) {
	for _, layout := range layouts {
		eachFaultIn(t, faulty, layout, made, one)
	}
}

func eachFaultIn(t *testing.T, faulty *faultfs.FS, layout int, made template,
	one func(t *testing.T, path string, o Options, f faultfs.Fault, want map[string][]byte) (fired bool)) {
	for _, rollback := range []bool{false, true} {
		o := Options{PageSize: 1024, OneRowLimit: 8000, CacheKB: 16, DisableWAL: rollback, Full: true, vfs: Unsynced}
		dir := t.TempDir()
		whole := filepath.Join(dir, "template")
		want := made(t, whole, o, layout)
		count := 0
		meet := func(f faultfs.Fault) (fired bool) {
			path := filepath.Join(dir, fmt.Sprint("vault", count))
			copyDatabase(t, whole, path)
			if fired = one(t, path, o, f, maps.Clone(want)); fired {
				count++
			}
			if t.Failed() {
				t.Fatalf("layout %d, rollback journal %t, %v %+v", layout, rollback, f.Op, f)
			}
			removeDatabase(path)
			return fired
		}
		meet(faultfs.Fault{})
		seen := map[faultfs.Op]int64{}
		for _, f := range faultKinds {
			seen[f.Op] = faulty.Seen(f.Op)
		}
		for _, f := range faultKinds {
			for f.Nth = range faultsAmong(seen[f.Op]) {
				if !meet(f) {
					break
				}
			}
		}
		t.Logf("layout %d, rollback journal %t: %d faults", layout, rollback, count)
	}
}

// copyDatabase copies what would survive the process: not the shared memory, which whoever comes
// first makes anew.
func copyDatabase(t *testing.T, from, to string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-journal"} {
		data, err := os.ReadFile(from + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(to+suffix, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever fails while a store works, what was acknowledged is there, what was refused is not, and
// nothing is damaged: on the handle that met the fault as much as on the next one, and so it stays
// when that handle goes on. A process that dies right after the fault leaves a refused change
// wholly there or not at all: SQLite may have written it to its log before something else failed.
func TestNthFault(t *testing.T) {
	cases := faultCases
	if race.Slowdown == 1 { // the run with the detector has all of them
		cases = Some(len(cases)/3, cases)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			vfs := "kvault-faulty-" + c.name
			faulty := faultfs.New(vfs)
			cameBack := 0
			eachFault(t, faulty, amongLayouts(), fillForFaults, func(t *testing.T, path string, o Options, f faultfs.Fault, want map[string][]byte) bool {
				o.vfs = vfs
				s, err := Open(t.Context(), path, &o)
				if err != nil {
					t.Fatal(err)
				}
				if c.churn {
					churn(t, s, want)
				}
				faulty.Arm(f)
				err = c.run(t, s)
				fired := faulty.Disarm()
				changed := maps.Clone(want)
				c.then(changed)
				if err == nil {
					want = changed
				} else if !fired {
					t.Errorf("without a fault: %v", err)
				}
				if fired && expectAfterDeath(t, s, path, o, want, changed) {
					cameBack++
				}
				expect(t, s, fmt.Sprintf("after %v", err), want)
				apply(t, s, engine.Op{Kind: engine.Put, Key: "later", Value: filled('+', 2000)})
				want["later"] = filled('+', 2000)
				expect(t, s, fmt.Sprintf("later, after %v", err), want)
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
				expectFile(t, path, o, want)
				return fired
			})
			t.Logf("%d refused changes would be there if the process had died at once", cameBack)
		})
	}
}

// expectAfterDeath opens a copy of the files as they are now. They hold want, or what the refused
// call would have made of it; it reports the second.
func expectAfterDeath(t *testing.T, s *Store, path string, o Options, want, changed map[string][]byte) (cameBack bool) {
	t.Helper()
	dead := path + "-dead"
	defer removeDatabase(dead)
	s.writer.turn <- struct{}{} // so that the sweeper does not write meanwhile
	copyDatabase(t, path, dead)
	s.writer.release()
	o.vfs = Unsynced
	next, err := Open(t.Context(), dead, &o)
	if err != nil {
		t.Errorf("after the process's death: %v", err)
		return false
	}
	got := contents(t, next)
	if cameBack = !maps.EqualFunc(got, want, bytes.Equal); cameBack && !maps.EqualFunc(got, changed, bytes.Equal) {
		t.Errorf("after the process's death: %d keys, neither the old state nor the new", len(got))
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
	return cameBack
}

func expectFile(t *testing.T, path string, o Options, want map[string][]byte) {
	t.Helper()
	o.vfs = Unsynced
	s, err := Open(t.Context(), path, &o)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, s, "opened again", want)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// killedInTransaction is fillForFaults by a process that was killed: with a log or a journal that
// the next Open has to read.
func killedInTransaction(t *testing.T, path string, o Options, layout int) map[string][]byte {
	t.Helper()
	work := path + "-work"
	want := fillForFaults(t, work, o, layout)
	s, err := Open(t.Context(), work, &o)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, engine.Op{Kind: engine.Put, Key: "k1", Value: filled('w', 9000)})
	want["k1"] = filled('w', 9000)
	err = s.onWriter(t.Context(), func(c *driver.Conn) error {
		defer c.Rollback()
		err := errors.Join(c.Exec(`PRAGMA cache_size=1; PRAGMA cache_spill=1`), c.Begin(true), c.Exec(`UPDATE kvault SET value = zeroblob(5000)`))
		copyDatabase(t, work, path)
		return err
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"-wal", "-journal"} {
		if info, err := os.Stat(path + suffix); err == nil && info.Size() > 0 {
			return want
		}
	}
	t.Fatal("nothing is left to be played back")
	return nil
}

// A store that cannot be opened is as it was, also if a crash left it something to play back.
func TestNthFaultAtOpen(t *testing.T) {
	for name, made := range map[string]template{"closed": fillForFaults, "killed": killedInTransaction} {
		t.Run(name, func(t *testing.T) {
			eachFault(t, faulty, amongLayouts(), made, func(t *testing.T, path string, o Options, f faultfs.Fault, want map[string][]byte) bool {
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
		})
	}
}

// A vault that could not be made can be made by the next call.
func TestNthFaultAtCreation(t *testing.T) {
	eachFault(t, faulty, []int{2}, func(*testing.T, string, Options, int) map[string][]byte { return nil },
		func(t *testing.T, path string, o Options, f faultfs.Fault, _ map[string][]byte) bool {
			o.vfs = "kvault-faulty"
			faulty.Arm(f)
			s, err := Open(t.Context(), path, &o)
			fired := faulty.Disarm()
			if err == nil {
				err = s.Close()
			}
			if err != nil && !fired {
				t.Errorf("without a fault: %v", err)
			}
			o.vfs = Unsynced
			s, err = Open(t.Context(), path, &o)
			if err != nil {
				t.Error(err)
				return fired
			}
			apply(t, s, engine.Op{Kind: engine.Put, Key: "k", Value: filled('v', 100)})
			err = s.Check(t.Context(), func(p engine.Problem) { t.Errorf("%+v", p) }, nil)
			if err := errors.Join(err, s.Close()); err != nil {
				t.Error(err)
			}
			return fired
		})
}

// A backup is complete, or not there at all.
func TestNthFaultInBackup(t *testing.T) {
	eachFault(t, faulty, amongLayouts(), fillForFaults, func(t *testing.T, path string, o Options, f faultfs.Fault, want map[string][]byte) bool {
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

// An upgrade that fails leaves all values with their metadata, in layout 1 or 2, and the next one
// ends the work.
func TestNthFaultInUpgrade(t *testing.T) {
	t.Parallel()
	const vfs = "kvault-faulty-upgrade"
	faulty := faultfs.New(vfs)
	eachFault(t, faulty, []int{1}, fillForFaults, func(t *testing.T, path string, o Options, f faultfs.Fault, want map[string][]byte) bool {
		plain := o
		o.vfs = vfs
		s, err := Open(t.Context(), path, &o)
		if err != nil {
			t.Fatal(err)
		}
		all := engine.Query{Limit: 100, Values: true}
		before, err := s.List(t.Context(), all)
		if err != nil {
			t.Fatal(err)
		}
		faulty.Arm(f)
		err = s.upgrade(t.Context(), nil)
		fired := faulty.Disarm()
		if err != nil && !fired {
			t.Errorf("without a fault: %v", err)
		}
		same := func(s *Store, when string) {
			t.Helper()
			expect(t, s, when, want)
			if got, err := s.List(t.Context(), all); err != nil || !reflect.DeepEqual(got, before) {
				t.Errorf("%s: %v, and %+v, want %+v", when, err, got, before)
			}
		}
		dead := path + "-dead"
		defer removeDatabase(dead)
		copyDatabase(t, path, dead)
		same(s, fmt.Sprintf("after %v", err))
		if err := errors.Join(s.upgrade(t.Context(), nil), s.Close()); err != nil || !s.currentTable().inRow {
			t.Errorf("upgraded again: %v", err)
		}
		if s, err = Open(t.Context(), dead, &plain); err != nil {
			t.Error(err)
			return fired
		}
		same(s, "after the process's death")
		err = s.upgrade(t.Context(), nil)
		same(s, "upgraded after the process's death")
		if err := errors.Join(err, s.Close()); err != nil || !s.currentTable().inRow {
			t.Errorf("upgraded after the process's death: %v", err)
		}
		return fired
	})
}
