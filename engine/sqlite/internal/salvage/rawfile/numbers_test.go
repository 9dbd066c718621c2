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
	nonsense := bytes.Repeat([]byte{0xff}, size)
	first := make([]byte, size)
	copy(first, fileformat.Magic)
	binary.BigEndian.PutUint32(first[32:], 2) // the list of free pages

	for _, pages := range []uint32{10, maxPages} {
		f := &File{main: bytes.NewReader(append(bytes.Clone(first), nonsense...)), pageSize: size,
			usable: size, pages: pages, cache: make([]cachedPage, 8)}
		if f.findPointerMaps(); f.mapped {
			t.Error("a page of nonsense is taken for a pointer map")
		}
		if f.pages = 10; pages == f.pages {
			if f.findFree(); f.free.has(2) {
				t.Error("a page of nonsense is taken for one of the list of free pages")
			}
		}
	}

	binary.BigEndian.PutUint16(first[16:], size)
	for _, c := range []struct {
		header   []byte
		pageSize int
		pages    uint32
	}{{first, size, 1<<23 + 1}, {nonsense, 0, 0}} {
		f := &File{main: noPages{}}
		f.findPageSize(c.header, 1<<32+size)
		if f.pageSize != c.pageSize || f.pages != c.pages {
			t.Errorf("a file of more than 4 GiB in which nothing but its header can make sense is "+
				"taken for %d pages of %d bytes, want %+v", f.pages, f.pageSize, c)
		}
	}
}

type noPages struct{}

func (noPages) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }
