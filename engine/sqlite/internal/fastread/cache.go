package fastread

import (
	"math/rand/v2"
	"sync/atomic"
)

const (
	// setPages is how many pages a set holds. In sets of one, two pages that are asked for all the
	// time push each other out.
	setPages = 4
	minSets  = 8
)

// pageSet is a part of the page cache: the number of a page says which. It is safe for concurrent
// use, without a lock.
type pageSet struct {
	numbers [setPages]atomic.Uint32 // of the pages, or 0: a look at these saves one at each page
	pages   [setPages]atomic.Pointer[cachedPage]
}

type cachedPage struct {
	no    uint32
	inner bool // says that it is an interior page
	data  []byte
}

func (s *pageSet) find(no uint32) []byte {
	for i := range s.numbers {
		if s.numbers[i].Load() != no {
			continue
		}
		if k := s.pages[i].Load(); k != nil && k.no == no { // another may have come in between
			return k.data
		}
	}
	return nil
}

func (s *pageSet) hasRoom() bool { return s.numbers[setPages-1].Load() == 0 }

// put adds a page, in the place of another if there is no room. Interior pages are few and are
// asked for all the time: leaves must not push them out.
func (s *pageSet) put(k *cachedPage) {
	at, places := -1, 0
	for i := range s.pages {
		old := s.pages[i].Load()
		switch {
		case old == nil || old.no == k.no:
			s.set(i, k)
			return
		case old.inner:
		default:
			if places++; rand.IntN(places) == 0 {
				at = i
			}
		}
	}
	if at < 0 && k.inner {
		at = rand.IntN(setPages)
	}
	if at >= 0 {
		s.set(at, k)
	}
}

func (s *pageSet) set(i int, k *cachedPage) {
	s.pages[i].Store(k)
	s.numbers[i].Store(k.no)
}
