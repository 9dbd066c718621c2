package rawfile

import (
	"io"
	"os"
)

const journalMagic = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"

// readJournal takes the pages of a rollback journal that a crash left: they are as they were before the transaction that did
// not end.
func (f *File) readJournal(path string) error {
	journal, err := openBeside(path)
	if journal == nil {
		return err
	}
	info, err := journal.Stat()
	if err != nil {
		journal.Close()
		return err
	}
	for at := int64(0); at < info.Size(); {
		next, ok := f.readSegment(journal, at, info.Size())
		if !ok {
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

// readSegment reads a header and the pages behind it, and returns where the next header is.
func (f *File) readSegment(journal *os.File, at, size int64) (next int64, ok bool) {
	head := make([]byte, 28)
	if _, err := journal.ReadAt(head, at); err != nil || string(head[:8]) != journalMagic {
		return 0, false
	}
	count, nonce, sector, pageSize := u32(head[8:]), u32(head[12:]), int64(u32(head[20:])), int(u32(head[24:]))
	if at > 0 {
		pageSize = f.pageSize
	}
	if !validPageSize(pageSize) || sector < 28 || sector > 65536 || sector&(sector-1) != 0 {
		return 0, false
	}
	record := make([]byte, 8+pageSize)
	if count == 0xffffffff {
		count = uint32((size - at - sector) / int64(len(record)))
	}
	if at == 0 {
		if count == 0 || u32(head[16:]) == 0 {
			return 0, false
		}
		f.pageSize, f.pages = pageSize, min(u32(head[16:]), maxPages)
	}
	pos := at + sector
	for range count {
		if _, err := io.ReadFull(io.NewSectionReader(journal, pos, int64(len(record))), record); err != nil {
			return 0, false
		}
		no, page := u32(record), record[4:4+pageSize]
		if no == 0 || pageSum(nonce, page) != u32(record[4+pageSize:]) {
			return 0, false
		}
		if _, seen := f.overlay[no]; !seen {
			f.overlay[no] = pos + 4
		}
		pos += int64(len(record))
	}
	return (pos + sector - 1) / sector * sector, true
}

func pageSum(nonce uint32, page []byte) uint32 {
	for i := len(page) - 200; i > 0; i -= 200 {
		nonce += uint32(page[i])
	}
	return nonce
}
