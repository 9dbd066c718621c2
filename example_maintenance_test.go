package kvault_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

// openUsed opens a vault in dir that has held and lost 8 MiB, and returns the size of its file.
func openUsed(ctx context.Context, dir string) (v *kvault.Vault, size int64) {
	v, err := kvault.Open(ctx, filepath.Join(dir, "used.kv"), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := v.Put(ctx, "big", make([]byte, 8<<20)); err != nil {
		log.Fatal(err)
	}
	if err := v.Put(ctx, "small", []byte("value")); err != nil {
		log.Fatal(err)
	}
	if _, err := v.Delete(ctx, "big"); err != nil {
		log.Fatal(err)
	}
	return v, fileBytes(ctx, v)
}

func fileBytes(ctx context.Context, v *kvault.Vault) int64 {
	s, err := v.Stats(ctx)
	if err != nil {
		log.Fatal(err)
	}
	return s.FileBytes
}

// Optimize rebuilds the file in its smallest form.
func ExampleVault_Optimize() {
	ctx := context.Background()
	dir := tempDir()
	defer os.RemoveAll(dir)
	v, before := openUsed(ctx, dir)
	defer v.Close()

	if err := v.Optimize(ctx, nil); err != nil {
		log.Fatal(err)
	}
	fmt.Println(before > 8<<20, fileBytes(ctx, v) < 1<<20)
	// Output: true true
}

// Shrink gives unused space back in small steps, between which others can write.
func ExampleVault_Shrink() {
	ctx := context.Background()
	dir := tempDir()
	defer os.RemoveAll(dir)
	v, before := openUsed(ctx, dir)
	defer v.Close()

	given, err := v.Shrink(ctx, time.Minute)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(given > 7<<20, fileBytes(ctx, v) == before-given)
	// Output: true true
}

// Backup writes a complete copy while the vault is in use.
func ExampleVault_Backup() {
	ctx := context.Background()
	dir := tempDir()
	defer os.RemoveAll(dir)
	v := openMemory(ctx)
	defer v.Close()
	if err := v.Put(ctx, "k", []byte("v")); err != nil {
		log.Fatal(err)
	}

	copied := filepath.Join(dir, "backup.kv")
	if err := v.Backup(ctx, copied, nil); err != nil {
		log.Fatal(err)
	}
	c, err := kvault.Open(ctx, copied, &kvault.Options{ReadOnly: true})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	value, err := c.Get(ctx, "k")
	fmt.Printf("%s %v\n", value, err)
	// Output: v <nil>
}

// Restore puts a backup in the place of a vault that no process has open.
func ExampleRestore() {
	ctx := context.Background()
	dir := tempDir()
	defer os.RemoveAll(dir)
	path, copied := filepath.Join(dir, "v.kv"), filepath.Join(dir, "backup.kv")
	v, err := kvault.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(v.Put(ctx, "k", []byte("v")), v.Backup(ctx, copied, nil), v.Close()); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("a disk went mad"), 0o600); err != nil {
		log.Fatal(err)
	}

	fmt.Println(kvault.Restore(ctx, path, copied, nil))
	if v, err = kvault.Open(ctx, path, nil); err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	value, err := v.Get(ctx, "k")
	fmt.Printf("%s %v\n", value, err)
	// Output:
	// <nil>
	// v <nil>
}

// Check reads everything and compares it with its checksums. Damage is an error that matches
// ErrCorrupt; any other means that the check could not be finished.
func ExampleVault_Check() {
	ctx := context.Background()
	v := openAlbum(ctx)
	defer v.Close()

	report, err := v.Check(ctx, &kvault.CheckOptions{
		OnProblem: func(p kvault.Problem) { fmt.Println(p.Key, p.Err) },
	})
	fmt.Println(report.Keys, report.Problems, err)
	// Output: 5 0 <nil>
}

func ExampleVault_Stats() {
	ctx := context.Background()
	v := openAlbum(ctx)
	defer v.Close()

	s, err := v.Stats(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Keys, s.Detail["table"], s.FileBytes%s.PageSize, s.Cache.Enabled)
	// Output: 5 kvault 0 false
}

// A vault to be shared with the Python package: what is written is kept in one row, and what is
// there already is moved.
func ExampleVault_Relayout() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "kvault")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	v, err := kvault.Open(ctx, filepath.Join(dir, "media.kv"), &kvault.Options{OneRowLimit: -1})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	err = v.Relayout(ctx, engine.OneRow, func(r engine.Relayout) {
		if r.Err != nil {
			fmt.Println("stays in chunks:", r.Key, r.Err)
		}
	})
	fmt.Println(err)
	// Output: <nil>
}
