package sqlite

import (
	"encoding/binary"
	"hash/crc32"
)

// A value that is kept as chunk rows has a reference in its place: the header by which the Python package marks encoded
// values, with an encoding that the package does not know and so refuses, then little-endian the id of the
// value, its size, its chunk size and a nonce, and last a CRC-32C of all before.
const (
	refLen      = 10 + 8 + 8 + 4 + 8 + 4
	refEncoding = 0x7F
)

var refHeader = [10]byte{0x89, 0x4B, 0x01, refEncoding, 0, 0, 0, 0, 0x56, 0x4B}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type reference struct {
	id, size   int64
	chunkBytes int64
	nonce      int64
}

func (r reference) encode() []byte {
	b := make([]byte, 0, refLen)
	b = append(b, refHeader[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.id))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.size))
	b = binary.LittleEndian.AppendUint32(b, uint32(r.chunkBytes))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.nonce))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// parseReference says whether value is a reference. A user's value that looks like one is never stored inline, so there
// is nothing to confuse it with.
func parseReference(value []byte) (reference, bool) {
	if len(value) != refLen || [10]byte(value[:10]) != refHeader {
		return reference{}, false
	}
	if binary.LittleEndian.Uint32(value[refLen-4:]) != crc32.Checksum(value[:refLen-4], castagnoli) {
		return reference{}, false
	}
	r := reference{
		id:         int64(binary.LittleEndian.Uint64(value[10:])),
		size:       int64(binary.LittleEndian.Uint64(value[18:])),
		chunkBytes: int64(binary.LittleEndian.Uint32(value[26:])),
		nonce:      int64(binary.LittleEndian.Uint64(value[30:])),
	}
	return r, r.id > 0 && r.id < maxValues && r.size >= 0 && r.chunkBytes > 0
}

// Chunk rows of one value are neighbours: the value's id in the upper bits of the row id, the chunk's number in the lower.
const (
	chunkBits = 28
	maxChunks = 1 << chunkBits
	maxValues = 1 << (63 - chunkBits)
)

func chunkRow(value, i int64) int64 { return value<<chunkBits | i }
