// Package rawfile reads the pages of an SQLite 3 file without SQLite, so that what a damaged file still holds can be told from what is
// lost. It never writes, and trusts nothing that it reads: each number is held against the page it stands on, each chain of
// pages against the size of the file.
package rawfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrDamaged is in the chain of every error that damage causes.
var ErrDamaged = errors.New("damaged")

// File is an open file with the log or journal that lies beside it. It is for one goroutine at a time.
type File struct {
	main, beside io.ReaderAt
	closers      []io.Closer
	pageSize     int
	usable       int
	pages        uint32
	mapped       bool // the file has pointer maps
	free         bitset
	// overlay says where in the file beside it the current version of a page begins.
	overlay map[uint32]int64
	// cache holds pages, recent their numbers in the order they came, and keep is how many bytes of them there may be.
	cache  map[uint32][]byte
	recent []uint32
	keep   int
	// parts is main, if it can be read into many places at once.
	parts partsReader
	list  partsList
}

const (
	magic      = "SQLite format 3\x00"
	cacheBytes = 16 << 20
	maxPages   = 1<<32 - 2
)

// Open opens the file at path for reading. What its write-ahead log or rollback journal holds for it counts.
func Open(path string) (*File, error) {
	main, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f := &File{main: main, closers: []io.Closer{main}, overlay: map[uint32]int64{}, cache: map[uint32][]byte{}, keep: cacheBytes}
	if err := f.prepare(path, main); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *File) prepare(path string, main *os.File) error {
	info, err := main.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", path)
	}
	header := make([]byte, 100)
	if _, err := main.ReadAt(header, 0); err != nil && err != io.EOF {
		return err
	}
	if !logless(header) { // else the log is that of a file that this one replaced
		if err := f.readLog(path + "-wal"); err != nil {
			return err
		}
	}
	if f.pageSize == 0 {
		if err := f.readJournal(path + "-journal"); err != nil {
			return err
		}
	}
	f.measure(header, info.Size())
	if f.pages == 0 {
		return fmt.Errorf("%w: %s holds no page of a database", ErrDamaged, path)
	}
	f.findMaps()
	f.findFree()
	return nil
}

// Close releases the file.
func (f *File) Close() error {
	var errs []error
	for _, c := range f.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// Pages is how many pages there are; they are counted from 1.
func (f *File) Pages() uint32 { return f.pages }

// page returns the bytes of a page. They are not to be changed.
func (f *File) page(no uint32) ([]byte, error) {
	if p, ok := f.cache[no]; ok {
		return p, nil
	}
	if no == 0 || no > f.pages {
		return nil, fmt.Errorf("%w: page %d of %d", ErrDamaged, no, f.pages)
	}
	p := make([]byte, f.pageSize)
	from, off := f.main, int64(no-1)*int64(f.pageSize)
	if at, ok := f.overlay[no]; ok {
		from, off = f.beside, at
	}
	if _, err := from.ReadAt(p, off); err != nil {
		return nil, fmt.Errorf("%w: page %d cannot be read: %w", ErrDamaged, no, err)
	}
	if len(f.recent) >= max(f.keep/f.pageSize, 1) {
		delete(f.cache, f.recent[0])
		f.recent = f.recent[1:]
	}
	f.cache[no], f.recent = p, append(f.recent, no)
	return p, nil
}

// bitset is a set of numbers from 0 to a bound: of pages, or of rows.
type bitset []uint64

func newBitset(last uint64) bitset { return make(bitset, last/64+1) }

func (b bitset) has(no uint64) bool { return no/64 < uint64(len(b)) && b[no/64]&(1<<(no%64)) != 0 }

func (b bitset) add(no uint64) {
	if no/64 < uint64(len(b)) {
		b[no/64] |= 1 << (no % 64)
	}
}

func u16(b []byte) int    { return int(binary.BigEndian.Uint16(b)) }
func u32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

// PageSize is the size of a page in bytes.
func (f *File) PageSize() int { return f.pageSize }
