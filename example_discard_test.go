package kvault_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// An entry that can never be written keeps all others from being written too. The error names it:
// give it up, and flush again.
func ExampleVault_DiscardCached() {
	ctx := context.Background()
	dir := tempDir()
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "media.kv")
	v, err := kvault.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	sizes, err := column.Create(ctx, v, "sizes", column.Int64, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := v.EnableCache(ctx, nil); err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(v.Put(ctx, "cat.jpg", []byte("jpeg")), sizes.Append(ctx, 4)); err != nil {
		log.Fatal(err)
	}
	makeAnew(ctx, path, "sizes") // another program makes the column one of texts

	for {
		n, err := v.FlushCache(ctx)
		if err == nil {
			fmt.Println("flushed", n)
			break
		}
		f, ok := errors.AsType[*kvault.FlushError](err)
		if !ok || f.Entry == (kvault.CacheEntry{}) {
			log.Fatal(err) // the entries are not to blame: try again later
		}
		fmt.Println(f.Err)
		found, err := v.DiscardCached(ctx, f.Entry)
		fmt.Println("discarded", f.Entry.Column, found, err)
	}
	// Output:
	// column append "sizes": it holds str:utf8 now, and 1 elements of i64 wait in the cache: give them up by DiscardCached
	// discarded sizes true <nil>
	// flushed 1
}

func makeAnew(ctx context.Context, path, name string) {
	v, err := kvault.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	if err := column.Drop(ctx, v, name); err != nil {
		log.Fatal(err)
	}
	if _, err := column.Create(ctx, v, name, column.String, nil); err != nil {
		log.Fatal(err)
	}
}
