package rawfile

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

const appendedTo = "what was there"

// append appends the column to some bytes, through main.
func (img *image) append(t testing.TB, main io.ReaderAt) ([]byte, error) {
	t.Helper()
	pages, err := NewPages(main, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	r := pages.Reader(main)
	defer r.Close()
	v, found, err := r.FindRow(2, imageRow, imageColumn)
	if err != nil || !found || v.Size != int64(len(img.value)) {
		t.Fatalf("the row: %d bytes, %t, %v", v.Size, found, err)
	}
	got, err := r.Append([]byte(appendedTo), v)
	if string(got[:len(appendedTo)]) != appendedTo {
		t.Errorf("what was there became %q", got[:len(appendedTo)])
	}
	return got[len(appendedTo):], err
}

// A value comes out as a whole, whatever its length, the size and the order of the pages, and what precedes it in the row.
func TestAppendInParts(t *testing.T) {
	for _, pageSize := range []int{512, 8192, 65536} {
		for _, before := range []int{10, 100_000} {
			for _, n := range []int{scatterBytes, 100_001, 1 << 20} {
				made := newImage(t, pageSize, before, n)
				for name, order := range orders {
					img := made
					if len(img.chain) > 0 {
						img = made.reorder(order)
					}
					main := img.parts()
					got, err := img.append(t, main)
					if err != nil || !bytes.Equal(got, img.value) {
						t.Errorf("%d bytes in pages of %d, %s, behind %d: wrong bytes (%v)", n, pageSize, name, before, err)
					}
					if parts := main.inParts > n/2; parts != (before == 10 && len(img.chain) > 0 && n > scatterBytes) {
						t.Errorf("%d bytes in pages of %d, %s, behind %d: %d read in parts", n, pageSize, name, before, main.inParts)
					}
					if most := 5*n + 4*runBytes; pageSize >= 8192 && main.inParts > most {
						t.Errorf("%d bytes in pages of %d, %s: %d were read", n, pageSize, name, main.inParts)
					}
				}
			}
		}
	}
}

// A chain that ends early or leaves the file is an error, and so is a file that ends before the value.
func TestAppendBrokenChain(t *testing.T) {
	made := newImage(t, 4096, 10, 700_000)
	for name, img := range made.broken() {
		if got, err := img.append(t, img.parts()); !errors.Is(err, ErrDamaged) || len(got) > 0 {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	img := made.clone()
	img.link(len(img.chain)-1, 1<<31) // nobody follows the last one
	if got, err := img.append(t, img.parts()); err != nil || !bytes.Equal(got, img.value) {
		t.Errorf("the last link out of the file: %v", err)
	}
	cut := made.clone()
	cut.data = cut.data[:int(cut.chain[90]-1)*cut.size+100]
	if got, err := cut.append(t, cut.parts()); err == nil {
		t.Errorf("%d bytes came out of a file that was cut off", len(got))
	}
}

// A file that cannot be read in parts, or only in fewer than there are, is read the other way.
func TestAppendFails(t *testing.T) {
	img := newImage(t, 8192, 10, 1<<20)
	failure := errors.New("no such luck")
	for name, answer := range map[string]func(n int) (int, error){
		"short":   func(n int) (int, error) { return n - 1, nil },
		"nothing": func(int) (int, error) { return 0, nil },
		"fails":   func(int) (int, error) { return 0, failure },
	} {
		main := img.parts()
		main.answer = answer
		got, err := img.append(t, main)
		if err != nil || !bytes.Equal(got, img.value) {
			t.Errorf("%s: wrong bytes (%v)", name, err)
		}
		if main.failed != 1 {
			t.Errorf("%s: tried %d times", name, main.failed)
		}
	}
}

// FuzzAppend damages links between pages and holds what comes out in parts against what comes out without.
func FuzzAppend(f *testing.F) {
	made := newImage(f, 512, 10, 300_000)
	f.Add(uint16(0), uint32(0), uint16(1), uint32(1))
	f.Add(uint16(5), uint32(9), uint16(300), uint32(20))
	f.Add(uint16(580), uint32(1<<31), uint16(7), uint32(1190))
	f.Fuzz(func(t *testing.T, at uint16, to uint32, at2 uint16, to2 uint32) {
		img := made.clone()
		img.link(int(at)%len(img.chain), to)
		img.link(int(at2)%len(img.chain), to2)
		want, wantErr := img.append(t, bytes.NewReader(img.data))
		got, err := img.append(t, img.parts())
		if (err == nil) != (wantErr == nil) || !bytes.Equal(got, want) {
			t.Errorf("in parts %d bytes and %v, else %d and %v", len(got), err, len(want), wantErr)
		}
	})
}
