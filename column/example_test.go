package column_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func openExample() (v *kvault.Vault, done func()) {
	dir, err := os.MkdirTemp("", "kvault")
	if err != nil {
		log.Fatal(err)
	}
	v, err = kvault.Open(context.Background(), filepath.Join(dir, "media.kv"), nil)
	if err != nil {
		log.Fatal(err)
	}
	return v, func() {
		v.Close()
		os.RemoveAll(dir)
	}
}

// Large values go into the vault, what is known of them into columns: a question about all of them
// reads no value.
func Example() {
	ctx := context.Background()
	v, done := openExample()
	defer done()
	names, err := column.Ensure(ctx, v, "names", column.String, nil)
	if err != nil {
		log.Fatal(err)
	}
	sizes, err := column.Ensure(ctx, v, "sizes", column.Int64, nil)
	if err != nil {
		log.Fatal(err)
	}
	for name, length := range map[string]int{"cat.jpg": 3000} {
		err := v.Update(ctx, func(tx *kvault.Tx) error {
			if err := tx.Put(ctx, "blob:"+name, make([]byte, length)); err != nil {
				return err
			}
			if err := names.In(tx).Append(ctx, name); err != nil {
				return err
			}
			return sizes.In(tx).Append(ctx, int64(length))
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	name, err := names.Get(ctx, -1)
	if err != nil {
		log.Fatal(err)
	}
	size, err := sizes.Get(ctx, -1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(name, size)
	// Output: cat.jpg 3000
}

// With the vault's cache on, single appends wait in memory and are written together.
func ExampleColumn_Append_cached() {
	ctx := context.Background()
	v, done := openExample()
	defer done()
	readings, err := column.Ensure(ctx, v, "readings", column.Float64, nil)
	if err != nil {
		log.Fatal(err)
	}
	err = v.WithCache(ctx, nil, func() error {
		for i := range 1000 {
			if err := readings.Append(ctx, float64(i)/2); err != nil {
				return err
			}
		}
		last, err := readings.Get(ctx, -1) // what is pending counts
		fmt.Println(last)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(readings.Len(ctx))
	// Output:
	// 499.5
	// 1000 <nil>
}

func ExampleColumn_Blocks() {
	ctx := context.Background()
	v, done := openExample()
	defer done()
	sizes, err := column.Create(ctx, v, "sizes", column.Int64, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := sizes.Extend(ctx, []int64{100, 20, 3}); err != nil {
		log.Fatal(err)
	}
	total := int64(0)
	for block, err := range sizes.Blocks(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		for _, size := range block {
			total += size
		}
	}
	fmt.Println(total)
	// Output: 123
}

func ExampleList() {
	ctx := context.Background()
	v, done := openExample()
	defer done()
	if _, err := column.Create(ctx, v, "hashes", column.FixedBytes(32), nil); err != nil {
		log.Fatal(err)
	}
	if _, err := column.Create(ctx, v, "names", column.String, nil); err != nil {
		log.Fatal(err)
	}
	list, err := column.List(ctx, v)
	if err != nil {
		log.Fatal(err)
	}
	for _, info := range list {
		fmt.Println(info.Name, info.Type, info.Len)
	}
	// Output:
	// hashes bytes:32 0
	// names str:utf8 0
}

// The elements of a column of any type, as the file has them.
func ExampleOpenStored() {
	v, done := openExample()
	defer done()
	ctx := context.Background()
	c, err := column.Create(ctx, v, "tags", column.MessagePack[[]string](), nil)
	if err == nil {
		err = c.Append(ctx, []string{"a", "b"})
	}
	if err != nil {
		log.Fatal(err)
	}
	d, err := column.OpenStored(ctx, v, "tags")
	if err != nil {
		log.Fatal(err)
	}
	stored, err := d.(*column.Column[[]byte]).Get(ctx, 0)
	fmt.Printf("% x %v", stored, err)
	// Output: 92 a1 61 a1 62 <nil>
}
