package columns

import (
	"bytes"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

func exampleHead() *head {
	return &head{generation: 3, lastID: 9, commits: []commit{{id: [16]byte{1}, at: 5, asked: true}, {id: [16]byte{2}}},
		arrays: []*array{
			{Array: engine.Array{ID: 2, Name: "a", Type: "i64", ElemSize: 8, Length: 3, MinChunk: 8, MaxChunk: 64}, version: 2,
				chunks: 1, inline: map[int64]*chunk{0: {size: 64, used: 3, blocks: []block{{obj: name{7}, length: 40, valid: 20,
					patches: []patch{{1, []byte("x")}, {5, []byte("yz")}}}}}}},
			{Array: engine.Array{ID: 9, Name: "b", Type: "", ElemSize: 1, MinChunk: 8, MaxChunk: 64},
				chunks: 4096, manifests: []name{{4}}, inline: map[int64]*chunk{}},
		}}
}

func FuzzHead(f *testing.F) {
	raw := encodeHead(exampleHead())
	f.Add(raw[len(headMagic) : len(raw)-4])
	f.Fuzz(func(t *testing.T, body []byte) {
		h, err := decodeHead(seal(append([]byte(headMagic), body...)))
		if err != nil {
			return
		}
		raw := encodeHead(h)
		again, err := decodeHead(raw)
		if err != nil || !bytes.Equal(encodeHead(again), raw) {
			t.Errorf("a head is not the same again: %v", err)
		}
	})
}

func FuzzManifest(f *testing.F) {
	raw := encodeManifest([]*chunk{{size: 5}, {size: 64, used: 64, deleted: true, blocks: []block{{obj: name{1}, length: 64, valid: 64}}}})
	f.Add(raw[len(manifestMagic) : len(raw)-4])
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := decodeManifest(seal(append([]byte(manifestMagic), body...)))
		if err != nil {
			return
		}
		for _, c := range list {
			if c.patched() > 0 {
				return // those are for heads
			}
		}
		if again, err := decodeManifest(encodeManifest(list)); err != nil || len(again) != len(list) {
			t.Errorf("a manifest is not the same again: %v", err)
		}
	})
}

func TestHeadIsKept(t *testing.T) {
	raw := encodeHead(exampleHead())
	h, err := decodeHead(raw)
	if err != nil || len(h.arrays) != 2 || !bytes.Equal(encodeHead(h), raw) {
		t.Errorf("decoded to %+v, %v", h, err)
	}
	for n := range len(raw) - 4 - len(headMagic) { // each part of it, with the right checksum
		if _, err := decodeHead(seal(raw[: len(headMagic)+n : len(headMagic)+n])); err == nil {
			t.Errorf("the first %d bytes are taken for a head", n)
		}
	}
}

// TestHeadDescribesEachChunk: a chunk that is neither in a manifest nor in the head is missed when
// the head is read, also where the head has as many others.
func TestHeadDescribesEachChunk(t *testing.T) {
	h := exampleHead()
	a := h.arrays[1]
	a.chunks += 2
	a.inline = map[int64]*chunk{7: {size: 5}, manifestSize: {size: 5}}
	if _, err := decodeHead(encodeHead(h)); err == nil {
		t.Error("a head that misses a chunk is taken for whole")
	}
	a.inline[manifestSize+1] = &chunk{size: 5}
	if _, err := decodeHead(encodeHead(h)); err != nil {
		t.Error(err)
	}
}
