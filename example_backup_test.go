package kvault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/kohakuvault/kvault"
)

// BackupTo sends a copy anywhere, and RestoreFrom makes a vault of what comes back.
func ExampleVault_BackupTo() {
	ctx := context.Background()
	dir := tempDir()
	defer os.RemoveAll(dir)
	v := openMemory(ctx)
	defer v.Close()
	var elsewhere bytes.Buffer // or a connection, or the standard input of a program
	if err := errors.Join(v.Put(ctx, "k", []byte("v")), v.BackupTo(ctx, &elsewhere, nil)); err != nil {
		log.Fatal(err)
	}

	path := filepath.Join(dir, "v.kv")
	if err := kvault.RestoreFrom(ctx, path, &elsewhere, nil); err != nil {
		log.Fatal(err)
	}
	c, err := kvault.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	value, err := c.Get(ctx, "k")
	fmt.Printf("%s %v\n", value, err)
	// Output: v <nil>
}

// A backup that is damaged replaces nothing.
func ExampleRestoreFrom() {
	ctx := context.Background()
	dir := tempDir()
	defer os.RemoveAll(dir)

	path := filepath.Join(dir, "v.kv")
	err := kvault.RestoreFrom(ctx, path, bytes.NewReader(make([]byte, 8192)), nil)
	_, statErr := os.Stat(path)
	fmt.Println(errors.Is(err, kvault.ErrCorrupt), errors.Is(statErr, os.ErrNotExist))
	// Output: true true
}
