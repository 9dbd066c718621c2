package cli

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
	"github.com/kohakuvault/kvault/internal/race"
	"github.com/kohakuvault/kvault/internal/singletest"
)

// bucketDir names the variable with the directory whose files stand for vaults in buckets.
const bucketDir = "KVAULT_TEST_BUCKETS"

// runCommand is the program in scripts. A vault in a bucket is there a file whose store takes one
// change at a time, as that of a bucket does, and outlives the process.
func runCommand() {
	a := newApp(System())
	if dir := os.Getenv(bucketDir); dir != "" {
		a.openStore = storesIn(dir)
	}
	os.Exit(a.main(context.Background(), os.Args[1:]))
}

func storesIn(dir string) func(context.Context, string, bool) (engine.Store, error) {
	return func(ctx context.Context, address string, _ bool) (engine.Store, error) {
		u, err := url.Parse(address)
		if err != nil {
			return nil, err
		}
		name := filepath.Join(dir, strings.TrimPrefix(u.Path, "/"))
		s, err := sqlite.Open(ctx, name, nil)
		if err != nil {
			return nil, err
		}
		return singletest.Of(s), nil
	}
}

// notInBucket are the scripts that are about what only a file has, with what that is.
var notInBucket = map[string]string{
	"busy": "locks", "cp_together": "batches", "copy": "two vaults", "check": "damage", "export_flags": "damage", "foreign": "other programs' values",
	"full": "durability", "import_mend": "damage", "layout": "layouts", "refused": "missing vaults",
	"import_flags": "tables of keys", "restore": "backups", "salvage": "damage", "signal": "batches", "interrupt": "batches",
	"tables": "tables", "upkeep": "backups", "usage": "missing vaults", "serve": "missing vaults",
	"col": "the vault's own files", "col_infer": "missing vaults", "col_tables": "tables of keys",
	"get": "the vault's own files", "get_open": "the vault's own files", "source": "the vault's own files",
}

// TestScriptsInBucket runs on a vault in a bucket those of the scripts that are about no file.
func TestScriptsInBucket(t *testing.T) {
	all, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, file := range all {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		if _, not := notInBucket[name]; !not {
			files = append(files, file)
		}
	}
	if race.Slowdown == 1 { // the run with the detector has all of them
		rand.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
		files = files[:len(files)/3]
	}
	runScripts(t, "s3://bucket/v.kv?endpoint=http://127.0.0.1", "", files)
}

// TestDeleteShown: without transactions, a key is deleted only as it was shown.
func TestDeleteShown(t *testing.T) {
	s, err := sqlite.Open(t.Context(), ":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := kvault.New(singletest.Of(s), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	put := func(keys ...string) {
		t.Helper()
		for _, key := range keys {
			if err := v.Put(t.Context(), key, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("a/1", "a/2", "b")
	all := selection{prefix: "a/"}
	var shown []kvault.Entry
	d, err := all.digest(t.Context(), v, func(e kvault.Entry) { shown = append(shown, e) })
	if err != nil {
		t.Fatal(err)
	}
	put("a/2")
	if n, err := deleteSelected(t.Context(), v, all, &d); n != 0 || err == nil {
		t.Errorf("changed before: %d, %v", n, err)
	}
	n, err := deleteVersions(t.Context(), v, shown) // as if changed between the look and the deletion
	if far := (*unfinished)(nil); n != 1 || !errors.As(err, &far) ||
		!strings.Contains(err.Error(), "1 key changed") || !strings.Contains(far.far, "1 of 2 changes") {
		t.Errorf("changed meanwhile: %d, %v", n, err)
	}
	if d, err = all.digest(t.Context(), v, nil); err != nil || d.keys != 1 {
		t.Errorf("%d keys are left, %v", d.keys, err)
	}
	if n, err := deleteSelected(t.Context(), v, all, &d); n != 1 || err != nil {
		t.Errorf("as shown: %d, %v", n, err)
	}
	if n, err := v.Len(t.Context()); n != 1 || err != nil {
		t.Errorf("%d keys are left, %v", n, err)
	}
}
