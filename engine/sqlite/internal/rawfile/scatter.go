package rawfile

// partsReader is a file that can be read into many places at once.
type partsReader interface {
	// ReadPartsAt fills the parts, one after the other, with what follows off. It returns how many bytes it read.
	ReadPartsAt(parts [][]byte, off int64) (int, error)
}

const (
	// scatterBytes is the shortest piece of a column that is worth reads of its own. Shorter ones come out of a block.
	scatterBytes = 32 << 10
	// maxParts is how many parts a system takes at least (IOV_MAX of Linux), and maxRun the pages that come to: two parts each,
	// and one for the end of the last.
	maxParts = 1024
	maxRun   = (maxParts - 1) / 2
	// runBytes is what is read at once of pages of which hardly any lie in a row: most of it in vain.
	runBytes = 32 << 10
)

// partsList is where a read puts things; its memory is used again and again.
type partsList struct {
	parts [][]byte
	links [linkBytes * maxRun]byte
}

// add lists a page of a chain: its link to the next one, which is the i-th of the list, and where the bytes go that follow.
func (l *partsList) add(i int, p []byte) {
	l.parts = append(l.parts, l.links[linkBytes*i:][:linkBytes], p)
}

// link is the i-th page's link to the next one.
func (l *partsList) link(i int) uint32 { return u32(l.links[linkBytes*i:]) }

// fill reads the parts from off on, all or none, and forgets them: they are the caller's memory.
func (l *partsList) fill(from partsReader, off int64) bool {
	want := 0
	for _, part := range l.parts {
		want += len(part)
	}
	n, err := from.ReadPartsAt(l.parts, off)
	clear(l.parts)
	l.parts = l.parts[:0]
	return err == nil && n == want
}

// scatter reads pages of the chain straight to where their bytes belong in p. It takes for granted that the pages lie in a row,
// as most do, and looks at the links between them afterwards. It returns how much of p it filled: 0 if that has to be done in
// another way. What follows in p may have been written over.
func (s *Stream) scatter(p []byte) int {
	f, each := s.f, s.f.usable-4
	if f.parts == nil || len(s.rest) > 0 || s.holds(s.next) || s.next < 2 || s.next > f.pages {
		return 0
	}
	n := int(min(int64(len(p)-1)/int64(each)+1, int64(s.run), int64(f.pages-s.next)+1))
	p = p[:min(len(p), n*each)]
	rest := s.lay(p, n)
	if !f.list.fill(f.parts, int64(s.next-1)*int64(f.pageSize)) {
		f.parts = nil // the other way finds out what is wrong
		return 0
	}
	for i := range n {
		page := s.next
		s.next = f.list.link(i)
		if i < n-1 && s.next != page+1 { // what was read behind it is something else
			s.run = max(i+1, runBytes/f.pageSize, 1)
			return (i + 1) * each
		}
	}
	s.run, s.rest = min(2*s.run, maxRun), rest
	return len(p)
}

// lay lists the parts that n pages consist of: a link to the next page and bytes of the column, in turn. Those of the last page that
// p has no room for go to the block; lay returns where.
func (s *Stream) lay(p []byte, n int) (rest []byte) {
	list, each := &s.f.list, s.f.usable-4
	left := s.left - int64(len(p))
	for i := range n {
		k := min(each, len(p))
		list.add(i, p[:k])
		if p = p[k:]; k < each && left > 0 {
			s.takeBlock()
			s.held = 0
			rest = s.block[:min(int64(each-k), left)]
			list.parts = append(list.parts, rest)
		}
	}
	return rest
}
