package rawfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

const (
	journalMagic  = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
	journalHeader = 28
)

// readJournal takes the pages of a rollback journal that a crash left: they are as they were before
// the transaction that did not end.
func (f *File) readJournal(path string) error {
	journal, err := f.openSidecar(path)
	if journal == nil {
		return err
	}
	info, err := journal.Stat()
	if err != nil {
		return errors.Join(err, journal.Close())
	}
	for at, more := int64(0), true; more && at < info.Size(); {
		from := at
		if at, more, err = f.readSegment(journal, at, info.Size()); err != nil {
			f.doubt("%s from byte %d on (%w): values may be of a transaction that did not end",
				filepath.Base(path), from, err)
		}
	}
	if f.pageSize == 0 {
		return journal.Close()
	}
	f.sidecar = journal
	return nil
}

// segment is the header of a part of a journal.
type segment struct {
	count, nonce, pages uint32
	sector              int64
	pageSize            int
	unsynced            bool // the header does not know the number of pages yet
}

// readSegment reads a header and the pages behind it, and returns where the next header is, if
// there is more. It fails if the segment is damaged: SQLite zeroes the header of a journal that is
// done with, and says how many pages there are once they are on the disk.
func (f *File) readSegment(journal *os.File, at, size int64) (next int64, more bool, err error) {
	s, err := f.segmentAt(journal, at, size)
	if err != nil || s.count == 0 {
		return 0, false, err
	}
	if at == 0 {
		f.pageSize, f.pages = s.pageSize, min(s.pages, maxPages)
	}
	pos := at + s.sector
	record := make([]byte, 8+s.pageSize)
	for i := range s.count {
		_, err := io.ReadFull(io.NewSectionReader(journal, pos, int64(len(record))), record)
		no, page, sum := fileformat.U32(record), record[4:4+s.pageSize], record[4+s.pageSize:]
		switch {
		case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
			return 0, false, err
		case err == nil && no != 0 && pageSum(s.nonce, page) == fileformat.U32(sum):
		case s.unsynced: // a crash cut it off
			return 0, false, nil
		default:
			return 0, false, fmt.Errorf("page %d of %d is not whole", i+1, s.count)
		}
		if _, seen := f.overlay[no]; !seen {
			f.overlay[no] = pos + 4
		}
		pos += int64(len(record))
	}
	return (pos + s.sector - 1) / s.sector * s.sector, true, nil
}

// segmentAt reads a header; one with no pages where the journal is done with.
func (f *File) segmentAt(journal *os.File, at, size int64) (s segment, err error) {
	head := make([]byte, journalHeader)
	if _, err := journal.ReadAt(head, at); err != nil && err != io.EOF {
		return s, err
	}
	if bytes.Equal(head[:8], make([]byte, 8)) {
		return s, nil
	}
	s = segment{count: fileformat.U32(head[8:]), nonce: fileformat.U32(head[12:]),
		pages: fileformat.U32(head[16:]), sector: int64(fileformat.U32(head[20:])),
		pageSize: int(fileformat.U32(head[24:]))}
	if at > 0 {
		s.pageSize = f.pageSize
	}
	validSector := s.sector > journalHeader && s.sector <= 65536 && s.sector&(s.sector-1) == 0
	if string(head[:8]) != journalMagic || !fileformat.ValidPageSize(s.pageSize) || !validSector {
		return segment{}, errors.New("it has no header")
	}
	if s.unsynced = s.count == 0xffffffff; s.unsynced {
		s.count = uint32((size - at - s.sector) / int64(8+s.pageSize))
	}
	if at == 0 && s.pages == 0 { // the file was empty
		s.count = 0
	}
	return s, nil
}

func pageSum(nonce uint32, page []byte) uint32 {
	for i := len(page) - 200; i > 0; i -= 200 {
		nonce += uint32(page[i])
	}
	return nonce
}
