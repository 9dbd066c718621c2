package rawfile

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// Entries that are taken apart quickly must be what they are the long way, on the smallest pages too.
func TestShortEntries(t *testing.T) {
	const usable = 480 // the least that SQLite allows
	r := rand.New(rand.NewPCG(1, 2))
	quick, slow := 0, 0
	for range 200_000 {
		page := tree{no: 2, kind: leafIndex, data: make([]byte, usable), cells: 1, first: 8}
		at := 10 + r.IntN(usable-10-3)
		page.data[8], page.data[9] = byte(at>>8), byte(at)
		for i := at; i < usable; i++ {
			page.data[i] = byte(r.Uint32())
		}
		if p := page.data[at:]; r.IntN(4) > 0 { // often as a header should be
			length := r.IntN(64)
			copy(p, []byte{byte(length + 3 + r.IntN(3)), 3, byte(12 + 2*length), byte(r.IntN(10))})
		}
		size, length, ok := short(page.data[at:])
		var e entry
		err := e.takeAny(&page, 0, at)
		switch {
		case !ok:
			slow++
		case err != nil:
			t.Fatalf("% x: short has %d and %d, the long way %v", page.data[at:min(at+8, usable)], size, length, err)
		case e.size != size || e.length != length || e.class != Blob || e.after != 2 || e.head != 3 ||
			!bytes.Equal(e.record, page.data[at+1:at+1+size]) || !bytes.Equal(e.key, page.data[at+shortKey:at+shortKey+length]):
			t.Fatalf("% x: short has %d and %d, the long way %+v", page.data[at:min(at+8, usable)], size, length, e)
		default:
			quick++
		}
	}
	if quick < 1000 || slow < 1000 {
		t.Errorf("%d entries were short, %d not", quick, slow)
	}
}

func TestKeyList(t *testing.T) {
	var l keyList
	var want []string
	for i := range 3000 {
		key := bytes.Repeat([]byte{byte(i)}, i*i%211)
		if i == 1500 {
			key = make([]byte, 3*pieceBytes)
		}
		want = append(want, string(key))
		l.add(key)
		clear(key) // it was that of a page
	}
	if len(l.keys) != len(want) {
		t.Fatalf("%d keys, want %d", len(l.keys), len(want))
	}
	for i, key := range l.keys {
		if key != want[i] {
			t.Fatalf("key %d is %q, want %q", i, key, want[i])
		}
	}
}
