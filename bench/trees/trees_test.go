package main

import (
	"strings"
	"testing"
	"time"
)

func TestFigures(t *testing.T) {
	o := outcome{contest: contest{name: "case", sides: []side{{name: "ours"}, {name: "a", aim: 1.5}, {name: "b", aim: 0.5}}}}
	for _, ms := range []time.Duration{10, 30, 20} {
		o.results = append(o.results, []result{
			{ms * time.Millisecond, 4 * time.Millisecond},
			{10 * time.Millisecond, 2 * time.Millisecond},
			{100 * time.Millisecond, 8 * time.Millisecond},
		})
	}
	got := figures([]outcome{o})
	for _, want := range []string{
		"| case | `ours` | 20 ms | 4 ms | | | |\n",
		"| case | `a` | 10 ms | 2 ms | 2.00 (1.00 to 3.00) | 2.00 | at most 1.5: **missed** |\n",
		"| case | `b` | 100 ms | 8 ms | 0.20 (0.10 to 0.30) | 0.50 | at most 0.5: met |\n",
		"3 rounds",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"x"}, {"-rounds", "0"}, {"-files", "0"}, {"-large", "-1"}, {"-nonsense"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
