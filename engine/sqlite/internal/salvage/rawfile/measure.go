package rawfile

import (
	"math"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// shape is a page size, and how much of each page SQLite uses: extensions can reserve up to 255 bytes at its end.
type shape struct{ size, usable int }

const (
	// sampleBlock is the largest page: a block of it holds whole pages of every size.
	sampleBlock = 65536
	// sampleEnough is how many b-tree pages settle the page size. Overflow pages say nothing, and
	// most of a vault is those.
	sampleEnough = 64
	maxReserved  = 255
)

// measure finds out the page size and how many pages there are. A log's word is taken for the size,
// since a checksum covers it. The header's word is taken unless the pages themselves tell of
// another size.
func (f *File) measure(header []byte, size int64) {
	logged := f.pages
	h, ok := fileformat.ParseHeader(header)
	claim := shape{h.PageSize, h.Usable}
	switch {
	case f.pageSize == 0:
		f.pageSize, f.usable = f.chooseShape(claim, size)
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

// chooseShape returns the claim of the header, or what most pages of a sample say if that is far
// from it; zeros if there is no claim, and no page says anything.
func (f *File) chooseShape(claim shape, size int64) (pageSize, usable int) {
	found := f.sample(size)
	best := shape{}
	for s, bytes := range found {
		if most := found[best]; bytes > most || bytes == most && s.size > best.size {
			best = s
		}
	}
	if fileformat.ValidPageSize(claim.size) && claim.usable >= 480 && 4*found[claim] >= found[best] {
		best = claim
	}
	return best.size, best.usable
}

// sample looks for b-tree pages of every size in blocks from all over the file, and returns how
// many bytes of pages there are of each shape. It ends when it has seen enough. Where there is
// little to see it comes to read the whole file.
func (f *File) sample(size int64) map[shape]int64 {
	found := map[shape]int64{}
	blocks := (size + sampleBlock - 1) / sampleBlock
	step := spread(blocks)
	block := make([]byte, sampleBlock)
	pages := 0
	for i, at := int64(0), int64(0); i < blocks && pages < sampleEnough; i, at = i+1, (at+step)%blocks {
		n, _ := f.main.ReadAt(block, at*sampleBlock) // what cannot be read says nothing
		for pageSize := 512; pageSize <= sampleBlock; pageSize *= 2 {
			f.pageSize, f.usable, f.pages = pageSize, pageSize, pagesOf(size, pageSize)
			for off := 0; off+pageSize <= n; off += pageSize {
				if s, ok := f.shapeOf(block[off:off+pageSize], at == 0 && off == 0); ok {
					found[s] += int64(pageSize)
					pages++
				}
			}
		}
	}
	f.pageSize, f.usable, f.pages = 0, 0, 0
	return found
}

// spread is a step that leads through n places, each once, and soon to all parts of them.
func spread(n int64) int64 {
	const goldenRatio = 0.618034
	step := max(int64(math.Round(float64(n)*goldenRatio)), 1)
	for gcd(step, n) > 1 {
		step++
	}
	return step
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// shapeOf returns the shape of a page if it is a sound b-tree page of the present size: its cells
// end where what SQLite uses of it does.
func (f *File) shapeOf(p []byte, first bool) (shape, bool) {
	no := uint32(2)
	if first {
		no = 1
	}
	n, err := f.parse(no, p)
	if err != nil || len(n.cells) == 0 {
		return shape{}, false
	}
	end := 0
	for i := range n.cells {
		c, err := n.cell(i)
		if err != nil {
			return shape{}, false
		}
		end = max(end, c.end)
	}
	s := shape{len(p), end}
	return s, end >= max(480, len(p)-maxReserved) && n.accounted(end)
}
