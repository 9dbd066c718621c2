package rawfile

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// Numbers of 32 bits in a file may be more than an int holds, and its length always may.
func TestNumbersBeyondInt(t *testing.T) {
	const size = 512
	page := func(fill byte) []byte { return bytes.Repeat([]byte{fill}, size) }
	first := page(0)
	copy(first, fileformat.Magic)
	binary.BigEndian.PutUint32(first[32:], 3) // the list of free pages

	f := &File{pageSize: size, usable: size, pages: maxPages, cache: map[uint32][]byte{1: first, 2: page(0xff)}}
	if f.findMaps(); f.mapped {
		t.Error("a page of nonsense is taken for a pointer map")
	}

	f = &File{pageSize: size, usable: size, pages: 10, cache: map[uint32][]byte{1: first, 3: page(0xff)}}
	if f.findFree(); f.free.has(3) {
		t.Error("a page of nonsense is taken for one of the list of free pages")
	}

	binary.BigEndian.PutUint16(first[16:], size)
	f = &File{main: noPages{}}
	if f.measure(first, 1<<32+size); f.pageSize != size || f.pages != 1<<23+1 {
		t.Errorf("the header of a file of more than 4 GiB in which nothing else makes sense is taken for %d pages of %d bytes", f.pages, f.pageSize)
	}
	f = &File{main: noPages{}}
	if f.measure(page(0xff), 1<<32+size); f.pageSize != 0 {
		t.Errorf("a file of more than 4 GiB in which nothing makes sense is taken for one with pages of %d bytes", f.pageSize)
	}
}

type noPages struct{}

func (noPages) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }
