package reliability

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

var room = flag.Int64("room", defaultRoom, "how fast the room on a disk that fills up grows from one attempt to the next, in blocks")

// moreRoom is how much room a disk has after it had n bytes: some more blocks, and an eighth as
// often.
func moreRoom(step, n int64) int64 { return n + max(4096*step, n*step/8&^4095) }

// fullDisk is a place for files that takes only so much more.
type fullDisk interface {
	// leave lets about n further bytes be written, and free as many as anybody wants.
	leave(n int64) error
	free() error
	// real says that a full disk is full for every file, so that everything that writes must fail
	// on it.
	real() bool
}

// fullRun is a vault on a disk that fills up, and what has been acknowledged of it.
type fullRun struct {
	dir     string // on the disk
	roomy   string // elsewhere
	opt     *kvault.Options
	v       *kvault.Vault // nil while it is closed
	values  map[string]string
	numbers []int64
}

func (r *fullRun) path() string { return filepath.Join(r.dir, "v.kv") }

// fillDisk does each case again and again, with more and more room on the disk, until it is done
// without a fault. It reports each case to out.
func fillDisk(ctx context.Context, d fullDisk, dir, roomy string, step int64, out io.Writer) error {
	for _, rollback := range []bool{false, true} {
		opt := &kvault.Options{DisableWAL: rollback, PageSize: 4096, OneRowLimit: 20_000, ChunkSize: 8000, CacheKB: 64, Attempts: 1}
		template := &fullRun{dir: roomy, roomy: roomy, opt: opt}
		if err := template.make(ctx); err != nil {
			return fmt.Errorf("template: %w", err)
		}
		for _, c := range fullCases {
			n, refused := int64(0), 0
			for full := true; full; n = moreRoom(step, n) {
				r := &fullRun{dir: dir, roomy: roomy, opt: opt, values: maps.Clone(template.values), numbers: slices.Clone(template.numbers)}
				var err error
				if full, err = r.once(ctx, d, c, n, template.path()); err != nil {
					return fmt.Errorf("%s, rollback journal %t, with room for %d bytes: %w", c.name, rollback, n, err)
				}
				if full {
					refused++
				}
			}
			if refused == 0 && d.real() {
				return fmt.Errorf("%s, rollback journal %t: the disk was never full", c.name, rollback)
			}
			if _, err := fmt.Fprintf(out, "%s, rollback journal %t: %d times full\n", c.name, rollback, refused); err != nil {
				return err
			}
		}
	}
	return nil
}

// make makes the vault that each case begins with.
func (r *fullRun) make(ctx context.Context) error {
	if err := errors.Join(os.RemoveAll(r.path()), r.open(ctx)); err != nil {
		return err
	}
	r.values = map[string]string{}
	for i := range 8 {
		if err := r.put(ctx, fmt.Sprint("k", i), 400*i); err != nil {
			return err
		}
	}
	return errors.Join(r.stream(ctx, "large", 60_000), r.stream(ctx, "row", 15_000), r.append(ctx, 2000), r.close())
}

// once does one case with room for n bytes, and says whether that was too little.
func (r *fullRun) once(ctx context.Context, d fullDisk, c fullCase, n int64, template string) (full bool, err error) {
	if err := errors.Join(d.free(), copyFile(template, r.path())); err != nil {
		return false, err
	}
	if err := r.open(ctx); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, r.close(), d.free(), emptyFolder(r.dir)) }()
	if c.before != nil {
		if err := c.before(ctx, r); err != nil {
			return false, fmt.Errorf("before: %w", err)
		}
	}
	if err := d.leave(n); err != nil {
		return false, fmt.Errorf("filling the disk: %w", err)
	}
	failure := c.run(ctx, r)
	if failure != nil {
		if err := c.explains(r, failure); err != nil {
			return false, err
		}
	}
	if r.v != nil {
		if err := r.expect(ctx); err != nil {
			return false, fmt.Errorf("while the disk is full, after %w: %w", failure, err)
		}
	}
	if err := d.free(); err != nil {
		return false, err
	}
	if err := r.goOn(ctx, c); err != nil {
		return false, fmt.Errorf("with room again, after %w: %w", failure, err)
	}
	return failure != nil, nil
}

