package columns

import (
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

// head is one state of all arrays. It does not change once another goroutine can see it.
type head struct {
	generation uint64
	lastID     int64
	commits    []commit
	arrays     []*array // by ID

	etag string // empty if there is no object yet
	size int
	at   int64 // when it was stored, in seconds, by the clock of the server
}

// commit is one that took effect.
type commit struct {
	id [16]byte
	// at is when, in seconds, by the clock of the server. That of the newest is known to the next
	// only, which reads it with the head.
	at int64
	// asked says that the caller chose the id, and may come back with it.
	asked bool
}

// dated returns the head with the time at which it was stored.
func (h *head) dated(at time.Time) *head {
	next := *h
	next.at = at.Unix()
	return &next
}

func (h *head) has(id [16]byte) bool {
	return slices.ContainsFunc(h.commits, func(c commit) bool { return c.id == id })
}

// knows says that a commit that follows h directly would still be in a later head.
func (h *head) knows(later *head) bool {
	return later.generation > h.generation && later.generation-h.generation < recentCommits
}

func (h *head) array(id int64) (int, bool) {
	return sort.Find(len(h.arrays), func(i int) int {
		switch {
		case id < h.arrays[i].ID:
			return -1
		case id > h.arrays[i].ID:
			return 1
		}
		return 0
	})
}

// How long commits are remembered: the last 1,024, and those whose ids callers chose for eleven
// minutes, since the clocks of gateways may differ.
const (
	askedSeconds  = 11 * 60
	recentCommits = 1024
)

// remembered returns the commits of a head, without those that are too old, and one more. The time
// is that of the server at the head's own commit, so that no clock of a client matters.
func (h *head) remembered(id [16]byte, asked bool) []commit {
	list := slices.Clone(h.commits)
	if n := len(list); n > 0 {
		list[n-1].at = h.at
	}
	old := max(0, len(list)-(recentCommits-1))
	kept := slices.DeleteFunc(slices.Clone(list[:old]), func(c commit) bool {
		return !c.asked || c.at < h.at-askedSeconds
	})
	return append(append(kept, list[old:]...), commit{id: id, asked: asked})
}

// array is one state of an array. Each of its chunks is in inline, or else in a manifest.
type array struct {
	engine.Array
	version   uint64 // the generation of the head that changed it last
	chunks    int64
	manifests []name
	inline    map[int64]*chunk
}

func (a *array) clone() *array {
	next := *a
	next.manifests = slices.Clone(a.manifests)
	next.inline = maps.Clone(a.inline)
	return &next
}

// chunk is one state of a chunk. Only the transaction that made it changes it.
type chunk struct {
	size, used int64
	deleted    bool
	blocks     []block // of blockBytes each; those that are missing are zeros
	owner      *tx
}

// block is a part of a chunk: the first valid bytes of an object, zeros behind, and patches over
// both.
type block struct {
	obj           name
	length, valid int64
	patches       []patch // sorted; they neither overlap nor touch
}

type patch struct {
	off  int64
	data []byte
}

func (p patch) end() int64 { return p.off + int64(len(p.data)) }

func (c *chunk) clone(owner *tx) *chunk {
	next := *c
	next.owner = owner
	next.blocks = slices.Clone(c.blocks)
	for i := range next.blocks {
		list := slices.Clone(next.blocks[i].patches)
		for j := range list {
			list[j].data = slices.Clone(list[j].data)
		}
		next.blocks[i].patches = list
	}
	return &next
}

// patched is how many bytes of patches a chunk has.
func (c *chunk) patched() (n int) {
	for i := range c.blocks {
		n += c.blocks[i].patched()
	}
	return n
}

func (c *chunk) resize(size int64) {
	if size < c.size {
		if n := (size + blockBytes - 1) / blockBytes; n < int64(len(c.blocks)) {
			clear(c.blocks[n:])
			c.blocks = c.blocks[:n]
		}
		if n := size / blockBytes; n < int64(len(c.blocks)) {
			c.blocks[n].truncate(size % blockBytes)
		}
	}
	c.size, c.used = size, min(c.used, size)
}

// write patches n bytes within the chunk.
func (c *chunk) write(off int64, p []byte) {
	for len(p) > 0 {
		i, at := off/blockBytes, off%blockBytes
		n := min(int64(len(p)), blockBytes-at)
		if more := i + 1 - int64(len(c.blocks)); more > 0 {
			c.blocks = append(c.blocks, make([]block, more)...)
		}
		c.blocks[i].write(at, p[:n])
		p, off = p[n:], off+n
	}
}

func (b *block) patched() (n int) {
	for _, p := range b.patches {
		n += len(p.data)
	}
	return n
}

// extent is how many bytes of the block may differ from zeros.
func (b *block) extent() int64 {
	if n := len(b.patches); n > 0 {
		return max(b.valid, b.patches[n-1].end())
	}
	return b.valid
}

func (b *block) truncate(n int64) {
	if b.valid = min(b.valid, n); b.valid == 0 {
		b.obj, b.length = name{}, 0
	}
	for i, p := range b.patches {
		if p.end() > n {
			b.patches[i].data = p.data[:max(0, n-p.off)]
			if p.off < n {
				i++
			}
			b.patches = b.patches[:i]
			return
		}
	}
}

// write puts p over what is at off, and joins the patches that it touches.
func (b *block) write(off int64, p []byte) {
	end := off + int64(len(p))
	i := sort.Search(len(b.patches), func(i int) bool { return b.patches[i].end() >= off })
	j := i + sort.Search(len(b.patches)-i, func(k int) bool { return b.patches[i+k].off > end })
	if i == j {
		b.patches = slices.Insert(b.patches, i, patch{off, slices.Clone(p)})
		return
	}
	first, last := b.patches[i], b.patches[j-1]
	if first.off <= off && end <= first.end() {
		copy(first.data[off-first.off:], p)
		return
	}
	var tail []byte
	if last.end() > end {
		tail = last.data[end-last.off:] // last is not first here, or begins behind off
	}
	joined := patch{off: off}
	if first.off <= off {
		joined = patch{first.off, first.data[:off-first.off]}
	}
	joined.data = append(append(joined.data, p...), tail...)
	b.patches = slices.Replace(b.patches, i, j, joined)
}

// covered says whether patches hold all n bytes from off on.
func (b *block) covered(off, n int64) bool {
	i := sort.Search(len(b.patches), func(i int) bool { return b.patches[i].end() > off })
	return n == 0 || i < len(b.patches) && b.patches[i].off <= off && b.patches[i].end() >= off+n
}

// overlay copies what patches have of the bytes from off on.
func (b *block) overlay(off int64, p []byte) {
	end := off + int64(len(p))
	for _, x := range b.patches {
		if x.end() <= off || x.off >= end {
			continue
		}
		from, to := max(off, x.off), min(end, x.end())
		copy(p[from-off:to-off], x.data[from-x.off:to-x.off])
	}
}
