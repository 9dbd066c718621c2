package kvault_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"

	"github.com/kohakuvault/kvault"
)

// Every error of a method is an *Error: it names the call and the key, and wraps the cause.
func ExampleError() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()

	_, err := v.Get(ctx, "photos/cat.jpg")
	if e, ok := errors.AsType[*kvault.Error](err); ok {
		fmt.Println(e.Op, e.Key)
	}
	fmt.Println(errors.Is(err, kvault.ErrNotFound), errors.Is(err, fs.ErrNotExist))
	// Output:
	// get photos/cat.jpg
	// true true
}

func ExampleError_invalid() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()

	err := v.Put(ctx, "", []byte("value"))
	fmt.Println(err, errors.Is(err, kvault.ErrInvalid))
	_, err = kvault.Open(ctx, ":memory:", &kvault.Options{PageSize: 1000})
	fmt.Println(errors.Is(err, kvault.ErrInvalid))
	// Output:
	// put: key is empty true
	// true
}

// A call that finds the file locked is attempted again, as the options say, before it fails.
func ExampleError_busy() {
	ctx := context.Background()
	dir := tempDir()
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "shared.kv")
	ours, err := kvault.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer ours.Close()
	theirs, err := kvault.Open(ctx, path, &kvault.Options{Attempts: 2, BusyTimeout: -1}) // as another process would
	if err != nil {
		log.Fatal(err)
	}
	defer theirs.Close()

	err = ours.Update(ctx, func(tx *kvault.Tx) error {
		if err := tx.Put(ctx, "k", []byte("ours")); err != nil {
			return err
		}
		err := theirs.Put(ctx, "k", []byte("theirs"))
		fmt.Println(errors.Is(err, kvault.ErrBusy))
		return nil
	})
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// A failure of your own source, target or file is an *IOError.
func ExampleIOError() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()

	_, err := v.PutFile(ctx, "cat.jpg", filepath.Join("no", "such", "file.jpg"), nil)
	if e, ok := errors.AsType[*kvault.IOError](err); ok {
		fmt.Println(e.Op, errors.Is(e, fs.ErrNotExist))
	}
	// Output: read source true
}
