//go:build reliability

package reliability

import (
	"encoding/binary"
	"math/rand/v2"
)

// damagePage is the page size of the vault that is damaged.
const damagePage = 8192

// damageKind is one row of the table of damages.
type damageKind struct {
	name string
	hurt func(data []byte, r *rand.Rand) []byte
}

// damageKinds are what disks, cables, cards and careless programs do to a file.
var damageKinds = []damageKind{
	{"none", func(data []byte, _ *rand.Rand) []byte { return data }},
	{"page 1: zeros", start(0, damagePage, false)},
	{"page 1: random bytes", start(0, damagePage, true)},
	{"the first 128 KiB: zeros", start(0, 128<<10, false)},
	{"the first 2 MiB: zeros", start(0, 2<<20, false)},
	{"the first 2 MiB: random bytes", start(0, 2<<20, true)},
	{"2 MiB behind page 1: zeros", start(damagePage, 2<<20, false)},
	{"2 MiB in the middle: random bytes", func(data []byte, r *rand.Rand) []byte { return start(len(data)/2, 2<<20, true)(data, r) }},
	{"one bit in each 100th page", somePages(100, func(page []byte, _ []byte, r *rand.Rand) { page[r.IntN(len(page))] ^= 1 << r.IntN(8) })},
	{"one sector of 512 bytes in each 100th page: zeros", somePages(100, func(page []byte, _ []byte, r *rand.Rand) {
		clear(page[512*r.IntN(len(page)/512):][:512])
	})},
	{"each 100th page: zeros", somePages(100, func(page []byte, _ []byte, _ *rand.Rand) { clear(page) })},
	{"each 10th page: random bytes", somePages(10, func(page []byte, _ []byte, r *rand.Rand) { fill(page, r) })},
	{"each 100th page: a copy of another", somePages(100, func(page, data []byte, r *rand.Rand) {
		copy(page, data[r.IntN(len(data)/damagePage)*damagePage:])
	})},
	{"all inner pages of tables: zeros", pagesOfKind(0x05)},
	{"all inner pages of indexes: zeros", pagesOfKind(0x02)},
	{"all leaves of indexes: zeros", pagesOfKind(0x0a)},
	{"the header tells of pages of 4096 bytes", func(data []byte, _ *rand.Rand) []byte {
		binary.BigEndian.PutUint16(data[16:], 4096)
		return data
	}},
	{"cut off after 90 %", cut(90)},
	{"cut off after 50 %", cut(50)},
	{"cut off after 10 %", cut(10)},
}

func fill(p []byte, r *rand.Rand) {
	for i := range p {
		p[i] = byte(r.Uint32())
	}
}

func start(from, n int, random bool) func([]byte, *rand.Rand) []byte {
	return func(data []byte, r *rand.Rand) []byte {
		clear(data[from:][:n])
		if random {
			fill(data[from:][:n], r)
		}
		return data
	}
}

// somePages damages each page but the first with the probability 1/one.
func somePages(one int, hurt func(page, data []byte, r *rand.Rand)) func([]byte, *rand.Rand) []byte {
	return func(data []byte, r *rand.Rand) []byte {
		for at := damagePage; at < len(data); at += damagePage {
			if r.IntN(one) == 0 {
				hurt(data[at:][:damagePage], data, r)
			}
		}
		return data
	}
}

// pagesOfKind wipes the pages that begin as those of a kind do, and have a number of cells that can
// be.
func pagesOfKind(kind byte) func([]byte, *rand.Rand) []byte {
	return func(data []byte, _ *rand.Rand) []byte {
		for at := damagePage; at < len(data); at += damagePage {
			if page := data[at:][:damagePage]; page[0] == kind && binary.BigEndian.Uint16(page[3:]) < damagePage/2 {
				clear(page)
			}
		}
		return data
	}
}

func cut(percent int) func([]byte, *rand.Rand) []byte {
	return func(data []byte, _ *rand.Rand) []byte { return data[:len(data)/100*percent] }
}
