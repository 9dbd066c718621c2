package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/mem"
)

// faulty is a store whose calls fail if there is an error for them.
type faulty struct {
	engine.Transactor
	apply, stat, stage error
	applied            int // calls of Apply
}

func (f *faulty) Apply(ctx context.Context, ops []engine.Op) ([]engine.Result, error) {
	f.applied++
	if f.apply != nil {
		return nil, f.apply
	}
	return f.Transactor.Apply(ctx, ops)
}

func (f *faulty) Stat(ctx context.Context, key string) (engine.Entry, error) {
	if f.stat != nil {
		return engine.Entry{}, f.stat
	}
	return f.Transactor.Stat(ctx, key)
}

func (f *faulty) Stage(ctx context.Context, o engine.StageOptions) (engine.Stage, error) {
	if f.stage != nil {
		return nil, f.stage
	}
	return f.Transactor.Stage(ctx, o)
}

// memApp is an app whose vault is in memory, and what it prints on standard error.
func memApp(store engine.Store) (*app, *strings.Builder) {
	a, _ := progressApp(false)
	errs := &strings.Builder{}
	a.sys.Err = errs
	a.open = func(context.Context, string, *kvault.Options) (*kvault.Vault, error) {
		return kvault.New(store, &kvault.Options{Attempts: 1})
	}
	return a, errs
}

func TestImportWhenTheVaultFails(t *testing.T) {
	dir := t.TempDir()
	if err := makeTree(dir); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		store faulty
		code  int
	}{
		"busy when a batch is written":  {faulty{apply: engine.ErrBusy}, exitBusy},
		"full when a file is streamed":  {faulty{stage: syscall.ENOSPC}, exitFailure},
		"corrupt when a key is read":    {faulty{stat: engine.ErrCorrupt}, exitCorrupt},
		"read-only when it is streamed": {faulty{stage: engine.ErrReadOnly}, exitFailure},
	} {
		t.Run(name, func(t *testing.T) {
			store := tt.store
			m := mem.New()
			// An empty vault would have no key looked up.
			if _, err := m.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "there"}}); err != nil {
				t.Fatal(err)
			}
			store.Transactor = m
			a, errs := memApp(&store)
			if code := a.run(t.Context(), []string{"-f", "v", "import", dir}); code != tt.code {
				t.Errorf("exit code %d, not %d: %s", code, tt.code, errs)
			}
			if strings.Contains(errs.String(), "files imported") {
				t.Errorf("it claims success: %s", errs)
			}
		})
	}
}

func TestImportReportsNothingBeforeItIsStored(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	store := &faulty{Transactor: mem.New(), apply: engine.ErrBusy}
	a, errs := memApp(store)
	var out strings.Builder
	a.out.Reset(&out)
	if code := a.run(t.Context(), []string{"-f", "v", "--json", "import", dir}); code != exitBusy || out.String() != "" {
		t.Errorf("exit code %d, %q", code, out.String())
	}
	// Each further attempt would wait for --busy-timeout again, and tell the same once more.
	if n := strings.Count(errs.String(), "busy"); store.applied != 1 || n != 1 {
		t.Errorf("written %d times, told %d times: %s", store.applied, n, errs)
	}
}

func TestSourceThatChanges(t *testing.T) {
	grow := func(t *testing.T, name string) {
		if err := os.WriteFile(name, make([]byte, smallFile+100), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	shrink := func(t *testing.T, name string) {
		if err := os.Truncate(name, 5); err != nil {
			t.Fatal(err)
		}
	}
	touch := func(t *testing.T, name string) {
		if err := os.Chtimes(name, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]func(*testing.T, string){"grows": grow, "shrinks": shrink, "is written": touch} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "f")
			if err := os.WriteFile(file, make([]byte, smallFile+1), 0o666); err != nil {
				t.Fatal(err)
			}
			root, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			dirs := &dirCache{root: root}
			defer dirs.close()
			it := &item{source: source{name: "f"}}
			if err := it.load(dirs, nil); err != nil || it.content == nil {
				t.Fatalf("large file: %v, %v", it.content, err)
			}
			change(t, file)
			a, errs := memApp(mem.New())
			v, err := a.open(t.Context(), "", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			if err := v.Put(t.Context(), "f", []byte("old")); err != nil {
				t.Fatal(err)
			}
			w := batchWriter{importer: &importer{app: a, vault: v, root: root, importFlags: &importFlags{}}}
			if err := w.store(t.Context(), it); err != nil {
				t.Fatal(err)
			}
			if name == "grows" {
				e, err := v.Stat(t.Context(), "f")
				if err != nil || e.Size != smallFile+1 || w.summary.done != 1 || !strings.Contains(errs.String(), "its first 1,048,577 bytes are stored") {
					t.Errorf("stored %+v, %v, done %d: %q", e, err, w.summary.done, errs)
				}
				return
			}
			if w.summary.failed != 1 || w.summary.done != 0 || errs.Len() == 0 {
				t.Errorf("failed %d, done %d: %q", w.summary.failed, w.summary.done, errs)
			}
			if got, err := v.Get(t.Context(), "f"); string(got) != "old" {
				t.Errorf("it was stored all the same: %d bytes, %v", len(got), err)
			}
		})
	}
}

func TestWalkGoesOnAfterFailures(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	var failed, found []string
	w := walk{
		root:   root,
		file:   func(s source) error { found = append(found, s.name); return nil },
		failed: func(name string, err error) { failed = append(failed, name) },
	}
	for _, name := range []string{"gone", "f", "."} {
		if err := w.dir(name); err != nil {
			t.Errorf("dir(%q): %v", name, err)
		}
	}
	if len(failed) != 2 || len(found) != 1 {
		t.Errorf("failed %q, found %q", failed, found)
	}
	stop := errors.New("stop")
	w.file = func(source) error { return stop }
	if err := w.dir("."); !errors.Is(err, stop) {
		t.Errorf("stopped with %v", err)
	}
}

func TestItemLoadFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	dirs := &dirCache{root: root}
	defer dirs.close()
	for _, name := range []string{"gone", "gone/f", "loop", "../f"} {
		it := &item{source: source{name: name}}
		if err := it.load(dirs, nil); err == nil {
			t.Errorf("load(%q) found something", name)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o777); err != nil {
		t.Fatal(err)
	}
	it := &item{source: source{name: "sub"}}
	if err := it.load(dirs, nil); err == nil {
		t.Error("a directory was read")
	}
}
