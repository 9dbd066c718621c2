package kvault_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strconv"

	"github.com/kohakuvault/kvault"
)

// Update makes all changes visible at once, or none if the function fails.
func ExampleVault_Update() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()

	increment := func(tx *kvault.Tx) error {
		old, err := tx.GetOr(ctx, "counter", []byte("0"))
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(old))
		if err != nil {
			return err
		}
		return tx.Put(ctx, "counter", []byte(strconv.Itoa(n+1)))
	}
	for range 3 {
		if err := v.Update(ctx, increment); err != nil {
			log.Fatal(err)
		}
	}
	value, err := v.Get(ctx, "counter")
	fmt.Printf("%s %v\n", value, err)
	// Output: 3 <nil>
}

func ExampleVault_Update_rollback() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()

	second := errors.New("no second thought")
	err := v.Update(ctx, func(tx *kvault.Tx) error {
		if err := tx.Put(ctx, "first", nil); err != nil {
			return err
		}
		return second
	})
	found, _ := v.Exists(ctx, "first")
	fmt.Println(err == second, found)
	// Output: true false
}

// View reads one snapshot, whatever is written meanwhile.
func ExampleVault_View() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	if err := v.Put(ctx, "k", []byte("old")); err != nil {
		log.Fatal(err)
	}

	err := v.View(ctx, func(tx *kvault.Tx) error {
		if err := v.Put(ctx, "k", []byte("new")); err != nil { // on the vault, not in the snapshot
			return err
		}
		value, err := tx.Get(ctx, "k")
		fmt.Printf("%s\n", value)
		return err
	})
	fmt.Println(err)
	// Output:
	// old
	// <nil>
}
