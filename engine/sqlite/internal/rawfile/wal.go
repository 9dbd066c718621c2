package rawfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
)

// logless says that a file with this header has no write-ahead log of its own: see driver.ForeignLog.
func logless(header []byte) bool {
	return string(header[:len(magic)]) == magic && header[18] == 1 && header[19] == 1
}

// readLog takes the committed pages of a write-ahead log. Where it is damaged it ends, as it does for SQLite.
func (f *File) readLog(path string) error {
	log, err := openBeside(path)
	if log == nil {
		return err
	}
	head := make([]byte, 32)
	if _, err := io.ReadFull(log, head); err != nil {
		return log.Close()
	}
	kind := u32(head)
	order := binary.ByteOrder(binary.LittleEndian)
	if kind&1 == 1 {
		order = binary.BigEndian
	}
	pageSize := int(u32(head[8:]))
	sum := logSum{order: order}
	sum.add(head[:24])
	if kind&^1 != 0x377f0682 || !validPageSize(pageSize) || sum.a != u32(head[24:]) || sum.b != u32(head[28:]) {
		return log.Close()
	}
	f.readFrames(log, pageSize, head[16:24], sum)
	if f.pages == 0 {
		return log.Close()
	}
	f.beside, f.closers, f.pageSize = log, append(f.closers, log), pageSize
	return nil
}

// readFrames fills the overlay with the frames up to the last sound commit.
func (f *File) readFrames(log *os.File, pageSize int, salt []byte, sum logSum) {
	r := bufio.NewReaderSize(log, 1<<20)
	frame := make([]byte, 24+pageSize)
	waiting := map[uint32]int64{}
	for at := int64(32); ; at += int64(len(frame)) {
		if _, err := io.ReadFull(r, frame); err != nil || string(frame[8:16]) != string(salt) {
			return
		}
		sum.add(frame[:8])
		sum.add(frame[24:])
		no := u32(frame)
		if sum.a != u32(frame[16:]) || sum.b != u32(frame[20:]) || no == 0 {
			return
		}
		waiting[no] = at + 24
		if size := u32(frame[4:]); size > 0 {
			f.pages = min(size, maxPages)
			for no, at := range waiting {
				f.overlay[no] = at
			}
			clear(waiting)
		}
	}
}

// openBeside opens a file beside the database if there is one.
func openBeside(path string) (*os.File, error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return nil, err
	}
	return os.Open(path)
}

// logSum is the checksum of a write-ahead log.
type logSum struct {
	order binary.ByteOrder
	a, b  uint32
}

func (s *logSum) add(p []byte) {
	for ; len(p) >= 8; p = p[8:] {
		s.a += s.order.Uint32(p) + s.b
		s.b += s.order.Uint32(p[4:]) + s.a
	}
}
