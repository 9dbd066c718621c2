package rawfile

import "github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"

// The kinds of page that a pointer map knows.
const (
	mapRoot, mapFree, mapOverflow1, mapOverflow2, mapTree = 1, 2, 3, 4, 5
)

// mapOf returns the number of the pointer map page that has the entry of page no.
func (f *File) mapOf(no uint32) uint32 {
	per := uint32(f.usable/5) + 1
	at := (no-2)/per*per + 2
	if at == uint32(1<<30/f.pageSize)+1 { // the page that holds the bytes that are locked
		at++
	}
	return at
}

// entry returns what the pointer maps say of a page; kind 0 if they say nothing that can be.
func (f *File) entry(no uint32) (kind byte, parent uint32) {
	if !f.mapped || no < 3 {
		return 0, 0
	}
	at := f.mapOf(no)
	off := 5 * (int64(no) - int64(at) - 1)
	p, err := f.page(at)
	if err != nil || off < 0 || off+5 > int64(f.usable) {
		return 0, 0
	}
	kind, parent = p[off], fileformat.U32(p[off+1:])
	if kind > mapTree || parent > f.pages {
		return 0, 0
	}
	return kind, parent
}

// findMaps finds out whether the file has pointer maps. The second page tells: it is one then.
func (f *File) findMaps() {
	if f.pages < 3 {
		return
	}
	p, err := f.page(2)
	if err != nil {
		return
	}
	f.mapped = true
	sound, n := 0, int(min(f.pages-2, uint32(f.usable/5)))
	for i := range n {
		kind, parent := p[5*i], fileformat.U32(p[5*i+1:])
		if kind >= mapRoot && kind <= mapTree && parent <= f.pages && (kind > mapFree) == (parent > 0) {
			sound++
		}
	}
	if sound == n {
		return
	}
	_, err = f.node(2)
	first, noFirst := f.page(1)
	declared := noFirst == nil && string(first[:len(fileformat.Magic)]) == fileformat.Magic && fileformat.U32(first[52:]) != 0
	f.mapped = err != nil && declared || sound > n/2+1
}

// isMap says whether a page is a pointer map.
func (f *File) isMap(no uint32) bool { return f.mapped && no >= 2 && f.mapOf(no) == no }

// findFree notes the pages of the list of free pages, as far as it can be followed.
func (f *File) findFree() {
	f.free = newBitset(uint64(f.pages))
	first, err := f.page(1)
	if err != nil || string(first[:len(fileformat.Magic)]) != fileformat.Magic {
		return
	}
	for trunk := fileformat.U32(first[32:]); trunk > 1 && trunk <= f.pages && !f.free.has(uint64(trunk)); {
		p, err := f.page(trunk)
		if err != nil {
			return
		}
		n := fileformat.U32(p[4:])
		if kind, _ := f.entry(trunk); n > uint32(f.usable/4-2) || kind > 0 && kind != mapFree {
			return
		}
		f.free.add(uint64(trunk))
		for i := range n {
			no := fileformat.U32(p[8+4*i:])
			if kind, _ := f.entry(no); kind == 0 || kind == mapFree {
				f.free.add(uint64(no))
			}
		}
		trunk = fileformat.U32(p)
	}
}

// unused says whether a page holds nothing that counts.
func (f *File) unused(no uint32) bool {
	kind, _ := f.entry(no)
	switch kind {
	case 0:
		return f.free.has(uint64(no))
	case mapRoot, mapTree:
		return false
	}
	return true
}

// rootOf follows the pointer maps from a page to the root of its tree; 0 if they do not lead there.
func (f *File) rootOf(no uint32) uint32 {
	for range fileformat.MaxDepth {
		kind, parent := f.entry(no)
		switch {
		case kind == mapRoot:
			return no
		case kind != mapTree:
			return 0
		case parent == 1:
			return 1
		}
		no = parent
	}
	return 0
}

// plausible is the number of a root page, or 0 if the pointer maps say that the page is none.
func (f *File) plausible(root uint32) uint32 {
	if kind, _ := f.entry(root); root > f.pages || kind > 0 && kind != mapRoot {
		return 0
	}
	return root
}
