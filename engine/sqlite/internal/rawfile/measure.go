package rawfile

import "io"

// sampled is how many pages are looked at to find out the page size.
const sampled = 256

// measure finds out the page size and how many pages there are. The header's word is taken if there are pages of that size; if
// not, the size is the one by which most pages make sense.
func (f *File) measure(header []byte, size int64) {
	logged := f.pages
	if f.pageSize == 0 {
		if string(header[:len(magic)]) == magic {
			f.pageSize = headerPageSize(header)
		}
		f.usable = f.pageSize - int(header[20])
		if !validPageSize(f.pageSize) || f.usable < 480 || f.fitting(size) == 0 && int64(f.pageSize) != size {
			f.guess(size)
		}
	} else {
		f.usable = f.pageSize - int(header[20])
		if string(header[:len(magic)]) != magic || f.usable < 480 {
			f.usable = f.pageSize
		}
	}
	if f.pageSize == 0 {
		return
	}
	f.pages = uint32(min(size/int64(f.pageSize), maxPages))
	if logged > 0 { // which may be a lie: no more pages are looked for than there are
		for no := range f.overlay {
			f.pages = max(f.pages, no)
		}
		f.pages = min(f.pages, logged)
	}
}

func headerPageSize(header []byte) int {
	if n := u16(header[16:]); n != 1 {
		return n
	}
	return 65536
}

func validPageSize(n int) bool { return n >= 512 && n <= 65536 && n&(n-1) == 0 }

func (f *File) guess(size int64) {
	best, most := 0, 0
	for n := 512; n <= 65536; n *= 2 {
		f.pageSize, f.usable = n, n
		// Bytes and not pages are compared, lest many small pages of chance outdo a few large ones.
		if fits := f.fitting(size) * n; fits > most {
			best, most = n, fits
		}
	}
	f.pageSize, f.usable = best, best
}

// fitting counts the pages at the start of the file that look as if they were of the present size: their cells end where
// the page does.
func (f *File) fitting(size int64) (n int) {
	p := make([]byte, f.pageSize)
	for i := range min(size/int64(f.pageSize), int64(sampled*4096/f.pageSize+8)) {
		if _, err := f.main.ReadAt(p, i*int64(f.pageSize)); err != nil && err != io.EOF {
			continue
		}
		node, err := f.parse(uint32(i+1), p)
		if err != nil {
			continue
		}
		end := 0
		for c := range node.cells {
			if cell, err := node.cell(c); err == nil {
				end = max(end, cell.end)
			}
		}
		if end == f.usable {
			n++
		}
	}
	return n
}
