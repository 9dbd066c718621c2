package kvault_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
)

func openFile(t *testing.T, path string, o *kvault.Options) *kvault.Vault {
	t.Helper()
	v, err := kvault.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return v
}

func TestOpenKeepsWhatWasStored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.kv")
	v := openFile(t, path, nil)
	enable(t, v, 1000, 1000)
	put(t, v, "a.txt", "1")
	if _, err := v.PutReader(t.Context(), "stream", strings.NewReader(text), &kvault.PutOptions{ChunkSize: 8}); err != nil {
		t.Fatal(err)
	}
	before, err := v.Stat(t.Context(), "a.txt")
	if err != nil {
		t.Fatal(err)
	}
	put(t, v, "pending", "2")
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	v = openFile(t, path, &kvault.Options{ReadOnly: true, MustExist: true})
	wantGet(t, v, "a.txt", "1")
	wantGet(t, v, "stream", text)
	wantGet(t, v, "pending", "2")
	after, err := v.Stat(t.Context(), "a.txt")
	if err != nil || after.Tag != before.Tag || !after.ModTime.Equal(before.ModTime) || after.Checksum != before.Checksum {
		t.Errorf("entry was %+v and is %+v, %v", before, after, err)
	}
	wantErr(t, v.Put(t.Context(), "a.txt", nil), kvault.ErrReadOnly)
}

func TestOpenMemory(t *testing.T) {
	a, b := openFile(t, ":memory:", nil), openFile(t, ":memory:", nil)
	put(t, a, "k", "1")
	wantGet(t, a, "k", "1")
	wantMissing(t, b, "k")
}

func TestOpenTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.kv")
	a, b := openFile(t, path, nil), openFile(t, path, &kvault.Options{Table: "other", Durability: kvault.Full})
	put(t, a, "k", "1")
	put(t, b, "k", "2")
	wantGet(t, a, "k", "1")
	wantGet(t, b, "k", "2")
}

func TestOpenRefusals(t *testing.T) {
	dir := t.TempDir()
	none, junk := filepath.Join(dir, "none"), filepath.Join(dir, "junk")
	if err := os.WriteFile(junk, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		o    *kvault.Options
		want error
	}{
		"must exist":      {none, &kvault.Options{MustExist: true}, kvault.ErrNoVault},
		"read-only":       {none, &kvault.Options{ReadOnly: true}, kvault.ErrNoVault},
		"no database":     {junk, nil, kvault.ErrCorrupt},
		"a folder":        {dir, nil, kvault.ErrInvalid},
		"chunk size":      {none, &kvault.Options{ChunkSize: -1}, kvault.ErrInvalid},
		"huge chunk":      {none, &kvault.Options{ChunkSize: 1 << 30}, kvault.ErrInvalid},
		"retry delay":     {none, &kvault.Options{RetryDelay: -1}, kvault.ErrInvalid},
		"durability":      {none, &kvault.Options{Durability: 7}, kvault.ErrInvalid},
		"page size":       {none, &kvault.Options{PageSize: 1000}, kvault.ErrInvalid},
		"one-row limit":   {none, &kvault.Options{OneRowLimit: 1e9}, kvault.ErrInvalid},
		"reserved table":  {none, &kvault.Options{Table: "sqlite_x"}, kvault.ErrInvalid},
		"malformed table": {none, &kvault.Options{Table: `a"b`}, kvault.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := kvault.Open(t.Context(), c.path, c.o)
			wantErr(t, err, c.want)
			if v != nil {
				t.Error("Open returned a vault and an error")
			}
			if _, err := os.Stat(none); err == nil {
				t.Error("a file was created")
			}
		})
	}
}

// New takes any store, and of the options what is not about files.
func TestNewRefusals(t *testing.T) {
	for name, o := range map[string]*kvault.Options{
		"chunk size":  {ChunkSize: -1},
		"huge chunk":  {ChunkSize: 1 << 30},
		"retry delay": {RetryDelay: -1},
		"durability":  {Durability: 7},
	} {
		f := newFaulty()
		v, err := kvault.New(f, o)
		wantErr(t, err, kvault.ErrInvalid)
		if v != nil || f.count("close") > 0 {
			t.Errorf("%s: vault %v and an error, store closed %d times", name, v, f.count("close"))
		}
	}
}

func TestOpenPassesOptionsOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.kv")
	v := openFile(t, path, &kvault.Options{
		PageSize: 8192, CacheKB: 1000, BusyTimeout: time.Second, OneRowLimit: 1000, DisableWAL: true, ChunkSize: 500,
	})
	put(t, v, "a", strings.Repeat("more than one row ", 1000))
	wantGet(t, v, "a", strings.Repeat("more than one row ", 1000))
	s, err := v.Stats(t.Context())
	if err != nil || s.PageSize != 8192 || s.Keys != 1 {
		t.Errorf("Stats = %+v, %v", s, err)
	}
	if _, err := os.Stat(path + "-wal"); err == nil {
		t.Error("there is a write-ahead log")
	}
}
