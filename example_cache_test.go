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
)

// The first pattern: a batch with a beginning and an end. It is flushed when the function returns,
// fails or panics.
func ExampleVault_WithCache() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()

	err := v.WithCache(ctx, &kvault.CacheOptions{Capacity: 64 << 20}, func() error {
		for i := range 10_000 {
			if err := v.Put(ctx, fmt.Sprintf("key:%04d", i), []byte("data")); err != nil {
				return err
			}
		}
		fmt.Println(v.CacheStats().Entries, "pending")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	s := v.CacheStats()
	fmt.Println(s.Entries, "pending,", s.Flushes, "flush")
	// Output:
	// 10000 pending
	// 0 pending, 1 flush
}

// Without the flush on return, what is pending waits for the next flush, or for Close.
func ExampleVault_WithCache_noFlush() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()

	err := v.WithCache(ctx, &kvault.CacheOptions{NoFlushOnReturn: true}, func() error {
		return v.Put(ctx, "k", []byte("v"))
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v.CacheStats().Entries, "pending")
	fmt.Println(v.FlushCache(ctx))
	// Output:
	// 1 pending
	// 1 <nil>
}

// The second pattern: a program that runs for long. The cache is flushed in the background once
// nothing was written for IdleFlush, or when something has been pending for MaxAge.
func ExampleVault_EnableCache_background() {
	ctx := context.Background()
	v, err := kvault.Open(ctx, ":memory:", &kvault.Options{
		OnError: func(err error) { log.Print(err) }, // a flush in the background that failed: the data is kept
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	err = v.EnableCache(ctx, &kvault.CacheOptions{
		IdleFlush: 5 * time.Millisecond, // more like 5 * time.Second
		MaxAge:    time.Minute,
	})
	if err != nil {
		log.Fatal(err)
	}

	if err := v.Put(ctx, "sensor", []byte("21.5")); err != nil {
		log.Fatal(err)
	}
	for v.CacheStats().Entries > 0 {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("flushed")
	// Output: flushed
}

// The third pattern: flushing by hand. Reads count in what is pending; what is pending when the
// program dies is lost.
func ExampleVault_EnableCache() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()

	if err := v.EnableCache(ctx, nil); err != nil {
		log.Fatal(err)
	}
	for i := range 3 {
		if err := v.Put(ctx, fmt.Sprintf("key:%d", i), []byte("data")); err != nil {
			log.Fatal(err)
		}
	}
	n, err := v.Len(ctx)
	fmt.Println(n, err)

	fmt.Println(v.FlushCache(ctx))
	fmt.Println(v.DisableCache(ctx))
	// Output:
	// 3 <nil>
	// 3 <nil>
	// <nil>
}

func ExampleCacheOptions() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()

	fmt.Println("capacity", kvault.DefaultCapacity)
	fmt.Println("threshold of EnableCache", kvault.DefaultThreshold)
	err := v.EnableCache(ctx, &kvault.CacheOptions{Capacity: 1000, Threshold: 2000})
	fmt.Println(err)
	// Output:
	// capacity 67108864
	// threshold of EnableCache 16777216
	// enable cache: Threshold 2000 is above Capacity 1000
}

// A write that reaches the threshold flushes.
func ExampleCacheOptions_threshold() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	if err := v.EnableCache(ctx, &kvault.CacheOptions{Capacity: 100, Threshold: 80}); err != nil {
		log.Fatal(err)
	}
	for _, key := range []string{"a", "b"} {
		if err := v.Put(ctx, key, make([]byte, 40)); err != nil {
			log.Fatal(err)
		}
		s := v.CacheStats()
		fmt.Println(s.Bytes, "bytes pending,", s.Flushes, "flushes")
	}
	// Output:
	// 41 bytes pending, 0 flushes
	// 0 bytes pending, 1 flushes
}

// The capacity is never exceeded: what would not fit flushes first, and what is larger than all of
// it is then written through.
func ExampleCacheOptions_capacity() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	if err := v.EnableCache(ctx, &kvault.CacheOptions{Capacity: 100, Threshold: 100}); err != nil {
		log.Fatal(err)
	}
	for _, size := range []int{60, 50, 200} {
		if err := v.Put(ctx, fmt.Sprint(size), make([]byte, size)); err != nil {
			log.Fatal(err)
		}
		s := v.CacheStats()
		fmt.Println(s.Bytes, "bytes pending,", s.Flushes, "flushes")
	}
	// Output:
	// 62 bytes pending, 0 flushes
	// 52 bytes pending, 1 flushes
	// 0 bytes pending, 2 flushes
}

