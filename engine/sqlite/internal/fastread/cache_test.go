package fastread

import "testing"

// Interior pages stay, whatever else comes; of the rest the set has what came last, in the places
// that are left.
func TestPageSet(t *testing.T) {
	for inner := range setPages + 1 {
		var s pageSet
		if s.find(0) != nil || s.find(7) != nil || !s.hasRoom() {
			t.Error("an empty set remembers something")
		}
		for no := range uint32(inner) {
			s.put(&cachedPage{no: no + 1, inner: true, data: []byte{byte(no + 1)}})
		}
		for no := uint32(10); no < 200; no++ {
			s.put(&cachedPage{no: no, data: []byte{byte(no)}})
			if got := s.find(no); inner < setPages && (len(got) != 1 || got[0] != byte(no)) || inner == setPages && got != nil {
				t.Errorf("%d inner pages, page %d: %v", inner, no, got)
			}
		}
		for no := range uint32(inner) {
			if got := s.find(no + 1); len(got) != 1 || got[0] != byte(no+1) {
				t.Errorf("%d inner pages: page %d is gone", inner, no+1)
			}
		}
		there := 0
		for no := range uint32(200) {
			if s.find(no) != nil {
				there++
			}
		}
		if there != setPages || s.hasRoom() {
			t.Errorf("%d inner pages: %d pages are there", inner, there)
		}
		s.put(&cachedPage{no: 300, inner: true, data: []byte{1}})
		s.put(&cachedPage{no: 300, inner: true, data: []byte{2}})
		if got := s.find(300); len(got) != 1 || got[0] != 2 {
			t.Errorf("%d inner pages: another one is %v", inner, got)
		}
	}
}
