// Package rawfile reads the pages of an SQLite 3 file without SQLite, so that what a damaged file still holds can be told from what is
// lost. It never writes, and trusts nothing that it reads: each number is held against the page it stands on, each chain of
// pages against the size of the file.
package rawfile

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
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
	declared     uint32 // how many pages there should be; 0 if nothing says so
	mapped       bool   // the file has pointer maps
	free         bitset
	// overlay says where in the file beside it the current version of a page begins.
	overlay map[uint32]int64
	doubts  []error
	// cache holds pages, recent their numbers in the order they came.
	cache  map[uint32][]byte
	recent []uint32
}

const (
	cacheBytes = 16 << 20
	maxPages   = 1<<32 - 2
)

// Open opens the file at path for reading. What its write-ahead log or rollback journal holds for it counts.
func Open(path string) (*File, error) {
	main, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := main.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path)
	}
	if err != nil {
		return nil, errors.Join(err, main.Close())
	}
	f, err := OpenReader(main, info.Size(), path)
	if err != nil {
		return nil, errors.Join(err, main.Close())
	}
	f.closers = append(f.closers, main)
	return f, nil
}

// OpenReader is Open for a file that the caller has opened, and closes: main has size bytes, and
// its log or journal is named after path.
func OpenReader(main io.ReaderAt, size int64, path string) (*File, error) {
	f := &File{main: main, overlay: map[uint32]int64{}, cache: map[uint32][]byte{}}
	if err := f.prepare(path, size); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *File) prepare(path string, size int64) error {
	if !logless(f.header()) { // else the log is that of a file that this one replaced
		if err := f.readLog(path + "-wal"); err != nil {
			return err
		}
	}
	if f.pageSize == 0 {
		if err := f.readJournal(path + "-journal"); err != nil {
			return err
		}
	}
	f.measure(f.header(), size)
	if f.pages == 0 {
		return fmt.Errorf("%w: %s holds no page of a database", ErrDamaged, path)
	}
	f.findMaps()
	f.findFree()
	return nil
}

// header is the start of the first page: zeros where it cannot be read, since the other pages can do without it.
func (f *File) header() []byte {
	header := make([]byte, fileformat.HeaderBytes)
	from, off := f.main, int64(0)
	if at, ok := f.overlay[1]; ok {
		from, off = f.beside, at
	}
	if n, err := from.ReadAt(header, off); err != nil {
		clear(header[n:])
	}
	return header
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
		return nil, f.beyond(no)
	}
	p := make([]byte, f.pageSize)
	from, off := f.main, int64(no-1)*int64(f.pageSize)
	if at, ok := f.overlay[no]; ok {
		from, off = f.beside, at
	}
	if _, err := from.ReadAt(p, off); err == io.EOF {
		return nil, fmt.Errorf("%w: page %d is not there: the file is cut off", ErrDamaged, no)
	} else if err != nil {
		return nil, fmt.Errorf("%w: page %d cannot be read: %w", ErrDamaged, no, err)
	}
	if len(f.recent) >= cacheBytes/f.pageSize {
		delete(f.cache, f.recent[0])
		f.recent = f.recent[1:]
	}
	f.cache[no], f.recent = p, append(f.recent, no)
	return p, nil
}

// CutOff says that the file ends before its last page, or nil.
func (f *File) CutOff() error {
	if f.declared <= f.pages {
		return nil
	}
	return fmt.Errorf("%w: the file is cut off: it has %d of its %d pages", ErrDamaged, f.pages, f.declared)
}

// beyond is the error for a page that the file does not have.
func (f *File) beyond(no uint32) error {
	if err := f.CutOff(); err != nil && no <= f.declared {
		return fmt.Errorf("page %d is not there: %w", no, err)
	}
	return fmt.Errorf("%w: page %d of %d", ErrDamaged, no, f.pages)
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

// PageSize is the size of a page in bytes.
func (f *File) PageSize() int { return f.pageSize }
