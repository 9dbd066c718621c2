package format

import (
	"bytes"
	"testing"
)

func FuzzReference(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(refHeader[:])
	f.Add(Reference{ID: 1, Size: 2, ChunkBytes: 3, Nonce: 4}.Encode())
	f.Add(bytes.Repeat([]byte{0xFF}, RefLen))
	f.Fuzz(func(t *testing.T, b []byte) {
		ref, ok := ParseReference(b)
		if ok && !bytes.Equal(ref.Encode(), b) {
			t.Errorf("%x reads as %+v, which is written %x", b, ref, ref.Encode())
		}
		if ok && (ref.ID <= 0 || ref.Size < 0 || ref.ChunkBytes <= 0 || ChunkRow(ref.ID, MaxChunks-1) <= 0) {
			t.Errorf("%x reads as %+v", b, ref)
		}
	})
}
