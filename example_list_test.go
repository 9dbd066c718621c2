package kvault_test

import (
	"context"
	"fmt"
	"log"

	"github.com/kohakuvault/kvault"
)

// openAlbum opens a vault in memory that holds a few keys.
func openAlbum(ctx context.Context) *kvault.Vault {
	v := openMemory(ctx)
	for _, key := range []string{"index.html", "photos/2024/cat.jpg", "photos/2025/dog.jpg", "photos/all.zip", "readme.txt"} {
		if err := v.Put(ctx, key, []byte(key)); err != nil {
			log.Fatal(err)
		}
	}
	return v
}

// printList prints the keys that a listing yields.
func printList(ctx context.Context, v *kvault.Vault, o *kvault.ListOptions) {
	for entry, err := range v.List(ctx, o) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(entry.Key)
	}
}

// List does not read the values, so it is quick however large they are.
func ExampleVault_List() {
	ctx := context.Background()
	v := openAlbum(ctx)
	defer v.Close()
	for entry, err := range v.List(ctx, &kvault.ListOptions{Prefix: "photos/"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(entry.Key, entry.Size, entry.ContentType)
	}
	// Output:
	// photos/2024/cat.jpg 19 image/jpeg
	// photos/2025/dog.jpg 19 image/jpeg
	// photos/all.zip 14 application/zip
}

// Keys behind the next delimiter are one entry, whose Folder is set.
func ExampleVault_List_folders() {
	ctx := context.Background()
	v := openAlbum(ctx)
	defer v.Close()
	for _, folder := range []string{"", "photos/"} {
		for entry, err := range v.List(ctx, &kvault.ListOptions{Prefix: folder, Delimiter: "/"}) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(entry.Key, entry.Folder)
		}
	}
	// Output:
	// index.html false
	// photos/ true
	// readme.txt false
	// photos/2024/ true
	// photos/2025/ true
	// photos/all.zip false
}

// Start is included, End is not.
func ExampleListOptions_range() {
	ctx := context.Background()
	v := openAlbum(ctx)
	defer v.Close()
	printList(ctx, v, &kvault.ListOptions{Start: "photos/2025", End: "readme.txt"})
	// Output:
	// photos/2025/dog.jpg
	// photos/all.zip
}

func ExampleListOptions_reverse() {
	ctx := context.Background()
	v := openAlbum(ctx)
	defer v.Close()
	printList(ctx, v, &kvault.ListOptions{Reverse: true, Limit: 2})
	// Output:
	// readme.txt
	// photos/all.zip
}

func ExampleVault_Count() {
	ctx := context.Background()
	v := openAlbum(ctx)
	defer v.Close()
	n, err := v.Count(ctx, &kvault.ListOptions{Prefix: "photos/"})
	fmt.Println(n, err)
	// Output: 3 <nil>
}
