package fastread

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// image is a database file in memory: two rows in one table, and what there is to know of the
// first.
type image struct {
	data  []byte
	size  int // of a page
	value []byte
	chain []uint32 // the overflow pages of the row, in order
}

const imageRow, imageColumn = 7, 2

// newImage has SQLite make a file with a row of that many bytes, of which some are before the
// column.
func newImage(t testing.TB, pageSize, before, n int) *image {
	t.Helper()
	path := filepath.Join(t.TempDir(), "v.db")
	c, err := driver.Open(t.Context(), driver.Config{Path: path, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	img := &image{size: pageSize, value: make([]byte, n)}
	r := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = r.Read(img.value)
	exec := func(sql string) {
		t.Helper()
		if err := c.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(fmt.Sprintf("PRAGMA page_size = %d; CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c)", pageSize))
	for _, row := range []int64{imageRow, imageRow + 1} {
		st, err := c.Prepare("INSERT INTO t VALUES(?1, ?2, ?3, 'behind')")
		if err == nil {
			err = st.Int(1, row).Blob(2, make([]byte, before)).Blob(3, img.value).Exec()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if img.data, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	reader := img.reader(t, bytes.NewReader(img.data))
	defer reader.Close()
	v := img.find(t, &reader)
	for next := v.chain.next; next != 0; next = fileformat.U32(img.page(next)) {
		img.chain = append(img.chain, next)
	}
	return img
}

func (img *image) page(no uint32) []byte { return img.data[int(no-1)*img.size:][:img.size] }

func (img *image) link(i int, to uint32) { binary.BigEndian.PutUint32(img.page(img.chain[i]), to) }

func (img *image) clone() *image {
	c := *img
	c.data, c.chain = slices.Clone(img.data), slices.Clone(img.chain)
	return &c
}

func (img *image) reader(t testing.TB, main io.ReaderAt) Reader {
	t.Helper()
	pages, err := NewPages(main, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return pages.Reader(main)
}

func (img *image) find(t testing.TB, r *Reader) Value {
	t.Helper()
	row, found, err := r.FindRow(2, imageRow) // the root of the only table
	if err != nil || !found {
		t.Fatalf("the row: %t, %v", found, err)
	}
	v, err := row.Blob(imageColumn)
	if err != nil || !found || v.Size != int64(len(img.value)) {
		t.Fatalf("the row: %d bytes, %t, %v", v.Size, found, err)
	}
	return v
}

// reorder has the chain go through the same pages in the order that shuffle makes. The first page
// stays, since the row names it.
func (img *image) reorder(shuffle func(pages []uint32)) *image {
	old := img.clone()
	img = img.clone()
	shuffle(img.chain[1:])
	for i, no := range img.chain {
		copy(img.page(no), old.page(old.chain[i]))
	}
	for i := range img.chain[1:] {
		img.link(i, img.chain[i+1])
	}
	return img
}

// countedFile reads an image and counts the bytes. If there is an answer, it returns that instead of
// what it read.
type countedFile struct {
	*bytes.Reader
	count, pageSize int
	answer          func(n int) (int, error)
}

func (f *countedFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.Reader.ReadAt(p, off)
	f.count += n
	if f.answer != nil && len(p) > f.pageSize {
		return f.answer(n)
	}
	return n, err
}

// read reads the column in pieces of the lengths that piece returns, through main.
func (img *image) read(t testing.TB, main io.ReaderAt, piece func() int) ([]byte, error) {
	t.Helper()
	r := img.reader(t, main)
	defer r.Close()
	got := make([]byte, len(img.value))
	at := min(piece(), len(got))
	c, err := r.Start(img.find(t, &r), got[:at])
	if err != nil {
		return nil, err
	}
	for at < len(got) {
		if c.Left != int64(len(got)-at) {
			t.Errorf("behind %d of %d bytes %d are left", at, len(got), c.Left)
		}
		other := img.reader(t, main) // goes on as well
		n := min(piece(), len(got)-at)
		err := other.Read(&c, got[at:at+n])
		if other.Close(); err != nil {
			return got[:at], err
		}
		at += n
	}
	if err := r.Read(&c, make([]byte, 1)); !errors.Is(err, ErrFallback) {
		t.Errorf("a byte behind the end: %v", err)
	}
	return got, nil
}

func (img *image) file() *countedFile {
	return &countedFile{Reader: bytes.NewReader(img.data), pageSize: img.size}
}

func always(n int) func() int { return func() int { return n } }

// orders are ways for the pages of a chain to lie.
var orders = map[string]func([]uint32){
	"in a row":  func([]uint32) {},
	"backwards": func(p []uint32) { slices.Reverse(p) },
	"halves":    func(p []uint32) { copy(p, append(slices.Clone(p[len(p)/2:]), p[:len(p)/2]...)) },
	"pairs": func(p []uint32) {
		for i := 0; i+1 < len(p); i += 2 {
			p[i], p[i+1] = p[i+1], p[i]
		}
	},
	"runs": func(p []uint32) {
		runs := slices.Collect(slices.Chunk(slices.Clone(p), 20))
		slices.Reverse(runs)
		copy(p, slices.Concat(runs...))
	},
	"any": func(p []uint32) {
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(p), func(i, j int) { p[i], p[j] = p[j], p[i] })
	},
}

// A column comes out of its pages whatever their size and order, and the pieces in which it is
// read.
func TestChain(t *testing.T) {
	for _, pageSize := range []int{512, 4096, 8192, 65536} {
		for _, before := range []int{10, 3000, 200_000} {
			made := newImage(t, pageSize, before, 1_500_000)
			for name, order := range orders {
				img := made.reorder(order)
				for _, n := range []int{2 * 32 << 10, 100_000, 512 << 10, len(img.value)} {
					main := img.file()
					got, err := img.read(t, main, always(n))
					if err != nil || !bytes.Equal(got, img.value) {
						t.Errorf("pages of %d, %s, behind %d bytes, in pieces of %d: wrong bytes (%v)", pageSize, name, before, n, err)
					}
					if name == "in a row" && main.count > len(img.value)+before+len(img.value)/4+4*blockBytes {
						t.Errorf("pages of %d, behind %d bytes, in pieces of %d: %d bytes were read", pageSize, before, n, main.count)
					}
				}
				r := rand.New(rand.NewPCG(3, 4))
				mixed := func() int { return 1 + r.IntN([]int{100, 20_000, 300_000}[r.IntN(3)]) }
				if got, err := img.read(t, img.file(), mixed); err != nil || !bytes.Equal(got, img.value) {
					t.Errorf("pages of %d, %s, behind %d bytes, in mixed pieces: wrong bytes (%v)", pageSize, name, before, err)
				}
			}
		}
	}
}

// Pages that lie in no order cost reads for nothing, but not many times as many bytes.
func TestChainReadsLittleForNothing(t *testing.T) {
	img := newImage(t, 8192, 10, 8<<20).reorder(slices.Reverse[[]uint32])
	main := img.file()
	if _, err := img.read(t, main, always(1<<20)); err != nil {
		t.Fatal(err)
	}
	if most := 5 * len(img.value); main.count > most {
		t.Errorf("%d bytes were read for %d", main.count, len(img.value))
	}
}

// broken are images whose chain ends early or leaves the file.
func (img *image) broken() iter.Seq2[string, *image] {
	last, pages := len(img.chain)-1, uint32(len(img.data)/img.size)
	return func(yield func(string, *image) bool) {
		for _, at := range []int{0, 1, 20, last / 2, last - 1} {
			for _, to := range []uint32{0, 1, pages + 1, 1<<32 - 1} {
				broken := img.clone()
				broken.link(at, to)
				if !yield(fmt.Sprintf("link %d of %d to page %d", at, last, to), broken) {
					return
				}
			}
		}
	}
}

// A chain that ends early or leaves the file is an error, wherever it does so, whatever is read at
// once.
func TestBrokenChain(t *testing.T) {
	made := newImage(t, 4096, 10, 700_000)
	for name, img := range made.broken() {
		for _, n := range []int{1000, 32 << 10, 300_000, len(img.value)} {
			got, err := img.read(t, img.file(), always(n))
			if !errors.Is(err, ErrFallback) {
				t.Errorf("%s, pieces of %d: %v", name, n, err)
			}
			if !bytes.Equal(got, img.value[:len(got)]) {
				t.Errorf("%s, pieces of %d: wrong bytes before the error", name, n)
			}
		}
	}
	last, pages := len(made.chain)-1, uint32(len(made.data)/made.size)
	for _, to := range []uint32{1, 2, pages, pages + 1} { // nobody follows the last one
		img := made.clone()
		img.link(last, to)
		if got, err := img.read(t, img.file(), always(len(img.value))); err != nil || !bytes.Equal(got, img.value) {
			t.Errorf("the last link to page %d: %v", to, err)
		}
	}
}

// A read that fails, or that ends early, is left to SQLite.
func TestChainReadFails(t *testing.T) {
	img := newImage(t, 8192, 10, 1<<20)
	failure := errors.New("no such luck")
	for name, answer := range map[string]func(n int) (int, error){
		"short":   func(n int) (int, error) { return n - 1, io.ErrUnexpectedEOF },
		"fails":   func(int) (int, error) { return 0, failure },
		"halfway": func(n int) (int, error) { return n / 2, failure },
	} {
		main := img.file()
		main.answer = answer
		if _, err := img.read(t, main, always(300_000)); !errors.Is(err, ErrFallback) {
			t.Errorf("%s: %v", name, err)
		}
	}
	boast := img.clone() // more pages than there can be
	binary.BigEndian.PutUint32(boast.data[28:], 1<<32-1)
	boast.link(50, 1<<31)
	if got, err := boast.read(t, boast.file(), always(1<<20)); err == nil {
		t.Errorf("%d bytes came out of pages that are not there", len(got))
	}
	cut := img.clone()
	cut.data = cut.data[:int(cut.chain[90]-1)*cut.size+100]
	if got, err := cut.read(t, cut.file(), always(1<<20)); err == nil {
		t.Errorf("%d bytes came out of a file that was cut off", len(got))
	}
}

// FuzzChain damages links between pages and reads in different pieces, which makes no difference.
func FuzzChain(f *testing.F) {
	made := newImage(f, 512, 10, 300_000)
	f.Add(uint64(1), uint16(0), uint32(0), uint16(1), uint32(1))
	f.Add(uint64(2), uint16(5), uint32(9), uint16(300), uint32(20))
	f.Add(uint64(3), uint16(100), uint32(500), uint16(500), uint32(100))
	f.Add(uint64(4), uint16(580), uint32(1<<31), uint16(7), uint32(1190))
	f.Fuzz(func(t *testing.T, seed uint64, at uint16, to uint32, at2 uint16, to2 uint32) {
		img := made.clone()
		img.link(int(at)%len(img.chain), to)
		img.link(int(at2)%len(img.chain), to2)
		want, wantErr := img.read(t, img.file(), always(len(img.value)))
		r := rand.New(rand.NewPCG(seed, 0))
		got, err := img.read(t, img.file(), func() int { return 1 + r.IntN(200_000) })
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Errorf("in pieces %d bytes and %v, else %d and %v", len(got), err, len(want), wantErr)
		}
	})
}
