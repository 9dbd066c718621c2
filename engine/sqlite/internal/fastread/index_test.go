package fastread

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// Keys that are found quickly must be what they are the long way, on the smallest pages too.
func TestShortKeys(t *testing.T) {
	const usable = 480 // the least that SQLite allows
	r := rand.New(rand.NewPCG(1, 2))
	quick, slow := 0, 0
	for range 200_000 {
		p := page{no: 2, kind: fileformat.LeafIndex, data: make([]byte, usable), cells: 1, first: 8}
		at := 10 + r.IntN(usable-10-3)
		for i := at; i < usable; i++ {
			p.data[i] = byte(r.Uint32())
		}
		if cell := p.data[at:]; r.IntN(4) > 0 { // often as a header should be
			length := r.IntN(64)
			copy(cell, []byte{byte(length + 3 + r.IntN(3)), 3, byte(12 + 2*length), byte(r.IntN(10))})
		}
		key, ok := shortKey(p.data[at:])
		var e entry
		err := e.parseAt(&p, at)
		switch {
		case !ok:
			slow++
		case err != nil:
			t.Fatalf("% x: shortKey has %x, the long way %v", p.data[at:min(at+8, usable)], key, err)
		case e.class != fileformat.Blob || e.length != len(key) || !bytes.Equal(e.key, key):
			t.Fatalf("% x: shortKey has %x, the long way %+v", p.data[at:min(at+8, usable)], key, e)
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
