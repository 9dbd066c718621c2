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
	if at == uint32(1<<30/f.pageSize)+1 { // the page of the bytes that SQLite locks
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

// findPointerMaps finds out whether the file has pointer maps. If it does, the second page is one.
// Where that page tells neither way, the header counts.
func (f *File) findPointerMaps() {
	if f.pages < 3 {
		return
	}
	p, err := f.page(2)
	if err != nil {
		return
	}
	sound, n := 0, int(min(f.pages-2, uint32(f.usable/5)))
	for i := range n {
		kind, parent := p[5*i], fileformat.U32(p[5*i+1:])
		known := kind >= mapRoot && kind <= mapTree && parent <= f.pages
		if known && (kind > mapFree) == (parent > 0) {
			sound++
		}
	}
	_, err = f.btreePage(2)
	first := f.firstPage()
	declared := first != nil && fileformat.U32(first[52:]) != 0
	f.mapped = 2*sound > n || err != nil && declared
}

// firstPage returns the first page if it begins as it should, else nil.
func (f *File) firstPage() []byte {
	p, err := f.page(1)
	if err != nil || string(p[:len(fileformat.Magic)]) != fileformat.Magic {
		return nil
	}
	return p
}

// isMap says whether a page is a pointer map.
func (f *File) isMap(no uint32) bool { return f.mapped && no >= 2 && f.mapOf(no) == no }

// findFree notes the pages of the list of free pages, as far as it can be followed.
func (f *File) findFree() {
	f.free = newBitset(uint64(f.pages))
	first := f.firstPage()
	if first == nil {
		return
	}
	for trunk := fileformat.U32(first[32:]); trunk > 1 && !f.free.has(uint64(trunk)); {
		p, err := f.page(trunk)
		if err != nil || !f.canBeFree(trunk) {
			return
		}
		n := fileformat.U32(p[4:])
		if n > uint32(f.usable/4-2) {
			return
		}
		f.free.add(uint64(trunk))
		for i := range n {
			if no := fileformat.U32(p[8+4*i:]); f.canBeFree(no) {
				f.free.add(uint64(no))
			}
		}
		trunk = fileformat.U32(p)
	}
}

func (f *File) canBeFree(no uint32) bool {
	kind, _ := f.entry(no)
	return kind == 0 || kind == mapFree
}

// inTree says whether a page can be part of a B-tree, as far as the pointer maps and the list of
// free pages say.
func (f *File) inTree(no uint32) bool {
	kind, _ := f.entry(no)
	if kind == 0 {
		return !f.isMap(no) && !f.free.has(uint64(no))
	}
	return kind == mapRoot || kind == mapTree
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

// checkedRoot returns a root page's number, or 0 if the pointer maps say that the page is none.
func (f *File) checkedRoot(root uint32) uint32 {
	if kind, _ := f.entry(root); root > f.pages || kind > 0 && kind != mapRoot {
		return 0
	}
	return root
}
