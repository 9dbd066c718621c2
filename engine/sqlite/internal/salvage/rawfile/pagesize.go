package rawfile

import "github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"

// pageSizes is a page size, and how much of each page SQLite uses: extensions can reserve up to 255
// bytes at its end.
type pageSizes struct{ size, usable int }

const (
	// sampleBlock is the largest page: a block of it holds whole pages of every size.
	sampleBlock = 65536
	// sampleEnough is how many B-tree pages settle the page size. Overflow pages say nothing, and
	// most of a vault is those.
	sampleEnough = 64
	// sampleRound is about how many blocks are read before their neighbours are.
	sampleRound = 256
	maxReserved = 255
	minUsable   = 480
)

// findPageSize finds the page size and the number of pages. It takes the log's word for the size,
// since a checksum covers it, and the header's unless the pages themselves show another size.
func (f *File) findPageSize(header []byte, size int64) {
	logged := f.pages
	h, ok := fileformat.ParseHeader(header)
	claim := pageSizes{h.PageSize, h.Usable}
	switch {
	case f.pageSize == 0:
		l := f.choosePageSizes(claim, size)
		f.pageSize, f.usable = l.size, l.usable
	case ok && claim.size == f.pageSize:
		f.usable = claim.usable
	default:
		f.usable = f.pageSize
	}
	if f.pageSize == 0 {
		return
	}
	f.pages = pagesOf(size, f.pageSize)
	if f.declared = logged; logged == 0 && ok && h.Counted {
		f.declared = h.Pages
	}
	if logged > 0 { // which may be a lie: no more pages are looked for than there are
		for no := range f.overlay {
			f.pages = max(f.pages, no)
		}
		f.pages = min(f.pages, logged)
	}
}

func pagesOf(size int64, pageSize int) uint32 { return uint32(min(size/int64(pageSize), maxPages)) }

// choosePageSizes returns the claim of the header, or what most pages of a sample say if that is
// far from it; zeros if there is no claim, and no page says anything.
func (f *File) choosePageSizes(claim pageSizes, size int64) (best pageSizes) {
	found := f.sample(size)
	for l, bytes := range found {
		if most := found[best]; bytes > most || bytes == most && l.size > best.size {
			best = l
		}
	}
	valid := fileformat.ValidPageSize(claim.size) && claim.usable >= minUsable
	if valid && 4*found[claim] >= found[best] {
		return claim
	}
	return best
}

// sample looks for B-tree pages of every size in blocks from all over the file, and returns how
// many bytes of pages there are of each layout. It ends when it has seen enough. Where there is
// little to see it comes to read the whole file.
func (f *File) sample(size int64) map[pageSizes]int64 {
	found, pages := map[pageSizes]int64{}, 0
	block := make([]byte, sampleBlock)
	step := (size/sampleBlock/sampleRound + 1) * sampleBlock
	for start := int64(0); start < step; start += sampleBlock {
		for at := start; at < size; at += step {
			n, _ := f.main.ReadAt(block, at) // what cannot be read says nothing
			for pageSize := 512; pageSize <= n; pageSize *= 2 {
				probe := &File{usable: pageSize, pages: pagesOf(size, pageSize)}
				for off := 0; off+pageSize <= n; off += pageSize {
					first := at == 0 && off == 0
					if l, ok := probe.pageSizesOf(first, block[off:off+pageSize]); ok {
						found[l] += int64(pageSize)
						pages++
					}
				}
			}
			if pages >= sampleEnough {
				return found
			}
		}
	}
	return found
}

// pageSizesOf returns the sizes of a page if it is a sound B-tree page: its cells end where what
// SQLite uses of it does.
func (f *File) pageSizesOf(first bool, data []byte) (pageSizes, bool) {
	no := uint32(2)
	if first {
		no = 1
	}
	p, err := f.parse(no, data)
	if err != nil || len(p.cells) == 0 {
		return pageSizes{}, false
	}
	end := 0
	for i := range p.cells {
		c, err := p.cell(i)
		if err != nil {
			return pageSizes{}, false
		}
		end = max(end, c.end)
	}
	return pageSizes{len(data), end}, end >= max(minUsable, len(data)-maxReserved) && p.filled(end)
}
