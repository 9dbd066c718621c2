package faultfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// Cut says what a power cut does to changes that were not synced.
type Cut struct {
	// Keep is the part of them that survives, from 0 to 1: each on its own, whatever came before
	// it.
	Keep float64
	// Sector is what the disk writes in one piece, in bytes. Some writes are torn: only some of
	// their sectors survive.
	Sector int
	// Garbage fills the sectors that a torn write did not reach with anything.
	Garbage bool
}

// Still is a disk while nothing changes. It is of no use after the call that it was given to.
type Still struct{ d *Disk }

// Files returns the files as a cut would leave them, by name.
func (s *Still) Files(c Cut, r *rand.Rand) map[string][]byte {
	names := maps.Clone(s.d.synced)
	for _, m := range s.d.moves {
		if r.Float64() < c.Keep {
			m.apply(names)
		}
	}
	files := make(map[string][]byte, len(names))
	for _, name := range slices.Sorted(maps.Keys(names)) { // in one order, so that a seed decides all
		files[name] = names[name].after(c, r)
	}
	return files
}

// Pending is how many changes are not synced.
func (s *Still) Pending() int {
	n := len(s.d.moves)
	for _, f := range s.d.files {
		n += len(f.since)
	}
	return n
}

// FailSync makes the next syncs of the file at path fail.
func (s *Still) FailSync(path string, f Failure) { s.d.failing[path] = &f }

// tornPart is the part of writes that are torn, where not everything is lost.
const tornPart = 0.25

// sector is what the disk writes in one piece when a sync fails.
const sector = 512

// after is what a cut leaves of the file.
func (f *inode) after(c Cut, r *rand.Rand) []byte {
	data := slices.Clone(f.synced)
	for _, ch := range f.since {
		switch {
		case c.Keep > 0 && ch.data != nil && r.Float64() < tornPart*(1-c.Keep):
			data = ch.tear(data, c, r)
		case r.Float64() < c.Keep:
			data = ch.apply(data)
		}
	}
	return data
}

// tear applies about half the sectors of a write.
func (c change) tear(data []byte, cut Cut, r *rand.Rand) []byte {
	for p, off := c.data, c.off; len(p) > 0; {
		n := min(int64(len(p)), int64(cut.Sector)-off%int64(cut.Sector))
		piece := change{off, p[:n]}
		switch {
		case r.IntN(2) == 0:
			data = piece.apply(data)
		case cut.Garbage:
			piece.data = make([]byte, n)
			for i := range piece.data {
				piece.data[i] = byte(r.Uint32())
			}
			data = piece.apply(data)
		}
		p, off = p[n:], off+n
	}
	return data
}

// apply makes the change in data, growing it with zeros if need be.
func (c change) apply(data []byte) []byte {
	end := c.off + int64(len(c.data))
	if end > int64(len(data)) {
		data = append(data, make([]byte, end-int64(len(data)))...)
	}
	if c.data == nil {
		return data[:c.off]
	}
	copy(data[c.off:], c.data)
	return data
}
