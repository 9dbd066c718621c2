// Package fileformat has the parts of SQLite's file format that two readers of its bytes need: the
// fast reads of the engine, and salvage. These are the header of a file, the kinds of B-tree pages,
// variable-length integers, and records, as https://www.sqlite.org/fileformat2.html describes them.
//
// It does no I/O and keeps nothing. It knows neither what a table means nor whether a file is
// whole: every function takes any bytes, and says so if they make no sense.
package fileformat

import (
	"encoding/binary"
	"math"
)

const (
	// Magic is how every file begins that is not empty.
	Magic = "SQLite format 3\x00"
	// HeaderBytes is the length of the file header. The first page's B-tree header follows it.
	HeaderBytes = 100
	// LinkBytes is the length of the number of the next page, with which an overflow page begins.
	LinkBytes = 4
	// MaxDepth is deeper than any B-tree that SQLite makes.
	MaxDepth = 24
	// MaxSize is the length in bytes of the longest record, and more than a file has of any column.
	MaxSize = math.MaxInt32
)

// U16 reads a big-endian integer of 16 bits.
func U16(b []byte) int { return int(binary.BigEndian.Uint16(b)) }

// U32 reads a big-endian integer of 32 bits.
func U32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

// Header is what the first HeaderBytes of a file say.
type Header struct {
	PageSize int
	// Usable is how much of each page SQLite uses: extensions reserve the rest.
	Usable int
	// Pages is the number of pages, if Counted: versions before 3.7 did not keep it.
	Pages   uint32
	Counted bool
	// SchemaCookie changes whenever the schema does.
	SchemaCookie uint32
}

// ParseHeader reads the header of a file of at least HeaderBytes. ok says that it can be one.
func ParseHeader(b []byte) (h Header, ok bool) {
	h = Header{PageSize: U16(b[16:]), Pages: U32(b[28:]), SchemaCookie: U32(b[40:])}
	h.Counted = U32(b[24:]) == U32(b[92:])
	if h.PageSize == 1 {
		h.PageSize = 65536
	}
	h.Usable = h.PageSize - int(b[20])
	return h, string(b[:len(Magic)]) == Magic && ValidPageSize(h.PageSize) && h.Usable >= 480
}

// ValidPageSize says whether pages can have n bytes.
func ValidPageSize(n int) bool { return n >= 512 && n <= 65536 && n&(n-1) == 0 }

// PageKind is the first byte of a B-tree page's header.
type PageKind byte

// The kinds of B-tree page.
const (
	InteriorIndex PageKind = 0x02
	InteriorTable PageKind = 0x05
	LeafIndex     PageKind = 0x0a
	LeafTable     PageKind = 0x0d
)

// Valid says that there is such a kind.
func (k PageKind) Valid() bool { return k.Leaf() || k.Interior() }

// Leaf says that the page leads to no other.
func (k PageKind) Leaf() bool { return k == LeafIndex || k == LeafTable }

// Interior says that the page leads to others.
func (k PageKind) Interior() bool { return k == InteriorIndex || k == InteriorTable }

// Table says that the page is one of a table, whose cells have row ids.
func (k PageKind) Table() bool { return k == LeafTable || k == InteriorTable }

// HeaderAt is where on page no the B-tree header begins.
func HeaderAt(no uint32) int {
	if no == 1 {
		return HeaderBytes
	}
	return 0
}

// HeaderSize is the length of a page's B-tree header. The places of the cells follow it.
func (k PageKind) HeaderSize() int {
	if k.Interior() {
		return 12
	}
	return 8
}

// Local is how many of a record's size bytes lie on its page, of which usable bytes are used.
func (k PageKind) Local(usable, size int) int {
	most := usable - 35
	if k != LeafTable {
		most = (usable-12)*64/255 - 23
	}
	if size <= most {
		return size
	}
	least := (usable-12)*32/255 - 23
	if n := least + (size-least)%(usable-LinkBytes); n <= most {
		return n
	}
	return least
}
