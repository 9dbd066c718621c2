package kvault_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"

	"github.com/kohakuvault/kvault"
)

func ExampleVault_Copy() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	if err := v.Put(ctx, "cat.jpg", []byte("meow")); err != nil {
		log.Fatal(err)
	}

	e, err := v.Copy(ctx, "cat.jpg", "backup/cat.jpg", &kvault.CopyOptions{NoReplace: true})
	fmt.Println(e.Key, e.Size, e.ContentType, err)
	_, err = v.Copy(ctx, "cat.jpg", "backup/cat.jpg", &kvault.CopyOptions{NoReplace: true})
	fmt.Println(errors.Is(err, kvault.ErrExists))
	// Output:
	// backup/cat.jpg 4 image/jpeg <nil>
	// true
}

func ExampleVault_SetMetadata() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	if err := v.Put(ctx, "cat.jpg", []byte("meow")); err != nil {
		log.Fatal(err)
	}
	before, err := v.Stat(ctx, "cat.jpg")
	if err != nil {
		log.Fatal(err)
	}

	// What is not named stays: here the content type and the time.
	e, err := v.SetMetadata(ctx, "cat.jpg", &kvault.MetadataOptions{
		User: map[string]string{"owner": "ann"}, IfTag: before.Tag,
	})
	fmt.Println(e.ContentType, e.User, e.ModTime.Equal(before.ModTime), err)

	// Whoever saw the version before comes too late.
	_, err = v.SetMetadata(ctx, "cat.jpg", &kvault.MetadataOptions{
		ContentType: kvault.NoContentType, IfTag: before.Tag,
	})
	fmt.Println(errors.Is(err, kvault.ErrTagMismatch))
	// Output:
	// image/jpeg map[owner:ann] true <nil>
	// true
}

// The digest of a stream is known only once all of it has been written.
func ExampleWriter_SetMetadata() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	w, err := v.NewWriter(ctx, "report.txt", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer w.Abort()
	digest := sha256.New()
	if _, err := io.Copy(w, io.TeeReader(strings.NewReader("all is well"), digest)); err != nil {
		log.Fatal(err)
	}
	sum := hex.EncodeToString(digest.Sum(nil))
	if err := w.SetMetadata(&kvault.MetadataOptions{User: map[string]string{"sha256": sum}}); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(w.Entry().ContentType, w.Entry().User["sha256"][:8])
	// Output:
	// text/plain; charset=utf-8 f70579cc
}

func ExampleVault_RenamePrefix() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	for _, key := range []string{"2025/a.jpg", "2025/b.jpg", "2026/a.jpg"} {
		if err := v.Put(ctx, key, []byte(key)); err != nil {
			log.Fatal(err)
		}
	}
	_, err := v.RenamePrefix(ctx, "2025/", "2026/", &kvault.PrefixOptions{NoReplace: true})
	fmt.Println(err) // and nothing has changed
	fmt.Println(v.CopyPrefix(ctx, "2025/", "copy/", nil))
	fmt.Println(v.RenamePrefix(ctx, "2025/", "old/2025/", nil))
	for key, err := range v.Keys(ctx, nil) {
		fmt.Println(key, err)
	}
	// Output:
	// rename prefix "2025/a.jpg": key exists already: "2026/a.jpg"
	// 2 <nil>
	// 2 <nil>
	// 2026/a.jpg <nil>
	// copy/a.jpg <nil>
	// copy/b.jpg <nil>
	// old/2025/a.jpg <nil>
	// old/2025/b.jpg <nil>
}

func ExampleVault_GetItem() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	if err := v.Put(ctx, "cat.jpg", []byte("meow")); err != nil {
		log.Fatal(err)
	}
	it, err := v.GetItem(ctx, "cat.jpg")
	fmt.Println(string(it.Value), it.ContentType, it.HasChecksum, err)
	// Output: meow image/jpeg true <nil>
}
