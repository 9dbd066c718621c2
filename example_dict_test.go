package kvault_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"maps"

	"github.com/kohakuvault/kvault"
)

func ExampleVault_PutAll() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()

	// All of it in one transaction, or none.
	err := v.PutAll(ctx, maps.All(map[string][]byte{"k1": []byte("v1"), "k2": []byte("v2")}))
	if err != nil {
		log.Fatal(err)
	}
	n, err := v.Len(ctx)
	fmt.Println(n, err)
	// Output: 2 <nil>
}

func ExampleVault_Len() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	for _, key := range []string{"a", "b", "c", "a"} {
		if err := v.Put(ctx, key, nil); err != nil {
			log.Fatal(err)
		}
	}
	n, err := v.Len(ctx)
	fmt.Println(n, err)
	// Output: 3 <nil>
}

func ExampleVault_Keys() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	for _, key := range []string{"b", "a", "c"} {
		if err := v.Put(ctx, key, nil); err != nil {
			log.Fatal(err)
		}
	}

	// The loop may call any method of the vault, and may be left at any point.
	for key, err := range v.Keys(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		if _, err := v.Delete(ctx, key); err != nil {
			log.Fatal(err)
		}
		fmt.Println(key)
	}
	// Output:
	// a
	// b
	// c
}

func ExampleVault_Values() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	for _, pair := range [][2]string{{"b", "second"}, {"a", "first"}} {
		if err := v.Put(ctx, pair[0], []byte(pair[1])); err != nil {
			log.Fatal(err)
		}
	}
	for value, err := range v.Values(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", value)
	}
	// Output:
	// first
	// second
}

func ExampleVault_Items() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	for _, pair := range [][2]string{{"b", "second"}, {"a", "first"}} {
		if err := v.Put(ctx, pair[0], []byte(pair[1])); err != nil {
			log.Fatal(err)
		}
	}
	for it, err := range v.Items(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s=%s, %d bytes\n", it.Key, it.Value, it.Size)
	}
	// Output:
	// a=first, 5 bytes
	// b=second, 6 bytes
}

func ExampleVault_Pop() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	if err := v.Put(ctx, "job", []byte("resize cat.jpg")); err != nil {
		log.Fatal(err)
	}

	// Of several that pop the same key, one gets it.
	value, err := v.Pop(ctx, "job")
	fmt.Printf("%s %v\n", value, err)
	_, err = v.Pop(ctx, "job")
	fmt.Println(errors.Is(err, kvault.ErrNotFound))
	// Output:
	// resize cat.jpg <nil>
	// true
}

func ExampleVault_SetDefault() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	for _, value := range []string{"first", "second"} {
		stored, existed, err := v.SetDefault(ctx, "owner", []byte(value))
		fmt.Printf("%s %t %v\n", stored, existed, err)
	}
	// Output:
	// first false <nil>
	// first true <nil>
}

func ExampleVault_Rename() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	for _, key := range []string{"cat.jpg", "dog.jpg"} {
		if err := v.Put(ctx, key, []byte(key)); err != nil {
			log.Fatal(err)
		}
	}

	// The value is not copied, however large it is.
	err := v.Rename(ctx, "cat.jpg", "dog.jpg", &kvault.RenameOptions{NoReplace: true})
	fmt.Println(errors.Is(err, kvault.ErrExists))
	if err := v.Rename(ctx, "cat.jpg", "felix.jpg", nil); err != nil {
		log.Fatal(err)
	}
	value, err := v.Get(ctx, "felix.jpg")
	fmt.Printf("%s %v\n", value, err)
	// Output:
	// true
	// cat.jpg <nil>
}

func ExampleVault_Clear() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	for i := range 1000 {
		if err := v.Put(ctx, fmt.Sprintf("key:%03d", i), nil); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(v.DeletePrefix(ctx, "key:5"))
	fmt.Println(v.Clear(ctx))
	// Output:
	// 100 <nil>
	// 900 <nil>
}