func ExampleVault_FlushCache() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	if err := v.EnableCache(ctx, nil); err != nil {
		log.Fatal(err)
	}
	for _, key := range []string{"a", "b", "a"} {
		if err := v.Put(ctx, key, nil); err != nil {
			log.Fatal(err)
		}
	}
	// One transaction: a key that was put twice is one entry.
	fmt.Println(v.FlushCache(ctx))
	// Output: 2 <nil>
}

// DisableCache writes what is pending first.
func ExampleVault_DisableCache() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	if err := v.EnableCache(ctx, nil); err != nil {
		log.Fatal(err)
	}
	if err := v.Put(ctx, "k", []byte("v")); err != nil {
		log.Fatal(err)
	}
	if err := v.DisableCache(ctx); err != nil {
		log.Fatal(err)
	}
	s := v.CacheStats()
	fmt.Println(s.Enabled, s.Entries, s.Flushes)
	// Output: false 0 1
}

// What is written under one lock reaches the file in one transaction.
func ExampleVault_LockCache() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	if err := v.EnableCache(ctx, &kvault.CacheOptions{IdleFlush: time.Minute}); err != nil {
		log.Fatal(err)
	}

	unlock, err := v.LockCache()
	if err != nil {
		log.Fatal(err)
	}
	defer unlock() // once more does no harm
	for _, key := range []string{"config:part1", "config:part2"} {
		if err := v.Put(ctx, key, []byte("data")); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(v.FlushCache(ctx))
	fmt.Println(errors.Is(v.DisableCache(ctx), kvault.ErrBusy))
	unlock()
	fmt.Println(v.FlushCache(ctx))
	// Output:
	// 0 <nil>
	// true
	// 2 <nil>
}

func ExampleVault_CacheStats() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	if err := v.EnableCache(ctx, &kvault.CacheOptions{Capacity: 1 << 20}); err != nil {
		log.Fatal(err)
	}
	if err := v.Put(ctx, "key", []byte("value")); err != nil {
		log.Fatal(err)
	}
	s := v.CacheStats()
	fmt.Println(s.Enabled, s.Entries, s.Bytes, s.Capacity) // an entry counts its key and its value
	// Output: true 1 8 1048576
}

// WithCache flushes at a quarter of its capacity, unless its options say otherwise.
func ExampleVault_WithCache_threshold() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()

	err := v.WithCache(ctx, &kvault.CacheOptions{Capacity: 400}, func() error {
		for _, key := range []string{"a", "b", "c"} {
			if err := v.Put(ctx, key, make([]byte, 49)); err != nil {
				return err
			}
			fmt.Println(v.CacheStats().Bytes, "bytes pending")
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// 50 bytes pending
	// 0 bytes pending
	// 50 bytes pending
	// <nil>
}

func ExampleVault_Close_cache() {
	ctx := context.Background()
	dir := tempDir()
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "media.kv")
	for _, key := range []string{"a", "b"} {
		v, err := kvault.Open(ctx, path, nil)
		if err != nil {
			log.Fatal(err)
		}
		if err := v.EnableCache(ctx, nil); err != nil {
			log.Fatal(err)
		}
		if err := v.Put(ctx, key, nil); err != nil {
			log.Fatal(err)
		}
		n, err := v.Len(ctx)
		fmt.Println(n, err, v.Close())
	}
	// Output:
	// 1 <nil> <nil>
	// 2 <nil> <nil>
}