// goOn uses the vault when there is room again, with the same handle and with the next.
func (r *fullRun) goOn(ctx context.Context, c fullCase) error {
	if r.v == nil {
		if err := r.open(ctx); err != nil {
			return err
		}
	}
	if err := r.expect(ctx); err != nil {
		return err
	}
	if err := c.run(ctx, r); err != nil {
		return fmt.Errorf("once more: %w", err)
	}
	for range 2 {
		if r.v == nil {
			if err := r.open(ctx); err != nil {
				return err
			}
		}
		if err := errors.Join(r.put(ctx, "later", 5000), r.expect(ctx), r.checks(ctx), r.close()); err != nil {
			return err
		}
	}
	return r.tidy(ctx)
}

// tidy fails if something is left over, in the vault or beside it.
func (r *fullRun) tidy(ctx context.Context) error {
	if err := r.open(ctx); err != nil {
		return err
	}
	if err := r.v.Optimize(ctx, nil); err != nil {
		return err
	}
	stats, err := r.v.Stats(ctx)
	if err != nil {
		return err
	}
	if stats.Staged != 0 {
		return fmt.Errorf("%d stages are left", stats.Staged)
	}
	if err := r.close(); err != nil {
		return err
	}
	for _, dir := range []string{r.dir, os.TempDir()} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Name() != "v.kv" {
				return fmt.Errorf("%s is left in %s", e.Name(), dir)
			}
		}
	}
	return nil
}

func (r *fullRun) open(ctx context.Context) (err error) {
	r.v, err = kvault.Open(ctx, r.path(), r.opt)
	return err
}

func (r *fullRun) close() error {
	if r.v == nil {
		return nil
	}
	v := r.v
	r.v = nil
	return v.Close()
}

func fullValue(key string, size int) string {
	return strings.Repeat(key+" ", size/(len(key)+1)+1)[:size]
}

func (r *fullRun) put(ctx context.Context, key string, size int) error {
	err := r.v.Put(ctx, key, []byte(fullValue(key, size)))
	if err == nil {
		r.values[key] = fullValue(key, size)
	}
	return err
}

func (r *fullRun) stream(ctx context.Context, key string, size int) error {
	_, err := r.v.PutReader(ctx, key, io.MultiReader(strings.NewReader(fullValue(key, size))), nil)
	if err == nil {
		r.values[key] = fullValue(key, size)
	}
	return err
}

func (r *fullRun) append(ctx context.Context, n int) error {
	c, err := column.Ensure(ctx, r.v, "numbers", column.Int64, nil)
	if err != nil {
		return err
	}
	added := make([]int64, n)
	for i := range added {
		added[i] = int64(len(r.numbers) + i)
	}
	if err := c.Extend(ctx, added); err != nil {
		return err
	}
	r.numbers = append(r.numbers, added...)
	return nil
}

// expect fails unless the vault has what was acknowledged, and nothing else.
func (r *fullRun) expect(ctx context.Context) error {
	left := maps.Clone(r.values)
	for item, err := range r.v.Items(ctx, nil) {
		if err != nil {
			return err
		}
		value, there := left[item.Key]
		if !there || value != string(item.Value) {
			return fmt.Errorf("%s has %d bytes; %d were acknowledged (%t)", item.Key, len(item.Value), len(value), there)
		}
		delete(left, item.Key)
	}
	if len(left) > 0 {
		return fmt.Errorf("%d values are missing, such as %v", len(left), slices.Collect(maps.Keys(left))[0])
	}
	c, err := column.Open(ctx, r.v, "numbers", column.Int64)
	if err != nil {
		return err
	}
	n := 0
	for x, err := range c.All(ctx) {
		if err != nil {
			return err
		}
		if n >= len(r.numbers) || r.numbers[n] != x {
			return fmt.Errorf("element %d of the column is %d", n, x)
		}
		n++
	}
	if n != len(r.numbers) {
		return fmt.Errorf("the column has %d elements; %d were acknowledged", n, len(r.numbers))
	}
	return nil
}

func (r *fullRun) checks(ctx context.Context) error {
	_, err := r.v.Check(ctx, nil)
	return err
}

// saysFull fails unless err is what a caller can match, and tells a person where there is no room
// and what to do.
func saysFull(err error, words ...string) error {
	var io *kvault.IOError
	if !errors.As(err, &io) || !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("the full disk is not told by its type: %T %w", err, err)
	}
	for _, word := range append(words, "free some space") {
		if !strings.Contains(err.Error(), word) {
			return fmt.Errorf("the error does not say %q: %w", word, err)
		}
	}
	return nil
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}

func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

func sameFile(path string, want []byte) error {
	got, err := os.ReadFile(path)
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("%s has %d bytes, want %d", path, len(got), len(want))
	}
	return err
}
