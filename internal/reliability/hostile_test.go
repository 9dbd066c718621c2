package reliability

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/race"
)

var hostile = flag.Int("hostile", defaultHostile, "try one in this many hostile files, others in each run")

// hostileMemory is what a process may take that meets hostile files, one after another.
const hostileMemory = 600 << 20

// hostileTime bounds the processor's time that all calls on one file take together, and hostileWait
// how long that may last where other programs take their share.
const (
	hostileTime = race.Slowdown * time.Minute
	hostileWait = 5 * hostileTime
)

// makeVictim makes a small vault with values of each kind and columns of each layout, for a hostile
// hand to change.
func makeVictim(ctx context.Context, path string) error {
	v, err := kvault.Open(ctx, path, &kvault.Options{PageSize: 1024, OneRowLimit: 20_000, ChunkSize: 5000})
	if err != nil {
		return err
	}
	errs := []error{}
	for i := range 6 {
		key := fmt.Sprint("dir/", i)
		_, err := v.PutWith(ctx, key, make([]byte, i*9000), &kvault.PutOptions{User: map[string]string{"a": "b"}})
		errs = append(errs, err)
	}
	o := &column.Options{MinChunk: 64, MaxChunk: 512}
	ints, err1 := column.Create(ctx, v, "ints", column.Int64, o)
	texts, err2 := column.Create(ctx, v, "texts", column.String, o)
	fixed, err3 := column.Create(ctx, v, "fixed", column.FixedBytes(5), o)
	if err := errors.Join(err1, err2, err3, errors.Join(errs...)); err != nil {
		return errors.Join(err, v.Close())
	}
	for i := range int64(100) {
		errs = append(errs, ints.Append(ctx, i), texts.Append(ctx, fmt.Sprint("text ", i)), fixed.Append(ctx, []byte{byte(i)}))
	}
	return errors.Join(append(errs, v.Close())...)
}

// alter runs SQL on a file as another program would: with triggers, and with the schema open to
// writing.
func alter(path string, sql ...string) error {
	c, err := sqlite3.OpenContext(sqlite3.WithMaxMemory(context.Background(), min(2<<30, math.MaxInt/4)), path)
	if err != nil {
		return err
	}
	for _, q := range sql {
		if err := c.Exec(q); err != nil {
			return errors.Join(fmt.Errorf("%.200s: %w", q, err), c.Close())
		}
	}
	return c.Close()
}

// hostileChild calls everything on one file after another. It prints what went wrong.
func hostileChild(ctx context.Context, dir string, args []string, out io.Writer) error {
	for i, h := range hostileFiles() {
		path := filepath.Join(dir, fmt.Sprint(i), "v.kv")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) { // not made this time
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, hostileWait)
		before, began := peakMemory(), processorTime()
		a := &abuse{ctx: bounded, path: path}
		err := a.run(h.tables...)
		timeout := bounded.Err()
		if peak := peakMemory(); peak > before && peak > hostileMemory {
			err = errors.Join(err, fmt.Errorf("it took %d MiB", peak>>20))
		}
		if took := processorTime() - began; took > hostileTime {
			err = errors.Join(err, fmt.Errorf("it took %v of the processor's time", took))
		}
		cancel()
		if err := errors.Join(err, timeout); err != nil {
			fmt.Fprintf(out, "wrong: %s: %v\n", h.name, strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
	return tellPeak(out)
}

func makeHostile(ctx context.Context, path string, h hostileFile) error {
	if err := os.Mkdir(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	if !h.foreign {
		if err := makeVictim(ctx, path); err != nil {
			return err
		}
	}
	return alter(path, h.sql...)
}

// Files that were made to do harm give errors, or work: no call panics, hangs, takes memory without
// bound, reports an error of no kind, or touches anything outside.
func TestHostileFiles(t *testing.T) {
	dir := fastDir(t)
	outside := filepath.Join(dir, "outside")
	if err := os.WriteFile(outside, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	files, all := 0, hostileFiles()
	for i := rand.IntN(*hostile); i < len(all); i += *hostile {
		h := all[i]
		files++
		if err := makeHostile(t.Context(), filepath.Join(dir, fmt.Sprint(i), "v.kv"), h); err != nil {
			t.Errorf("%s: %v", h.name, err)
		}
	}
	c := startChild(t, "hostile", dir)
	wantPeakAnd(t, c, hostileMemory, func(line string) {
		if strings.HasPrefix(line, "wrong") {
			t.Error(line)
		} else {
			t.Log(line)
		}
	})
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != files+1 || !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == "outside" }) {
		t.Errorf("there are %d files and folders", len(entries))
	}
	if got, err := os.ReadFile(outside); err != nil || string(got) != "mine" {
		t.Errorf("%q, %v", got, err)
	}
	t.Logf("%d files", files)
}
