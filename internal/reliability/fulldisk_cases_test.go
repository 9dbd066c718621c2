package reliability

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/cli"
)

// fullCase is what is done on a disk that fills up. What run was told is done, it has noted.
type fullCase struct {
	name   string
	before func(ctx context.Context, r *fullRun) error
	run    func(ctx context.Context, r *fullRun) error
	// says are words of the error besides the path and the way out.
	says []string
	// each says that a file that would be too long is a failure of one item.
	each bool
}

func (c fullCase) explains(r *fullRun, err error) error {
	var failed *commandError
	if errors.As(err, &failed) {
		return c.commandExplains(r, failed)
	}
	return saysFull(err, append([]string{r.dir}, c.says...)...)
}

var fullCases = []fullCase{
	{name: "put", run: func(ctx context.Context, r *fullRun) error {
		for i := range 12 {
			if err := r.put(ctx, fmt.Sprint("new", i), 1500*i); err != nil {
				return err
			}
		}
		return r.put(ctx, "k3", 9000)
	}},
	{name: "streamed put", run: func(ctx context.Context, r *fullRun) error {
		for _, s := range []struct {
			key  string
			size int
		}{{"large", 70_000}, {"new large", 100_000}, {"new row", 18_000}} {
			if err := r.stream(ctx, s.key, s.size); err != nil {
				return err
			}
		}
		return nil
	}},
	{name: "transaction", run: func(ctx context.Context, r *fullRun) error {
		added := fullBatch()
		err := r.v.Update(ctx, func(tx *kvault.Tx) error {
			for _, key := range slices.Sorted(maps.Keys(added)) {
				if err := tx.Put(ctx, key, []byte(added[key])); err != nil {
					return err
				}
			}
			c, err := column.Open(ctx, tx, "numbers", column.Int64)
			if err != nil {
				return err
			}
			return c.Append(ctx, int64(len(r.numbers)))
		})
		if err == nil {
			maps.Copy(r.values, added)
			r.numbers = append(r.numbers, int64(len(r.numbers)))
		}
		return err
	}},
	{name: "batch", run: func(ctx context.Context, r *fullRun) error {
		added := fullBatch()
		err := r.v.PutAll(ctx, func(yield func(string, []byte) bool) {
			for key, value := range added {
				if !yield(key, []byte(value)) {
					return
				}
			}
		})
		if err == nil {
			maps.Copy(r.values, added)
		}
		return err
	}},
	{name: "flush of the cache", run: func(ctx context.Context, r *fullRun) error {
		if err := r.v.EnableCache(ctx, &kvault.CacheOptions{Capacity: 10 << 20, Threshold: 10 << 20}); err != nil {
			return err
		}
		for i := range 20 { // each is acknowledged, though not yet on the disk
			if err := r.put(ctx, fmt.Sprint("cached", i), 700*i); err != nil {
				return fmt.Errorf("to the cache: %w", err)
			}
		}
		_, err := r.v.FlushCache(ctx)
		return err
	}},
	{name: "append to a column", run: func(ctx context.Context, r *fullRun) error {
		for range 6 {
			if err := r.append(ctx, 4000); err != nil {
				return err
			}
		}
		return nil
	}},
	{name: "delete", run: func(ctx context.Context, r *fullRun) error {
		for _, key := range []string{"large", "k7"} {
			if _, err := r.v.Delete(ctx, key); err != nil {
				return err
			}
			delete(r.values, key)
		}
		return nil
	}},
	{name: "shrink", before: churnFull, run: func(ctx context.Context, r *fullRun) error {
		_, err := r.v.Shrink(ctx, time.Minute)
		return err
	}},
	{name: "optimize", before: churnFull, run: func(ctx context.Context, r *fullRun) error {
		return r.v.Optimize(ctx, nil)
	}},
	{name: "backup", run: func(ctx context.Context, r *fullRun) error {
		return r.copied(ctx, func(to string) error { return r.v.Backup(ctx, to, nil) })
	}, says: []string{"copy.kv"}},
	{name: "salvage", run: func(ctx context.Context, r *fullRun) error {
		return r.copied(ctx, func(to string) error { _, err := kvault.Salvage(ctx, r.path(), to, nil); return err })
	}, says: []string{"copy.kv"}},
	{name: "open", run: func(ctx context.Context, r *fullRun) error {
		if err := errors.Join(r.close(), r.open(ctx)); err != nil {
			return err
		}
		return r.put(ctx, "opened", 3000)
	}},
	{name: "creation", run: func(ctx context.Context, r *fullRun) error {
		path := filepath.Join(r.dir, "new.kv")
		v, err := kvault.Open(ctx, path, r.opt)
		if err != nil {
			return err
		}
		return errors.Join(v.Close(), os.Remove(path))
	}, says: []string{"new.kv"}},
	{name: "import", before: makeFullTree, run: func(ctx context.Context, r *fullRun) error { return r.importTree(ctx) },
		says: []string{"free some space"}},
	{name: "export", run: func(ctx context.Context, r *fullRun) error { return r.exportTree(ctx) }, each: true},
}

