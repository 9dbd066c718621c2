package kvault_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/kohakuvault/kvault"
)

// openMemory opens a vault in memory. The examples of Open show how to open a file.
func openMemory(ctx context.Context) *kvault.Vault {
	v, err := kvault.Open(ctx, ":memory:", nil)
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// tempDir makes a directory that the caller removes.
func tempDir() string {
	dir, err := os.MkdirTemp("", "kvault-example-")
	if err != nil {
		log.Fatal(err)
	}
	return dir
}

func Example() {
	ctx := context.Background()
	v, err := kvault.Open(ctx, ":memory:", nil) // or a path: "media.kv"
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	if err := v.Put(ctx, "notes/today.txt", []byte("water the plants")); err != nil {
		log.Fatal(err)
	}
	value, err := v.Get(ctx, "notes/today.txt")
	fmt.Printf("%s, %v\n", value, err)
	// Output: water the plants, <nil>
}

func ExampleVault_Put() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()

	// A key is a string of any bytes, a value is any bytes. Putting again replaces.
	for _, value := range []string{"profile", "new profile"} {
		if err := v.Put(ctx, "user:123", []byte(value)); err != nil {
			log.Fatal(err)
		}
	}
	if err := v.Put(ctx, "\x00\x01", nil); err != nil {
		log.Fatal(err)
	}
	for it, err := range v.Items(ctx, nil) {
		fmt.Printf("%q %q %v\n", it.Key, it.Value, err)
	}
	// Output:
	// "\x00\x01" "" <nil>
	// "user:123" "new profile" <nil>
}

func ExampleVault_Get() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	if err := v.Put(ctx, "user:123", []byte("profile")); err != nil {
		log.Fatal(err)
	}

	value, err := v.Get(ctx, "user:123")
	fmt.Printf("%s %v\n", value, err)

	_, err = v.Get(ctx, "user:999")
	fmt.Println(err, errors.Is(err, kvault.ErrNotFound))
	// Output:
	// profile <nil>
	// get "user:999": key not found true
}

func ExampleVault_GetOr() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()

	// Only a missing key gives the fallback: a failing database or a cancelled context is an error.
	value, err := v.GetOr(ctx, "theme", []byte("light"))
	fmt.Printf("%s %v\n", value, err)

	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = v.GetOr(cancelled, "theme", []byte("light"))
	fmt.Println(err)
	// Output:
	// light <nil>
	// get "theme": context canceled
}

func ExampleVault_GetMany() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	for _, key := range []string{"a", "b"} {
		if err := v.Put(ctx, key, []byte("value of "+key)); err != nil {
			log.Fatal(err)
		}
	}

	// All values are those of one moment; a key that does not exist is not in the map.
	values, err := v.GetMany(ctx, "a", "b", "c")
	if err != nil {
		log.Fatal(err)
	}
	_, found := values["c"]
	fmt.Printf("%s, %s, %t\n", values["a"], values["b"], found)
	// Output: value of a, value of b, false
}

func ExampleVault_Exists() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	if err := v.Put(ctx, "user:123", nil); err != nil {
		log.Fatal(err)
	}
	for _, key := range []string{"user:123", "user:999"} {
		found, err := v.Exists(ctx, key)
		if err != nil {
			log.Fatal(err) // not known, which is not "no"
		}
		fmt.Println(key, found)
	}
	// Output:
	// user:123 true
	// user:999 false
}

func ExampleVault_Delete() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	if err := v.Put(ctx, "user:123", nil); err != nil {
		log.Fatal(err)
	}
	for range 2 {
		found, err := v.Delete(ctx, "user:123")
		fmt.Println(found, err)
	}
	// Output:
	// true <nil>
	// false <nil>
}

// Many values can be read into the same memory.
func ExampleVault_AppendValue() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	for _, word := range []string{"one", "three"} {
		if err := v.Put(ctx, word, []byte(word)); err != nil {
			log.Fatal(err)
		}
	}
	var value []byte
	for _, key := range []string{"one", "three"} {
		var err error
		if value, err = v.AppendValue(ctx, value[:0], key); err != nil {
			log.Fatal(err)
		}
		fmt.Println(key, len(value))
	}
	// Output:
	// one 3
	// three 5
}
