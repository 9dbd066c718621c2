package kvault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing/iotest"

	"github.com/kohakuvault/kvault"
)

func ExampleVault_PutReader() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()

	// One chunk is in memory at a time, however long the source is.
	source := io.LimitReader(strings.NewReader(strings.Repeat("frame ", 1<<20)), 3_000_000)
	entry, err := v.PutReader(ctx, "video:123", source, &kvault.PutOptions{ChunkSize: 256 << 10})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(entry.Key, entry.Size)
	// Output: video:123 3000000
}

// If the size is known, say it: a source that gives less or more is refused, and the old value stays.
func ExampleVault_PutReader_size() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	if err := v.Put(ctx, "report", []byte("old")); err != nil {
		log.Fatal(err)
	}

	_, err := v.PutReader(ctx, "report", strings.NewReader("cut sho"), &kvault.PutOptions{Size: 10})
	fmt.Println(err)
	value, err := v.Get(ctx, "report")
	fmt.Printf("%s %v\n", value, err)
	// Output:
	// put "report": source gave 7 bytes, size says 10
	// old <nil>
}

// A source that fails leaves the old value, and its error can be found in that of the call.
func ExampleVault_PutReader_failure() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()

	broken := errors.New("cable unplugged")
	_, err := v.PutReader(ctx, "report", iotest.ErrReader(broken), nil)
	fmt.Println(err, errors.Is(err, broken))
	// Output: put "report": read source: cable unplugged true
}

func ExampleVault_PutFile() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	dir := tempDir()
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "page.html")
	if err := os.WriteFile(path, []byte("<h1>hello</h1>"), 0o600); err != nil {
		log.Fatal(err)
	}

	// Size and modification time are those of the file.
	entry, err := v.PutFile(ctx, "site/index.html", path, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(entry.Size, entry.ContentType)
	// Output: 14 text/html; charset=utf-8
}

// A Writer is for code that writes, such as an encoder. Nothing is visible before Close.
func ExampleVault_NewWriter() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()

	w, err := v.NewWriter(ctx, "squares.csv", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer w.Abort() // does nothing after Close
	for i := range 3 {
		if _, err := fmt.Fprintf(w, "%d,%d\n", i, i*i); err != nil {
			log.Fatal(err)
		}
	}
	before, err := v.Exists(ctx, "squares.csv")
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(before, w.Entry().Size)
	// Output: false 12
}

func ExampleWriter_Abort() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()

	w, err := v.NewWriter(ctx, "draft", nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := io.WriteString(w, "never mind"); err != nil {
		log.Fatal(err)
	}
	w.Abort()
	found, err := v.Exists(ctx, "draft")
	fmt.Println(found, err)
	// Output: false <nil>
}

func ExampleVault_GetTo() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	if err := v.Put(ctx, "poem", []byte("so much depends\nupon\n")); err != nil {
		log.Fatal(err)
	}

	n, err := v.GetTo(ctx, "poem", os.Stdout) // or a file, a network connection, a hash
	fmt.Println(n, err)
	// Output:
	// so much depends
	// upon
	// 21 <nil>
}

func ExampleVault_NewReader() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	if err := v.Put(ctx, "letters", []byte("abcdefghij")); err != nil {
		log.Fatal(err)
	}

	r, err := v.NewReader(ctx, "letters")
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	// The reader keeps to the version that it opened.
	if err := v.Put(ctx, "letters", []byte("0123456789")); err != nil {
		log.Fatal(err)
	}

	if _, err := r.Seek(-3, io.SeekEnd); err != nil {
		log.Fatal(err)
	}
	end, err := io.ReadAll(r)
	fmt.Printf("%s %v\n", end, err)

	middle := make([]byte, 4)
	n, err := r.ReadAt(middle, 2)
	fmt.Printf("%s %d %v, %d in all\n", middle, n, err, r.Size())
	// Output:
	// hij <nil>
	// cdef 4 <nil>, 10 in all
}

func ExampleVault_GetRange() {
	ctx := context.Background()
	v := openMemory(ctx)
	defer v.Close()
	if err := v.Put(ctx, "letters", []byte("abcdefghij")); err != nil {
		log.Fatal(err)
	}

	// No more than what is asked for is read. A negative count means to the end.
	for _, r := range [][2]int64{{0, 3}, {7, -1}, {8, 100}} {
		part, err := v.GetRange(ctx, "letters", r[0], r[1])
		fmt.Printf("%s %v\n", part, err)
	}
	// Output:
	// abc <nil>
	// hij <nil>
	// ij <nil>
}
