// Package rawfile reads the pages of an SQLite 3 file without SQLite, to tell what a damaged file
// still holds from what is lost. It never writes. It checks every number that it reads against the
// page it stands on, and every chain of pages against the size of the file.
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

// Damaged returns an error that wraps ErrDamaged.
func Damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}

// File is an open file with its log or journal. It is for one goroutine at a time.
type File struct {
	main     io.ReaderAt
	pageSize int
	usable   int // SQLite leaves the rest of each page to extensions
	pages    uint32
	declared uint32 // the number of pages that the header or the log says; 0 if neither does
	mapped   bool   // the file has pointer maps
	free     bitset // the list of free pages
	// overlay says where in sidecar, the log or the journal, the current version of a page begins.
	sidecar *os.File
	overlay map[uint32]int64
	doubts  []error
	cache   []cachedPage // page n, if it is cached, is at n modulo the length
}

type cachedPage struct {
	no   uint32
	data []byte
}

const (
	cacheBytes = 16 << 20
	maxPages   = 1<<32 - 2
)

// Open reads main, a file of size bytes that the caller has opened, and closes. Its write-ahead log
// or rollback journal is named after path.
func Open(main io.ReaderAt, size int64, path string) (*File, error) {
	f := &File{main: main, overlay: map[uint32]int64{}}
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
	f.findPageSize(f.header(), size)
	if f.pages == 0 {
		return Damaged("%s holds no page of a database", path)
	}
	f.cache = make([]cachedPage, cacheBytes/f.pageSize)
	f.findPointerMaps()
	f.findFree()
	return nil
}

// header returns the start of the first page: zeros where it cannot be read, since the other pages
// can do without it.
func (f *File) header() []byte {
	header := make([]byte, fileformat.HeaderBytes)
	if n, err := f.readPage(1, header); err != nil {
		clear(header[n:])
	}
	return header
}

// readPage reads the start of a page.
func (f *File) readPage(no uint32, p []byte) (int, error) {
	if at, ok := f.overlay[no]; ok {
		return f.sidecar.ReadAt(p, at)
	}
	return f.main.ReadAt(p, int64(no-1)*int64(f.pageSize))
}

// Close closes the log or the journal.
func (f *File) Close() error {
	if f.sidecar == nil {
		return nil
	}
	return f.sidecar.Close()
}

// PageSize returns the size of a page in bytes.
func (f *File) PageSize() int { return f.pageSize }

// page returns the bytes of a page. The caller does not change them.
func (f *File) page(no uint32) ([]byte, error) {
	if no == 0 || no > f.pages {
		return nil, f.beyond(no)
	}
	cached := &f.cache[no%uint32(len(f.cache))]
	if cached.no == no {
		return cached.data, nil
	}
	p := make([]byte, f.pageSize)
	if _, err := f.readPage(no, p); err == io.EOF {
		return nil, Damaged("page %d is not there: the file is cut off", no)
	} else if err != nil {
		return nil, Damaged("page %d cannot be read: %w", no, err)
	}
	*cached = cachedPage{no, p}
	return p, nil
}

// beyond is the error for a page that the file does not have.
func (f *File) beyond(no uint32) error {
	if f.pages < no && no <= f.declared {
		return Damaged("page %d is not there: the file is cut off: it has %d of its %d pages",
			no, f.pages, f.declared)
	}
	return Damaged("page %d of %d", no, f.pages)
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
