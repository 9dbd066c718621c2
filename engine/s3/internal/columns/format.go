package columns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"

	"github.com/kohakuvault/kvault/engine"
)

// The first bytes of a head and of a manifest: four letters and the version of the format.
const (
	headMagic     = "kvch\x01"
	manifestMagic = "kvcm\x01"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errTruncated = errors.New("it ends too early")

func seal(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// unseal returns what lies between magic and checksum.
func unseal(raw []byte, magic string) ([]byte, error) {
	n := len(raw) - 4
	switch {
	case n < len(magic) || string(raw[:len(magic)-1]) != magic[:len(magic)-1]:
		return nil, errors.New("it does not begin as such an object does")
	case raw[len(magic)-1] != magic[len(magic)-1]:
		return nil, fmt.Errorf("it has version %d of the format; use a newer program: %w", raw[len(magic)-1], engine.ErrUnsupported)
	case crc32.Checksum(raw[:n], castagnoli) != binary.LittleEndian.Uint32(raw[n:]):
		return nil, errors.New("its checksum does not match")
	}
	return raw[len(magic):n], nil
}

func encodeHead(h *head) []byte {
	b := []byte(headMagic)
	b = binary.AppendUvarint(b, h.generation)
	b = binary.AppendUvarint(b, uint64(h.lastID))
	b = binary.AppendUvarint(b, uint64(len(h.commits)))
	for _, c := range h.commits {
		b = append(b, c.id[:]...)
		b = appendBool(b, c.asked)
		b = binary.AppendUvarint(b, uint64(max(c.at, 0)))
	}
	b = binary.AppendUvarint(b, uint64(len(h.arrays)))
	for _, a := range h.arrays {
		b = appendArray(b, a)
	}
	return seal(b)
}

func appendBool(b []byte, x bool) []byte {
	if x {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendArray(b []byte, a *array) []byte {
	for _, n := range []int64{a.ID, a.ElemSize, a.Length, a.MinChunk, a.MaxChunk, a.chunks, int64(a.version)} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	for _, s := range []string{a.Name, a.Type} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	b = binary.AppendUvarint(b, uint64(len(a.manifests)))
	for _, m := range a.manifests {
		b = append(b, m[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(a.inline)))
	for _, n := range slices.Sorted(maps.Keys(a.inline)) {
		b = binary.AppendUvarint(b, uint64(n))
		b = appendChunk(b, a.inline[n], true)
	}
	return b
}

func appendChunk(b []byte, c *chunk, patches bool) []byte {
	b = binary.AppendUvarint(b, uint64(c.size))
	b = binary.AppendUvarint(b, uint64(c.used))
	b = appendBool(b, c.deleted)
	b = binary.AppendUvarint(b, uint64(len(c.blocks)))
	for _, k := range c.blocks {
		b = binary.AppendUvarint(b, uint64(k.valid))
		if k.valid > 0 {
			b = binary.AppendUvarint(append(b, k.obj[:]...), uint64(k.length))
		}
		if !patches {
			b = append(b, 0)
			continue
		}
		b = binary.AppendUvarint(b, uint64(len(k.patches)))
		for _, p := range k.patches {
			b = binary.AppendUvarint(b, uint64(p.off))
			b = append(binary.AppendUvarint(b, uint64(len(p.data))), p.data...)
		}
	}
	return b
}

func encodeManifest(list []*chunk) []byte {
	b := binary.AppendUvarint([]byte(manifestMagic), uint64(len(list)))
	for _, c := range list {
		b = appendChunk(b, c, false)
	}
	return seal(b)
}

// input is what is left of an object to decode. After the first error all it returns is zero.
type input struct {
	b   []byte
	err error
}

func (in *input) fail(err error) {
	if in.err == nil {
		in.err, in.b = err, nil
	}
}

func (in *input) bytes(n uint64) []byte {
	if n > uint64(len(in.b)) {
		in.fail(errTruncated)
		return nil
	}
	p := in.b[:n:n]
	in.b = in.b[n:]
	return p
}

// number returns one of at most limit.
func (in *input) number(limit uint64) uint64 {
	x, n := binary.Uvarint(in.b)
	if n <= 0 {
		in.fail(errTruncated)
		return 0
	}
	if x > limit {
		in.fail(fmt.Errorf("a number is %d, at most %d is possible", x, limit))
		return 0
	}
	in.b = in.b[n:]
	return x
}

func (in *input) int() int64 { return int64(in.number(1<<63 - 1)) }

// count returns how many items follow, each of which has least bytes or more.
func (in *input) count(least int) int { return int(in.number(uint64(len(in.b) / least))) }

func (in *input) bool() bool { return in.number(1) == 1 }

func (in *input) name() (n name) {
	copy(n[:], in.bytes(uint64(len(n))))
	return n
}

func (in *input) end() error {
	if in.err == nil && len(in.b) > 0 {
		return fmt.Errorf("%d bytes too many", len(in.b))
	}
	return in.err
}

func decodeHead(raw []byte) (*head, error) {
	body, err := unseal(raw, headMagic)
	if err != nil {
		return nil, err
	}
	in := &input{b: body}
	h := &head{generation: in.number(1 << 62), lastID: in.int()}
	h.commits = make([]commit, in.count(18))
	for i := range h.commits {
		h.commits[i] = commit{id: in.name(), asked: in.bool(), at: in.int()}
	}
	names := map[string]bool{}
	for range in.count(11) {
		a := in.array()
		if in.err != nil {
			return nil, in.err
		}
		if n := len(h.arrays); n > 0 && h.arrays[n-1].ID >= a.ID || a.ID > h.lastID || names[a.Name] {
			return nil, fmt.Errorf("array %q, ID %d, is there twice or out of order", a.Name, a.ID)
		}
		names[a.Name] = true
		h.arrays = append(h.arrays, a)
	}
	return h, in.end()
}

func (in *input) array() *array {
	a := &array{inline: map[int64]*chunk{}}
	var version int64
	for _, n := range []*int64{&a.ID, &a.ElemSize, &a.Length, &a.MinChunk, &a.MaxChunk, &a.chunks, &version} {
		*n = in.int()
	}
	a.version = uint64(version)
	a.Name = string(in.bytes(in.number(uint64(len(in.b)))))
	a.Type = string(in.bytes(in.number(uint64(len(in.b)))))
	if in.err == nil && (a.ID < 1 || a.Name == "" || a.ElemSize < 1 || a.MinChunk < 1 || a.MaxChunk < a.MinChunk) {
		in.fail(fmt.Errorf("array %q has impossible sizes", a.Name))
	}
	for range in.count(len(name{})) {
		a.manifests = append(a.manifests, in.name())
	}
	described := int64(len(a.manifests)) * manifestSize // and the rest is here
	rest := a.chunks - described
	for range in.count(5) {
		n := in.int()
		if c := in.chunk(); in.err == nil {
			if n >= a.chunks || a.inline[n] != nil {
				in.fail(fmt.Errorf("chunk %d of array %q is one too many", n, a.Name))
			}
			a.inline[n] = c
			if n >= described {
				rest--
			}
		}
	}
	if in.err == nil && rest > 0 {
		in.fail(fmt.Errorf("array %q has %d chunks, not all of which are described", a.Name, a.chunks))
	}
	return a
}

func (in *input) chunk() *chunk {
	c := &chunk{size: int64(in.number(maxChunk)), used: int64(in.number(maxChunk)), deleted: in.bool()}
	count := in.count(2)
	if in.err == nil && (c.used > c.size || int64(count) > (c.size+blockBytes-1)/blockBytes) {
		in.fail(errors.New("more of a chunk is in use than it has"))
		return c
	}
	for i := range int64(count) {
		room := min(blockBytes, c.size-i*blockBytes)
		k := block{valid: int64(in.number(uint64(room)))}
		if k.valid > 0 {
			k.obj, k.length = in.name(), int64(in.number(blockBytes))
		}
		if k.valid > k.length {
			in.fail(errors.New("a block is shorter than what is in use of it"))
		}
		at := int64(-1)
		for range in.count(3) {
			off := int64(in.number(uint64(room)))
			data := slices.Clone(in.bytes(in.number(uint64(room - off))))
			if len(data) == 0 || off <= at {
				in.fail(errors.New("patches are out of order"))
				break
			}
			k.patches = append(k.patches, patch{off, data})
			at = off + int64(len(data))
		}
		if in.err != nil {
			return c
		}
		c.blocks = append(c.blocks, k)
	}
	return c
}

func decodeManifest(raw []byte) ([]*chunk, error) {
	body, err := unseal(raw, manifestMagic)
	if err != nil {
		return nil, err
	}
	in := &input{b: body}
	n := in.count(4)
	if n > manifestSize {
		return nil, fmt.Errorf("it has %d chunks, at most %d are possible", n, manifestSize)
	}
	var list []*chunk
	for range n {
		list = append(list, in.chunk())
		if in.err != nil {
			return nil, in.err
		}
	}
	return list, in.end()
}
