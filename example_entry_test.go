package kvault_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/kohakuvault/kvault"
)

func ExampleVault_Stat() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	taken := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	o := &kvault.PutOptions{ModTime: taken, User: map[string]string{"camera": "X100"}}
	if _, err := v.PutWith(ctx, "photos/cat.jpg", []byte("..."), o); err != nil {
		log.Fatal(err)
	}

	entry, err := v.Stat(ctx, "photos/cat.jpg")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(entry.Size, entry.ContentType, entry.ModTime.Format(time.DateOnly), entry.User)
	fmt.Printf("%08x %t\n", entry.Checksum, entry.HasChecksum) // CRC-32C
	// Output:
	// 3 image/jpeg 2025-06-01 map[camera:X100]
	// 6f55d0cd true
}

// The content type is what the options say, or goes by the key's extension, or by how the value begins.
func ExampleVault_PutWith_contentType() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	png := []byte("\x89PNG\r\n\x1a\n")
	for _, put := range []struct{ key, contentType string }{
		{"logo", "image/x-logo"}, {"logo.gif", ""}, {"logo", ""},
	} {
		entry, err := v.PutWith(ctx, put.key, png, &kvault.PutOptions{ContentType: put.contentType})
		fmt.Println(entry.ContentType, err)
	}
	// Output:
	// image/x-logo <nil>
	// image/gif <nil>
	// image/png <nil>
}

func ExampleVault_PutWith_ifAbsent() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	for _, owner := range []string{"ann", "bob"} {
		_, err := v.PutWith(ctx, "lock", []byte(owner), &kvault.PutOptions{IfAbsent: true})
		fmt.Println(owner, errors.Is(err, kvault.ErrExists))
	}
	// Output:
	// ann false
	// bob true
}

// Read, change and write back only if nobody else wrote meanwhile.
func ExampleVault_PutWith_ifTag() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	first, err := v.PutWith(ctx, "settings", []byte("a"), nil)
	if err != nil {
		log.Fatal(err)
	}

	o := &kvault.PutOptions{IfTag: first.Tag}
	_, err = v.PutWith(ctx, "settings", []byte("b"), o)
	fmt.Println(err)
	_, err = v.PutWith(ctx, "settings", []byte("c"), o)
	fmt.Println(errors.Is(err, kvault.ErrTagMismatch))
	// Output:
	// <nil>
	// true
}

func ExampleVault_DeleteIf() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	old, err := v.PutWith(ctx, "session", []byte("1"), nil)
	if err != nil {
		log.Fatal(err)
	}
	current, err := v.PutWith(ctx, "session", []byte("2"), nil)
	if err != nil {
		log.Fatal(err)
	}
	err = v.DeleteIf(ctx, "session", old.Tag)
	fmt.Println(errors.Is(err, kvault.ErrTagMismatch))
	fmt.Println(v.DeleteIf(ctx, "session", current.Tag))
	// Output:
	// true
	// <nil>
}
