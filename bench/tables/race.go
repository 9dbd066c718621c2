package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// race has what the cases need, in one folder.
type race struct {
	dir, kvault, python string
	versions            versions
	flights             struct{ Rows, Columns int64 }
	numbers             int
}

type versions struct{ DuckDB, Numpy, PyArrow string }

func (r *race) file(name string) string { return filepath.Join(r.dir, name) }

// contest is a case: what both sides do, each into files that are removed first.
type contest struct {
	name, against string
	ours          []string
	theirs        []string
	made          []string // files that are removed before each run
	read          []string // files that are in the system's memory when a run begins
	within        int64    // the aim for peak memory in bytes, 0 for none
	// same says whether both sides came to the same result.
	same func(ctx context.Context, ours, theirs []byte) error
}

const mib = 1 << 20

// atMost is the aim for the time, as a multiple of the other side's.
const atMost = 2

// importing are the arguments that import flights into a new vault. NA is how R, from which the
// data set comes, writes a missing value.
func importing(vault, source string) []string {
	args := []string{"-f", vault, "--quiet", "col", "append", "flights/", "--from", source, "--infer"}
	if strings.HasSuffix(source, ".csv") {
		args = append(args, "--null", "NA")
	}
	return args
}

func (r *race) contests() []contest {
	vault, database := r.file("flights.kv"), r.file("flights.duckdb")
	var all []contest
	for _, format := range []string{"csv", "parquet"} {
		source := r.file("flights." + format)
		all = append(all, contest{
			name: "import of flights from " + format, against: "DuckDB", within: 150 * mib,
			ours:   importing(r.file("new.kv"), source),
			theirs: []string{"duckdb_import", source, r.file("new.duckdb")},
			made:   []string{"new.kv", "new.kv-wal", "new.kv-shm", "new.duckdb", "new.duckdb.wal"},
			read:   []string{source},
			same:   r.sameLength,
		})
	}
	for _, format := range []string{"csv", "parquet"} {
		ours, theirs := r.file("ours."+format), r.file("theirs."+format)
		all = append(all, contest{
			name: "export of flights to " + format, against: "DuckDB", within: 150 * mib,
			ours:   []string{"-f", vault, "--quiet", "col", "export", "flights/", "-o", ours},
			theirs: []string{"duckdb_export", database, theirs},
			made:   []string{"ours." + format, "theirs." + format},
			read:   []string{vault, database},
			same:   func(ctx context.Context, _, _ []byte) error { return r.sameRows(ctx, ours, theirs) },
		})
	}
	for _, kind := range []string{"int64", "float64"} {
		vault, array := r.file(kind+".kv"), r.file(kind+".npy")
		all = append(all, contest{
			name: fmt.Sprintf("statistics of %s %s", thousands(r.numbers), kind), against: "numpy",
			ours:   []string{"-f", vault, "--json", "col", "stats", "n"},
			theirs: []string{"numpy_stats", array},
			read:   []string{vault, array},
			same:   func(_ context.Context, ours, theirs []byte) error { return sameStats(ours, theirs) },
		})
	}
	return all
}

// result is one run of one side.
type result struct {
	work  time.Duration // without the start of Python; of kvault the whole process
	whole time.Duration
	peak  int64
}

type outcome struct {
	contest
	ours, theirs []result
}

// run runs both sides of each case in turn. The side that begins alternates.
func (r *race) run(ctx context.Context, rounds int) (string, error) {
	contests := r.contests()
	outcomes := make([]outcome, len(contests))
	for round := range rounds {
		for i, c := range contests {
			outcomes[i].contest = c
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, rounds, c.name)
			ours, theirs, err := r.round(ctx, c, round%2 == 1)
			if err != nil {
				return "", fmt.Errorf("%s: %w", c.name, err)
			}
			outcomes[i].ours = append(outcomes[i].ours, ours)
			outcomes[i].theirs = append(outcomes[i].theirs, theirs)
		}
	}
	space, err := r.space(ctx)
	if err != nil {
		return "", err
	}
	return figures(outcomes) + "\n" + space, nil
}

func (r *race) round(ctx context.Context, c contest, theirsFirst bool) (ours, theirs result, err error) {
	for _, name := range c.made {
		if err := os.RemoveAll(r.file(name)); err != nil {
			return ours, theirs, err
		}
	}
	var said, answer []byte
	sides := []func() error{
		func() (err error) { ours, said, err = r.runOurs(ctx, c); return err },
		func() (err error) { theirs, answer, err = r.runTheirs(ctx, c); return err },
	}
	if theirsFirst {
		sides[0], sides[1] = sides[1], sides[0]
	}
	for _, side := range sides {
		if err := warm(c.read); err != nil {
			return ours, theirs, err
		}
		if err := side(); err != nil {
			return ours, theirs, err
		}
	}
	return ours, theirs, c.same(ctx, said, answer)
}

func (r *race) runOurs(ctx context.Context, c contest) (result, []byte, error) {
	res, out, err := measure(ctx, r.kvault, c.ours...)
	res.work = res.whole
	return res, out, err
}

func (r *race) runTheirs(ctx context.Context, c contest) (result, []byte, error) {
	res, out, err := measure(ctx, r.python, append([]string{"-c", othersSource}, c.theirs...)...)
	if err != nil {
		return res, nil, err
	}
	var answer struct{ Seconds float64 }
	if err := json.Unmarshal(out, &answer); err != nil {
		return res, nil, fmt.Errorf("no result: %w", err)
	}
	res.work = time.Duration(answer.Seconds * float64(time.Second))
	return res, out, nil
}

// sameLength says whether the new vault has all of the rows in all of the columns.
func (r *race) sameLength(ctx context.Context, _, _ []byte) error {
	columns, err := r.columns(ctx, r.file("new.kv"))
	if err != nil {
		return err
	}
	if int64(len(columns)) != r.flights.Columns {
		return fmt.Errorf("%d columns, want %d", len(columns), r.flights.Columns)
	}
	for _, c := range columns {
		if c.Length != r.flights.Rows {
			return fmt.Errorf("%s has %d rows, want %d", c.Name, c.Length, r.flights.Rows)
		}
	}
	return nil
}

type columnInfo struct {
	Name, Type string
	Length     int64
}

func (r *race) columns(ctx context.Context, vault string) (all []columnInfo, err error) {
	_, out, err := measure(ctx, r.kvault, "-f", vault, "--json", "col", "ls", "flights/")
	if err != nil {
		return nil, err
	}
	err = lines(out, func(line []byte) error {
		var c columnInfo
		defer func() { all = append(all, c) }()
		return json.Unmarshal(line, &c)
	})
	return all, err
}

// sameRows says whether two tables have as many rows and the same sum of distances, as DuckDB reads
// them.
func (r *race) sameRows(ctx context.Context, ours, theirs string) error {
	var got, want string
	for path, answer := range map[string]*string{ours: &got, theirs: &want} {
		out, err := r.other(ctx, "count", path)
		if err != nil {
			return err
		}
		*answer = string(out)
	}
	if got != want {
		return fmt.Errorf("%s in ours, %s in theirs", got, want)
	}
	return nil
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