func (c fullCase) commandExplains(r *fullRun, err *commandError) error {
	if c.each && err.code == 3 && strings.Contains(err.text, syscall.EFBIG.Error()) {
		return nil
	}
	for _, word := range append([]string{r.dir}, c.says...) {
		if err.code != 1 || !strings.Contains(err.text, word) {
			return fmt.Errorf("%w, without %q", err, word)
		}
	}
	return nil
}

// churnFull leaves gaps in the file.
func churnFull(ctx context.Context, r *fullRun) error {
	if _, err := r.v.Delete(ctx, "large"); err != nil {
		return err
	}
	delete(r.values, "large")
	return r.put(ctx, "k6", 10)
}

func fullBatch() map[string]string {
	added := map[string]string{"k1": "replaced"}
	for i := range 20 {
		key := fmt.Sprint("batch", i)
		added[key] = fullValue(key, 700*i)
	}
	return added
}

// copied fails unless the copy that it lets be made is complete, or not there at all.
func (r *fullRun) copied(ctx context.Context, to func(path string) error) error {
	path := filepath.Join(r.dir, "copy.kv")
	if err := to(path); err != nil {
		if left, _ := filepath.Glob(path + "*"); len(left) > 0 {
			return fmt.Errorf("%q left of a copy that failed: %v", left, err)
		}
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	// It is looked at where there is room for its log.
	kept := &fullRun{dir: filepath.Join(r.roomy, "copy"), opt: r.opt, values: r.values, numbers: r.numbers}
	defer os.RemoveAll(kept.dir)
	err = errors.Join(os.Mkdir(kept.dir, 0o700), os.WriteFile(kept.path(), data, 0o600), kept.open(ctx))
	if err == nil {
		err = errors.Join(kept.expect(ctx), kept.checks(ctx), kept.close())
	}
	if err != nil {
		return fmt.Errorf("the copy: %w", err)
	}
	return nil
}

// commandError is how the command fails.
type commandError struct {
	code int
	text string
}

func (e *commandError) Error() string { return fmt.Sprintf("exit code %d: %s", e.code, e.text) }

// command runs the command, with the vault closed meanwhile, and calls done with each item that it
// says is dealt with.
func (r *fullRun) command(ctx context.Context, done func(key string) error, args ...string) error {
	if err := r.close(); err != nil {
		return err
	}
	var out, errs bytes.Buffer
	code := cli.Run(ctx, append([]string{"-f", r.path(), "--json"}, args...), cli.IO{In: strings.NewReader(""), Out: &out, Err: &errs,
		Getenv: func(string) string { return "" }, IsTerminal: func(any) bool { return false }})
	for line := range strings.Lines(out.String()) {
		var item struct{ Key string }
		if err := json.Unmarshal([]byte(line), &item); err != nil {
			return err
		}
		if item.Key != "" {
			if err := done(item.Key); err != nil {
				return err
			}
		}
	}
	if code != 0 {
		return &commandError{code, errs.String()}
	}
	return nil
}

// fullTree is what is imported, with values short and long.
func fullTree() map[string]string {
	files := map[string]string{"a/b/long": fullValue("long", 1<<20+20_000)}
	for i := range 30 {
		name := fmt.Sprintf("a/%02d", i)
		files[name] = fullValue(name, 900*i)
	}
	return files
}

func makeFullTree(_ context.Context, r *fullRun) error {
	for name, content := range fullTree() {
		path := filepath.Join(r.roomy, "tree", filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			return err
		}
	}
	return nil
}

func (r *fullRun) importTree(ctx context.Context) error {
	files := fullTree()
	return r.command(ctx, func(key string) error {
		content, there := files[key]
		if !there {
			return fmt.Errorf("%s is imported, and no such file was there", key)
		}
		r.values[key] = content
		return nil
	}, "import", filepath.Join(r.roomy, "tree"))
}

// exportTree fails unless the files that it finds are those that it was told of, whole.
func (r *fullRun) exportTree(ctx context.Context) error {
	dir := filepath.Join(r.dir, "out")
	defer os.RemoveAll(dir)
	failure := r.command(ctx, func(key string) error {
		path := filepath.Join(dir, key)
		return errors.Join(sameFile(path, []byte(r.values[key])), os.Remove(path))
	}, "export", "", dir)
	left, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("%s was left by an export: %v", left[0].Name(), failure)
	}
	return failure
}
