package race

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/bench/internal/contract"
	"github.com/kohakuvault/kvault/bench/internal/plan"
)

// TestMain lets the test's own program be the contenders: what they do is their name.
func TestMain(m *testing.M) {
	if behaviour := os.Getenv("BENCH_TEST_CONTENDER"); behaviour != "" {
		if err := pretend(behaviour); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func pretend(behaviour string) error {
	p, err := contract.Parse(os.Args[2:])
	if err != nil {
		return err
	}
	d, err := contract.LoadData(p.Pool, p.Seed)
	if err != nil {
		return err
	}
	c := plan.Case{Params: p}
	sum, err := c.Expect(d)
	if err != nil {
		return err
	}
	res := contract.Result{ElapsedNS: 1000, Ops: p.Ops, Bytes: p.Ops * p.Size, Checksum: sum}
	switch behaviour {
	case "wrong":
		res.Checksum++
	case "fails":
		res = contract.Result{Error: "out of luck"}
	case "silent":
		fmt.Fprintln(os.Stderr, "crashed")
		os.Exit(3)
	case "late":
		defer os.Exit(4) // a result, and then a failure
	case "unable":
		res = contract.Result{Unsupported: "cannot"}
	}
	if p.Workload == "put" && behaviour == "good" {
		if err := os.WriteFile(filepath.Join(p.Dir, "store"), make([]byte, 10_000), 0o600); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(res)
}

// newTestRace is a race between pretended contenders; records lie in the returned slice.
func newTestRace(t *testing.T) (*Race, *[]Record) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	programs := &Programs{commands: map[string][]string{}}
	for _, behaviour := range []string{"good", "wrong", "fails", "silent", "late", "unable"} {
		programs.commands[behaviour] = []string{"/usr/bin/env", "BENCH_TEST_CONTENDER=" + behaviour, self, "-test.run=none"}
	}
	records := &[]Record{}
	r := &Race{Programs: programs, Dir: t.TempDir(), Scale: plan.Scale{Rounds: 3, MinRounds: 2, Minutes: 5},
		Save:     func(rec Record) error { *records = append(*records, rec); return nil },
		Progress: func(string, ...any) {}}
	return r, records
}

func testCase(entrants ...plan.Entrant) plan.Case {
	return plan.Case{Name: "test", Entrants: entrants, Params: contract.Params{Workload: "put", Ops: 5, Size: 100, Seed: plan.Seed}}
}

func TestRounds(t *testing.T) {
	r, records := newTestRace(t)
	if err := r.Run(context.Background(), []plan.Case{testCase("good", "unable", "good:other")}); err != nil {
		t.Fatal(err)
	}
	if len(*records) != 9 {
		t.Fatalf("%d records, want 9", len(*records))
	}
	for i, rec := range *records {
		if rec.Round != i/3 {
			t.Errorf("record %d is of round %d", i, rec.Round)
		}
		if rec.Entrant.Program() == "good" && rec.Result.DiskBytes < 10_000 {
			t.Errorf("%s: %d bytes on disk", rec.Entrant, rec.Result.DiskBytes)
		}
		if rec.Entrant == "unable" && rec.Result.Unsupported == "" {
			t.Errorf("unable has a result: %+v", rec.Result)
		}
	}
}

// TestBrokenContenders is why the smoke run can fail.
func TestBrokenContenders(t *testing.T) {
	for entrant, want := range map[plan.Entrant]string{
		"wrong": "read something else", "fails": "out of luck", "silent": "crashed", "late": "exit status 4",
	} {
		r, _ := newTestRace(t)
		err := r.Run(context.Background(), []plan.Case{testCase("good", entrant)})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "test: "+string(entrant)) {
			t.Errorf("%s: %v, want an error with %q and its name", entrant, err, want)
		}
	}
}

func TestResume(t *testing.T) {
	r, records := newTestRace(t)
	for round, entrants := range [][]plan.Entrant{{"good", "unable"}, {"good"}} { // the second round was cut off
		for _, e := range entrants {
			r.Done = append(r.Done, Record{Case: "test", Entrant: e, Round: round})
		}
	}
	if err := r.Run(context.Background(), []plan.Case{testCase("good", "unable")}); err != nil {
		t.Fatal(err)
	}
	if len(*records) != 4 || (*records)[0].Round != 1 || (*records)[3].Round != 2 {
		t.Errorf("got %+v, want rounds 1 and 2", *records)
	}
}

func TestTimeIsUp(t *testing.T) {
	r, records := newTestRace(t)
	r.Scale.Minutes = 0
	other := testCase("good")
	other.Name = "other"
	if err := r.Run(context.Background(), []plan.Case{testCase("good"), other}); err != nil || len(*records) != 2 {
		t.Errorf("%d records, want one round of each case; %v", len(*records), err)
	}
}

func TestNext(t *testing.T) {
	scale := plan.Scale{Rounds: 5, MinRounds: 3}
	at := func(name string, rounds int, each time.Duration) *standing {
		s := &standing{Case: plan.Case{Name: name}, done: map[int]bool{}}
		for round := range rounds {
			s.finish(round, each)
		}
		return s
	}
	for what, c := range map[string]struct {
		all  []*standing
		left time.Duration
		want string
	}{
		"each case once":              {[]*standing{at("a", 1, 1), at("b", 0, 0)}, 0, "b"},
		"in the order of the plan":    {[]*standing{at("a", 0, 0), at("b", 0, 0)}, 0, "a"},
		"fewest rounds":               {[]*standing{at("a", 2, 1), at("b", 1, 9)}, 100, "b"},
		"the cheaper":                 {[]*standing{at("a", 1, 9), at("b", 1, 5)}, 100, "b"},
		"what still fits":             {[]*standing{at("a", 2, 9), at("b", 1, 50)}, 10, "a"},
		"the least time, later":       {[]*standing{at("a", 3, 9), at("b", 4, 5)}, 100, "b"},
		"not beyond all rounds":       {[]*standing{at("a", 5, 1), at("b", 4, 5)}, 100, "b"},
		"nothing fits":                {[]*standing{at("a", 1, 9), at("b", 2, 5)}, 4, ""},
		"filling again is counted in": {[]*standing{{Case: plan.Case{Name: "a"}, done: map[int]bool{0: true}, spent: 1, refill: 9}}, 5, ""},
	} {
		got := ""
		if s := next(c.all, scale, c.left); s != nil {
			got = s.Name
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
}

func TestFilledStoresAreShared(t *testing.T) {
	r, _ := newTestRace(t)
	filled := func(workload string, keys int64) *plan.Case {
		return &plan.Case{Name: workload, Filled: true, Params: contract.Params{Workload: workload, Keys: keys, Size: 100}}
	}
	if r.folder(filled("get", 5), "e") != r.folder(filled("replace", 5), "e") {
		t.Error("reading and replacing do not share a store")
	}
	for what, other := range map[string]string{
		"another entrant": r.folder(filled("get", 5), "e:v"), "another number": r.folder(filled("get", 6), "e"),
		"a mixed load": r.folder(filled("mixed", 5), "e"),
	} {
		if other == r.folder(filled("get", 5), "e") {
			t.Errorf("%s has the same store", what)
		}
	}
}

func TestCancel(t *testing.T) {
	r, _ := newTestRace(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Run(ctx, []plan.Case{testCase("good")}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want Canceled", err)
	}
}

func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := OpenLog(path, plan.Scale{Name: "smoke"})
	if err != nil {
		t.Fatal(err)
	}
	want := Record{Case: "c", Entrant: "e:v", Round: 2, TookNS: 5, FillNS: 6, Result: contract.Result{Ops: 3, Checksum: 4}}
	if err := errors.Join(l.Add(want), l.Close()); err != nil {
		t.Fatal(err)
	}
	if l, err = OpenLog(path, plan.Scale{Name: "smoke"}); err != nil || len(l.Records()) != 1 || l.Records()[0] != want {
		t.Fatalf("got %+v, %v", l, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLog(path, plan.Scale{Name: "full"}); err == nil || !strings.Contains(err.Error(), "smoke") {
		t.Errorf("another scale: %v", err)
	}
	if _, err := OpenLog(path, plan.Scale{Name: "smoke", Ops: 7}); err == nil || !strings.Contains(err.Error(), "older plan") {
		t.Errorf("other sizes: %v", err)
	}
	if _, err := OpenLog(t.TempDir(), plan.Scale{Name: "full"}); err == nil {
		t.Error("a folder: no error")
	}
}

func TestPipes(t *testing.T) {
	r, _ := newTestRace(t)
	pool := filepath.Join(r.Dir, "pool")
	if err := contract.WritePool(pool, 1); err != nil {
		t.Fatal(err)
	}
	d, err := contract.LoadData(pool, 1)
	if err != nil {
		t.Fatal(err)
	}
	const size = 200_000
	t.Run("gives", func(t *testing.T) {
		p, err := newPipe(filepath.Join(t.TempDir(), "pipe"), d, size, true)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(p.path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		c := d.Compare()
		if _, err := f.WriteTo(c); err != nil || c.N != size {
			t.Errorf("%d bytes, %v", c.N, err)
		}
		if err := p.finish(nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("takes what is wrong", func(t *testing.T) {
		p, err := newPipe(filepath.Join(t.TempDir(), "pipe"), d, size, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p.path, make([]byte, 1000), 0); err != nil {
			t.Fatal(err)
		}
		if err := p.finish(nil); err == nil || !strings.Contains(err.Error(), "differs") {
			t.Errorf("got %v, want a difference", err)
		}
	})
	t.Run("is given up", func(t *testing.T) {
		p, err := newPipe(filepath.Join(t.TempDir(), "pipe"), d, 1<<30, true)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := p.finish(errors.New("contender failed")); err != nil || time.Since(start) > patience {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
