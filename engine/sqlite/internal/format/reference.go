package format

import (
	"encoding/binary"
	"hash/crc32"
)

// A value that is kept as chunk rows has a reference in its place: the header by which the Python
// package marks encoded values, with an encoding that the package does not know and so refuses,
// then little-endian the id of the value, its size, its chunk size and a nonce, and last a CRC-32C
// of all before.
const (
	// RefLen is the length of a reference in bytes.
	RefLen      = 10 + 8 + 8 + 4 + 8 + 4
	refEncoding = 0x7F
)

var refHeader = [10]byte{0x89, 0x4B, 0x01, refEncoding, 0, 0, 0, 0, 0x56, 0x4B}

// Castagnoli is the table for every checksum in the file: they are CRC-32C.
var Castagnoli = crc32.MakeTable(crc32.Castagnoli)

// JoinSums returns the checksum of bytes with the checksum a, followed by n bytes with the checksum
// b. It costs about a microsecond, however many they are.
func JoinSums(a, b uint32, n int64) uint32 {
	// Bit 31-i of a checksum is the coefficient of x^i. Bytes behind a multiply it by x^8 each.
	shift, power := uint32(1)<<31, uint32(1)<<(31-8)
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			shift = multiply(shift, power)
		}
		power = multiply(power, power)
	}
	return multiply(a, shift) ^ b
}

// multiply returns the product of two polynomials modulo that of CRC-32C.
func multiply(a, b uint32) (product uint32) {
	for ; a != 0; a <<= 1 {
		if a>>31 != 0 {
			product ^= b
		}
		b = b>>1 ^ -(b&1)&crc32.Castagnoli
	}
	return product
}

// Reference is what a reference says of a large value.
type Reference struct {
	ID, Size   int64
	ChunkBytes int64
	Nonce      int64
}

// Encode returns the bytes of the reference.
func (r Reference) Encode() []byte {
	b := make([]byte, 0, RefLen)
	b = append(b, refHeader[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.ID))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Size))
	b = binary.LittleEndian.AppendUint32(b, uint32(r.ChunkBytes))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Nonce))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, Castagnoli))
}

// ParseReference says whether value is a reference. A user's value that looks like one is never
// stored inline, so there is nothing to confuse it with.
func ParseReference(value []byte) (Reference, bool) {
	if len(value) != RefLen || [10]byte(value[:10]) != refHeader {
		return Reference{}, false
	}
	if binary.LittleEndian.Uint32(value[RefLen-4:]) != crc32.Checksum(value[:RefLen-4], Castagnoli) {
		return Reference{}, false
	}
	r := Reference{
		ID:         int64(binary.LittleEndian.Uint64(value[10:])),
		Size:       int64(binary.LittleEndian.Uint64(value[18:])),
		ChunkBytes: int64(binary.LittleEndian.Uint32(value[26:])),
		Nonce:      int64(binary.LittleEndian.Uint64(value[30:])),
	}
	return r, r.ID > 0 && r.ID < MaxValues && r.Size >= 0 && r.ChunkBytes > 0
}

// Chunk rows of one value are neighbours: the value's id in the upper bits of the row id, the
// chunk's number in the lower.
const (
	chunkBits = 28
	// MaxChunks bounds the chunks of a value, and MaxValues the ids of values: ids are less.
	MaxChunks = 1 << chunkBits
	MaxValues = 1 << (63 - chunkBits)
)

// ChunksOf is the id of the value in whose chunk rows a published value lies: its own, or another if
// the value is a copy, whose beat is CopyBeat of that id. It is 0 if there can be no such value.
func ChunksOf(id, beat int64) int64 {
	switch {
	case beat >= 0:
		return id
	case beat <= -MaxValues:
		return 0
	}
	return -beat
}

// CopyBeat is the beat of a copy that shares the chunk rows of another value.
func CopyBeat(chunks int64) int64 { return -chunks }

// ChunkRow is the row id of a chunk.
func ChunkRow(value, i int64) int64 { return value<<chunkBits | i }
