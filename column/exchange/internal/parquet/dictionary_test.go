package parquet

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

const mebi = 1 << 20

// texts begins a file with a column of texts.
func texts(t *testing.T, nullable bool) (*Writer, *bytes.Buffer) {
	t.Helper()
	var file bytes.Buffer
	field := arrow.Field{Name: "s", Type: arrow.BinaryTypes.String, Nullable: nullable}
	w, err := NewWriter(&file, arrow.NewSchema([]arrow.Field{field}, nil))
	if err != nil {
		t.Fatal(err)
	}
	return w, &file
}

func open(t *testing.T, file *bytes.Buffer) *File {
	t.Helper()
	o := ReadOptions{Allocator: memory.DefaultAllocator}
	f, err := Open(bytes.NewReader(file.Bytes()), int64(file.Len()), o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A few bytes stand for any number of long texts: arrays end at the bound in bytes.
func TestArraysAreBoundedInBytes(t *testing.T) {
	const rows, length, bound = 512, mebi, 8 * mebi
	for _, nullable := range []bool{false, true} {
		w, file := texts(t, nullable)
		b := array.NewStringBuilder(memory.DefaultAllocator)
		b.Append(strings.Repeat("x", length))
		one := b.NewArray()
		for range rows {
			if err := w.Write(one); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(w.EndColumn(), w.Close()); err != nil {
			t.Fatal(err)
		}
		if file.Len() > mebi {
			t.Fatalf("a file of %d bytes", file.Len())
		}
		c, err := open(t, file).Chunk(0, 0)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for {
			a, err := c.Next(rows, bound)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got += a.Len()
			if n := a.Len() * length; n > bound+length {
				t.Fatalf("an array of %d bytes", n)
			}
		}
		if got != rows {
			t.Errorf("%d rows of %d", got, rows)
		}
	}
}

// A dictionary page of some KiB that expands to more than a dictionary may have is refused before
// it is expanded, and one of many empty texts takes no more than twice its length.
func TestDictionaryOfAnyLength(t *testing.T) {
	for _, tt := range []struct {
		size  int
		large bool
	}{{32 * mebi, false}, {longestDictionary + 4, true}} {
		w, file := texts(t, false)
		c := w.columns[0]
		w.page = make([]byte, tt.size)
		page, err := c.seal(pageDictionary, encodingPlain, tt.size/4)
		if err != nil {
			t.Fatal(err)
		}
		c.chunk.dictionary = w.at
		if err := w.put(page); err != nil {
			t.Fatal(err)
		}
		c.chunk.data, c.chunk.values, c.chunk.rows = w.at, 1, 1
		w.page = append(w.page[:0], 1, 2, 0) // the run of one entry, number 0
		if page, err = c.seal(pageData, encodingDictionary, 1); err != nil {
			t.Fatal(err)
		}
		w.page = nil
		if err := errors.Join(w.put(page), w.EndColumn(), w.Close()); err != nil {
			t.Fatal(err)
		}
		in, err := open(t, file).Chunk(0, 0)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a, err := in.Next(10, mebi)
		runtime.ReadMemStats(&after)
		took := int(after.TotalAlloc - before.TotalAlloc)
		if large := (*TooLargeError)(nil); errors.As(err, &large) != tt.large || took > 3*32*mebi {
			t.Errorf("%d bytes of dictionary in a file of %d: %v, %d MiB were taken",
				tt.size, file.Len(), err, took/mebi)
		} else if !tt.large && (err != nil || a.Len() != 1) {
			t.Errorf("%v, %v", a, err)
		}
	}
}
