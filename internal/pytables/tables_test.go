//go:build python

package pytables

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// outcome is what a script says of one file.
type outcome struct {
	File                                      string
	Rows, Columns, Cells, Compared, Differing int64
	Notes                                     map[string]int64
	Faults                                    []string
	Message                                   string
}

// outcomes runs a script and passes on what it says of each file.
func outcomes(t *testing.T, script string, args []string, each func(outcome)) {
	t.Helper()
	command, interp := programs(t)
	args = append([]string{filepath.Join("testdata", script), "--kvault", command, "--only", *only}, args...)
	cmd := exec.CommandContext(t.Context(), interp, args...)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(bufio.NewReader(out)); ; {
		var o outcome
		if err := dec.Decode(&o); err == io.EOF {
			break
		} else if err != nil {
			t.Errorf("%s: %v", script, err)
			break
		}
		each(o)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%s: %v", script, err)
	}
}

// total adds up what is said of all files, and fails the test for every fault.
type total struct {
	files                        int
	rows, cells, compared, wrong int64
	notes                        map[string]int64
}

func (sum *total) add(t *testing.T, o outcome) {
	t.Helper()
	sum.files++
	sum.rows += o.Rows
	sum.cells += o.Cells
	sum.compared += o.Compared
	sum.wrong += o.Differing
	for reason, n := range o.Notes {
		if sum.notes == nil {
			sum.notes = map[string]int64{}
		}
		sum.notes[reason] += n
	}
	for _, fault := range o.Faults {
		t.Errorf("%s: %s", o.File, fault)
	}
}

// TestRealFiles imports CSV files that packages ship, exports each in every format, and compares
// all values that pandas, pyarrow, polars and DuckDB read with the original. With -all it is every
// file of these packages, more than a thousand.
func TestRealFiles(t *testing.T) {
	args := []string{"--work", t.TempDir(), "--jobs", strconv.Itoa(runtime.NumCPU())}
	least := 1000
	if !*all {
		args, least = append(args, "--small"), 14
	}
	var sum total
	outcomes(t, "realfiles.py", args, func(o outcome) { sum.add(t, o) })
	for reason, n := range sum.notes {
		t.Logf("%6d %s", n, reason)
	}
	t.Logf("%d files, %d rows, %d cells, %d values compared, %d differing", sum.files, sum.rows, sum.cells, sum.compared, sum.wrong)
	if *only == "" && sum.files < least {
		t.Errorf("%d files compared, want %d at least", sum.files, least)
	}
}

// TestForeignFiles imports Parquet and Arrow files of every type, encoding and compression that
// pyarrow, pandas, polars and DuckDB write, and compares what comes out again; and holds what is
// refused against what the message must say.
func TestForeignFiles(t *testing.T) {
	var sum total
	outcomes(t, "foreign.py", nil, func(o outcome) {
		sum.add(t, o)
		if o.Message != "" && testing.Verbose() {
			t.Logf("%s: %s", o.File, o.Message)
		}
	})
	t.Logf("%d files, %d values compared", sum.files, sum.compared)
	if *only == "" && sum.files < 150 {
		t.Errorf("%d files compared, want 150 at least", sum.files)
	}
}
