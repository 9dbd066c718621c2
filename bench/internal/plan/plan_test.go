package plan_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/kohakuvault/kvault/bench/internal/plan"
)

func TestCasesAreUniqueAndComplete(t *testing.T) {
	for _, s := range plan.Scales {
		seen := map[string]bool{}
		for _, c := range plan.Cases(s) {
			if seen[c.Name] || c.Group == "" || c.Workload == "" || len(c.Entrants) < 2 || c.Entrants[0] != "vault" {
				t.Errorf("%s: case %+v", s.Name, c)
			}
			seen[c.Name] = true
			if sorted := slices.Sorted(slices.Values(c.Entrants)); len(slices.Compact(sorted)) != len(c.Entrants) {
				t.Errorf("%s: an entrant takes part twice: %v", c.Name, c.Entrants)
			}
			if c.Filled && c.Keys == 0 {
				t.Errorf("%s is filled with nothing", c.Name)
			}
		}
	}
}

func TestSelect(t *testing.T) {
	s, err := plan.ScaleOf("smoke")
	if err != nil {
		t.Fatal(err)
	}
	all := plan.Cases(s)
	got := plan.Select(all, regexp.MustCompile(`^get/1 KiB`), []plan.Entrant{"floor", "parquet", "vault"})
	if len(got) != 1 || !slices.Equal(got[0].Entrants, []plan.Entrant{"floor", "vault"}) {
		t.Errorf("got %+v", got)
	}
	if got := plan.Select(all, regexp.MustCompile(`^get/1 KiB`), []plan.Entrant{"parquet", "vault"}); len(got) != 0 {
		t.Errorf("cases without the first: %+v", got)
	}
	if got := plan.Select(all, regexp.MustCompile(``), nil); len(got) != len(all) {
		t.Errorf("%d of %d cases", len(got), len(all))
	}
}

func TestScaleOf(t *testing.T) {
	if _, err := plan.ScaleOf("huge"); err == nil {
		t.Error("an unknown scale: no error")
	}
}

func TestNames(t *testing.T) {
	if e := plan.Entrant("badger:vlog"); e.Program() != "badger" || e.Via() != "vlog" {
		t.Errorf("%q and %q", e.Program(), e.Via())
	}
	for n, want := range map[int64]string{100: "100 B", 1 << 10: "1 KiB", 1500: "1500 B", 5 << 20: "5 MiB", 1 << 30: "1 GiB"} {
		if got := plan.Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestAgainst(t *testing.T) {
	s, err := plan.ScaleOf("smoke")
	if err != nil {
		t.Fatal(err)
	}
	got := plan.Against(plan.Select(plan.Cases(s), regexp.MustCompile(`^put/1 KiB`), nil))
	var names []string
	for _, c := range got {
		if c.Entrants[0].Program() != plan.Earlier || c.Entrants[1].Program() != "vault" || c.Entrants[0].Via() != c.Entrants[1].Via() {
			t.Errorf("%s: %v", c.Name, c.Entrants)
		}
		names = append(names, c.Name)
	}
	want := []string{"put/1 KiB", "put/1 KiB, cached", "put/1 KiB, update", "put/1 KiB, stream"}
	if !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}
