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
	"github.com/kohakuvault/kvault/engine/mem"
)

func ExampleOpen() {
	ctx := context.Background()
	dir := tempDir()
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "media.kv")

	// The file is made if there is none. Nil options are the defaults.
	v, err := kvault.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := v.Put(ctx, "greeting", []byte("hello")); err != nil {
		log.Fatal(err)
	}
	if err := v.Close(); err != nil {
		log.Fatal(err)
	}

	v, err = kvault.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	value, err := v.Get(ctx, "greeting")
	fmt.Printf("%s %v\n", value, err)
	// Output: hello <nil>
}

// A vault in memory is gone when it is closed. Each Open makes another one.
func ExampleOpen_memory() {
	ctx := context.Background()
	v, err := kvault.Open(ctx, ":memory:", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	n, err := v.Len(ctx)
	fmt.Println(n, err)
	// Output: 0 <nil>
}

// Every option that is left out has the default that is named here in its comment.
func ExampleOpen_options() {
	ctx := context.Background()
	dir := tempDir()
	defer os.RemoveAll(dir)

	v, err := kvault.Open(ctx, filepath.Join(dir, "large.kv"), &kvault.Options{
		ChunkSize:   4 << 20,               // 1 MiB: what a stream holds in memory
		Attempts:    6,                     // 4 attempts when the file is busy
		RetryDelay:  10 * time.Millisecond, // 20 ms, doubled before each further attempt
		DisableWAL:  true,                  // false: readers and writers do not block each other
		PageSize:    32768,                 // 8192 bytes, for a file that is created
		MmapSize:    1 << 30,               // none
		CacheKB:     200_000,               // 100000 KiB of SQLite's own page cache
		BusyTimeout: time.Second,           // 5 s, all attempts together
		OneRowLimit: 16 << 20,              // 64 MiB; larger values are kept in chunks
		Durability:  kvault.Full,           // Normal
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	s, err := v.Stats(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.PageSize, s.Detail["journal mode"])
	// Output: 32768 delete
}

func ExampleOptions() {
	ctx := context.Background()
	dir := tempDir()
	defer os.RemoveAll(dir)
	v, err := kvault.Open(ctx, filepath.Join(dir, "default.kv"), &kvault.Options{}) // as nil
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	s, err := v.Stats(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("table", s.Detail["table"])
	fmt.Println("page size", s.PageSize)
	fmt.Println("journal mode", s.Detail["journal mode"])
	fmt.Println("chunk size", kvault.DefaultChunkSize)
	fmt.Println("attempts", kvault.DefaultAttempts)
	fmt.Println("delay", kvault.DefaultRetryDelay)
	// Output:
	// table kvault
	// page size 8192
	// journal mode wal
	// chunk size 1048576
	// attempts 4
	// delay 20ms
}

func ExampleOpen_readOnly() {
	ctx := context.Background()
	dir := tempDir()
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "media.kv")

	_, err := kvault.Open(ctx, path, &kvault.Options{ReadOnly: true})
	fmt.Println("there is a vault:", !errors.Is(err, kvault.ErrNoVault))

	v, err := kvault.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	r, err := kvault.Open(ctx, path, &kvault.Options{ReadOnly: true})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	fmt.Println(r.Put(ctx, "k", []byte("v")))
	// Output:
	// there is a vault: false
	// put "k": vault is read-only
}

// Several vaults can share a file. Each has keys of its own.
func ExampleOpen_tables() {
	ctx := context.Background()
	dir := tempDir()
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "media.kv")

	for _, table := range []string{"photos", "thumbnails"} {
		v, err := kvault.Open(ctx, path, &kvault.Options{Table: table})
		if err != nil {
			log.Fatal(err)
		}
		defer v.Close()
		if err := v.Put(ctx, "cat.jpg", []byte("one of the "+table)); err != nil {
			log.Fatal(err)
		}
		value, err := v.Get(ctx, "cat.jpg")
		fmt.Printf("%s %v\n", value, err)
	}
	// Output:
	// one of the photos <nil>
	// one of the thumbnails <nil>
}

// New makes a vault of any engine, here of the one in memory that the tests use.
func ExampleNew() {
	ctx := context.Background()
	v, err := kvault.New(mem.New(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	if err := v.Put(ctx, "k", []byte("v")); err != nil {
		log.Fatal(err)
	}
	value, err := v.Get(ctx, "k")
	fmt.Printf("%s %v\n", value, err)
	// Output: v <nil>
}

// Close writes what the cache holds. After it every call fails with ErrClosed, and closing again
// does nothing.
func ExampleVault_Close() {
	ctx := context.Background()
	v := openMemory(ctx)
	if err := v.Close(); err != nil {
		log.Fatal(err)
	}
	_, err := v.Get(ctx, "k")
	fmt.Println(errors.Is(err, kvault.ErrClosed), v.Close())
	// Output: true <nil>
}

// A vault that is made of other files is there as a whole, or not at all.
func ExampleCreate() {
	ctx := context.Background()
	dir := tempDir()
	defer os.RemoveAll(dir)

	err := kvault.Create(ctx, filepath.Join(dir, "photos.kv"), nil, func(v *kvault.Vault) error {
		for _, name := range []string{"a.jpg", "b.jpg"} {
			if err := v.Put(ctx, name, []byte("…")); err != nil {
				return err
			}
		}
		return nil
	})
	fmt.Println(err)
	// Output: <nil>
}
