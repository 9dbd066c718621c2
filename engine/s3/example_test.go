package s3_test

import (
	"context"
	"fmt"
	"log"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine/s3"
)

// The bucket exists already. Credentials are those of the AWS tools. The endpoint names two gateways
// of one cluster: if one does not answer, the other is asked.
func Example() {
	ctx := context.Background()
	store, err := s3.Open(ctx, "s3://media/photos?endpoint=https://s3-a.example.com,https://s3-b.example.com", nil)
	if err != nil {
		log.Fatal(err)
	}
	v, err := kvault.New(store, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close() // closes the store, too
	if err := v.Put(ctx, "notes/today.txt", []byte("water the plants")); err != nil {
		log.Fatal(err)
	}
	value, err := v.Get(ctx, "notes/today.txt")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(value))
}

// Optimize removes what deletes and replaced values have left. Run it from time to time on one
// machine, such as each night.
func ExampleStore_Optimize() {
	ctx := context.Background()
	store, err := s3.Open(ctx, "s3://media/photos", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	progress := func(done, _ int64) { log.Println(done, "objects looked at") }
	if err := store.Optimize(ctx, progress); err != nil {
		log.Fatal(err)
	}
}
