package main

import (
	"strings"
	"testing"
	"time"
)

func runs(ours, work, whole time.Duration, peak int64) outcome {
	return outcome{
		contest: contest{name: "import", against: "DuckDB", within: 150 * mib},
		ours:    []result{{work: ours, whole: ours, peak: peak}},
		theirs:  []result{{work: work, whole: whole, peak: 200 * mib}},
	}
}

func TestFiguresShowWhatIsMissed(t *testing.T) {
	for _, test := range []struct {
		name string
		of   outcome
		want []string
	}{
		{"met", runs(2*time.Second, time.Second, 1500*time.Millisecond, 150*mib-1), []string{"2.00 (2.00 to 2.00)", "1.33", "times: met", "150 MiB: met"}},
		{"slow", runs(2001*time.Millisecond, time.Second, 2*time.Second, mib), []string{"times: **missed**", "150 MiB: met"}},
		{"large", runs(time.Second, time.Second, time.Second, 150*mib), []string{"times: met", "150 MiB: **missed**"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := figures([]outcome{test.of})
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in\n%s", want, got)
				}
			}
		})
	}
}

// Ratios are formed within a round: a round in which all were slow says nothing of who is faster.
func TestRatiosAreThoseOfARound(t *testing.T) {
	o := runs(time.Second, time.Second, time.Second, mib)
	for range 2 {
		slow := runs(10*time.Second, 5*time.Second, 5*time.Second, mib)
		o.ours, o.theirs = append(o.ours, slow.ours...), append(o.theirs, slow.theirs...)
	}
	if got := figures([]outcome{o}); !strings.Contains(got, "2.00 (1.00 to 2.00)") {
		t.Errorf("no ratio of 2 in\n%s", got)
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		x    []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{3, 1}, 2}, {[]float64{3, 1, 2}, 2}} {
		if got := median(test.x); got != test.want {
			t.Errorf("median of %v is %v, want %v", test.x, got, test.want)
		}
	}
}

func TestSameStats(t *testing.T) {
	const numpy = `{"sum": 6, "min": 1, "max": 3, "mean": 2.0, "counts": [2, 1]}`
	for _, test := range []struct {
		ours string
		same bool
	}{
		{`{"sum":6,"min":1,"max":3,"mean":2,"histogram":[{"count":2},{"count":1}]}`, true},
		{`{"sum":6.0000000000001,"min":1,"max":3,"mean":2,"histogram":[{"count":2},{"count":1}]}`, true},
		{`{"sum":7,"min":1,"max":3,"mean":2,"histogram":[{"count":2},{"count":1}]}`, false},
		{`{"sum":6,"min":1,"max":3,"mean":2,"histogram":[{"count":1},{"count":2}]}`, false},
		{`{"sum":6,"min":1,"max":3,"histogram":[{"count":2},{"count":1}]}`, false},
	} {
		if err := sameStats([]byte(test.ours), []byte(numpy)); (err == nil) != test.same {
			t.Errorf("%s: error %v, want same: %v", test.ours, err, test.same)
		}
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{7: "7", 999: "999", 1000: "1,000", 100000000: "100,000,000"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}
