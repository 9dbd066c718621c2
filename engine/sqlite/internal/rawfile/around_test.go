package rawfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// slowFile is a database of empty pages, which notes what is read and takes its time over what was not read before.
type slowFile struct {
	pages uint32
	known map[int64]bool // by pages of 4096 bytes
	reads []string
}

const slowPage = 4096

func (f *slowFile) ReadAt(p []byte, off int64) (int, error) {
	f.reads = append(f.reads, fmt.Sprint(off/slowPage, "+", len(p)/slowPage))
	slow := false
	for at := off / slowPage; at*slowPage < off+int64(len(p)); at++ {
		slow = slow || !f.known[at]
		f.known[at] = true
	}
	if slow {
		time.Sleep(time.Millisecond)
	}
	clear(p)
	if off == 0 {
		copy(p, magic)
		binary.BigEndian.PutUint16(p[16:], slowPage)
		binary.BigEndian.PutUint32(p[28:], f.pages)
	}
	return len(p), nil
}

// What surrounds a page is read with it once a read had to wait, until some did not, and only in a file of moderate size. It is read
// again if the system has forgotten it.
func TestReadAround(t *testing.T) {
	for _, tt := range []struct {
		pages  uint32
		want   []string
		around int
	}{
		{1000, []string{"0+0", "499+1", "480+32", "490+1", "489+1", "96+32", "99+1", "992+8", "998+1"}, coldReads},
		{1 << 20, []string{"0+0", "499+1", "490+1", "489+1", "99+1", "998+1"}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &slowFile{pages: tt.pages, known: map[int64]bool{0: true}}
			pages, err := NewPages(f, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			r := pages.Reader(f)
			defer r.Close()
			for _, no := range []uint32{500, 491, 490, 100, 999} {
				if p, _, err := r.page(no); err != nil || !bytes.Equal(p, make([]byte, slowPage)) {
					t.Fatalf("page %d: %v", no, err)
				}
			}
			if !slices.Equal(f.reads, tt.want) {
				t.Errorf("of %d pages: %q, want %q", tt.pages, f.reads, tt.want)
			}
			f.reads = nil
			for i := range 2 * coldReads { // each from a neighbourhood of its own, which the system has
				no := uint32(200 + 32*i)
				for at := no / 32 * 32; at < no/32*32+32; at++ {
					f.known[int64(at)] = true
				}
				if err := r.read(make([]byte, slowPage), no); err != nil {
					t.Fatal(err)
				}
			}
			if around := len(f.reads) - 2*coldReads; around != tt.around {
				t.Errorf("of %d pages: %d of %d further reads took what is around them, want %d", tt.pages, around, 2*coldReads, tt.around)
			}
			if tt.around == 0 {
				return
			}
			clear(f.known)
			f.reads = nil
			for _, no := range []uint32{495, 496} {
				if err := r.read(make([]byte, slowPage), no); err != nil {
					t.Fatal(err)
				}
			}
			if want := []string{"494+1", "480+32", "495+1"}; !slices.Equal(f.reads, want) {
				t.Errorf("forgotten pages: %q, want %q", f.reads, want)
			}
		})
	}
}
