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

const journalMagic = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"

// readJournal takes the pages of a rollback journal that a crash left: they are as they were before the transaction that did
// not end.
func (f *File) readJournal(path string) error {
	journal, err := f.openBeside(path)
	if journal == nil {
		return err
	}
	info, err := journal.Stat()
	if err != nil {
		journal.Close()
		return err
	}
	for at := int64(0); at < info.Size(); {
		next, err := f.readSegment(journal, at, info.Size())
		if err != nil {
			f.doubt("%s from byte %d on (%w): values may be of a transaction that was not committed", filepath.Base(path), at, err)
		}
		if next == 0 {
			break
		}
		at = next
	}
	if f.pageSize == 0 {
		return journal.Close()
	}
	f.beside, f.closers = journal, append(f.closers, journal)
	return nil
}

// readSegment reads a header and the pages behind it, and returns where the next header is, 0 if there is none. It fails if the segment is damaged:
// SQLite zeroes the header of a journal that is done with, and says how many pages there are once they are on the disk.
func (f *File) readSegment(journal *os.File, at, size int64) (next int64, err error) {
	head := make([]byte, 28)
	if _, err := journal.ReadAt(head, at); err != nil && err != io.EOF {
		return 0, err
	}
	if bytes.Equal(head[:8], make([]byte, 8)) {
		return 0, nil
	}
	count, nonce, sector, pageSize := fileformat.U32(head[8:]), fileformat.U32(head[12:]), int64(fileformat.U32(head[20:])), int(fileformat.U32(head[24:]))
	if at > 0 {
		pageSize = f.pageSize
	}
	if string(head[:8]) != journalMagic || !fileformat.ValidPageSize(pageSize) || sector < 28 || sector > 65536 || sector&(sector-1) != 0 {
		return 0, errors.New("it has no header")
	}
	record := make([]byte, 8+pageSize)
	unsynced := count == 0xffffffff
	if unsynced {
		count = uint32((size - at - sector) / int64(len(record)))
	}
	if count == 0 {
		return 0, nil
	}
	if at == 0 {
		if fileformat.U32(head[16:]) == 0 {
			return 0, nil
		}
		f.pageSize, f.pages = pageSize, min(fileformat.U32(head[16:]), maxPages)
	}
	pos := at + sector
	for i := range count {
		_, err := io.ReadFull(io.NewSectionReader(journal, pos, int64(len(record))), record)
		no, page := fileformat.U32(record), record[4:4+pageSize]
		switch {
		case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
			return 0, err
		case err == nil && no != 0 && pageSum(nonce, page) == fileformat.U32(record[4+pageSize:]):
		case unsynced: // a crash cut it off
			return 0, nil
		default:
			return 0, fmt.Errorf("page %d of %d is not whole", i+1, count)
		}
		if _, seen := f.overlay[no]; !seen {
			f.overlay[no] = pos + 4
		}
		pos += int64(len(record))
	}
	return (pos + sector - 1) / sector * sector, nil
}

func pageSum(nonce uint32, page []byte) uint32 {
	for i := len(page) - 200; i > 0; i -= 200 {
		nonce += uint32(page[i])
	}
	return nonce
}
