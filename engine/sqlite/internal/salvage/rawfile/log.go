package rawfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

const (
	logHeader   = 32
	frameHeader = 24
)

// logless says that a file with this header has no write-ahead log of its own: see
// walvfs.ForeignLog.
func logless(header []byte) bool {
	return string(header[:len(fileformat.Magic)]) == fileformat.Magic && header[18] == 1 &&
		header[19] == 1
}

// readLog takes the committed pages of a write-ahead log. Where the log is damaged it ends, as it
// does for SQLite.
func (f *File) readLog(path string) error {
	log, err := f.openSidecar(path)
	if log == nil {
		return err
	}
	if !f.useLog(log, filepath.Base(path)) {
		return log.Close()
	}
	f.sidecar = log
	return nil
}

// useLog says whether the log has a commit.
func (f *File) useLog(log *os.File, name string) bool {
	head := make([]byte, logHeader)
	if _, err := io.ReadFull(log, head); err == io.EOF { // as after a checkpoint
		return false
	} else if err != nil {
		f.doubtLog("the header of %s cannot be read (%w)", name, err)
		return false
	}
	kind := fileformat.U32(head)
	sum := logSum{order: binary.LittleEndian}
	if kind&1 == 1 {
		sum.order = binary.BigEndian
	}
	pageSize := int(fileformat.U32(head[8:]))
	sum.add(head[:24])
	if kind&^1 != 0x377f0682 || !fileformat.ValidPageSize(pageSize) || !sum.is(head[24:]) {
		// SQLite writes the header before the first frame, and a log without frames is of no use.
		if n, err := log.ReadAt(head[:1], logHeader); n > 0 || err != io.EOF {
			f.doubtLog("the header of %s", name)
		}
		return false
	}
	f.readFrames(log, name, pageSize, head[16:24], sum)
	if f.pages > 0 {
		f.pageSize = pageSize
	}
	return f.pages > 0
}

// readFrames fills the overlay with the frames up to the last sound commit.
func (f *File) readFrames(log io.Reader, name string, pageSize int, salt []byte, sum logSum) {
	r := bufio.NewReaderSize(log, 1<<20)
	frame := make([]byte, frameHeader+pageSize)
	uncommitted := map[uint32]int64{}
	for n := int64(0); ; n++ {
		_, err := io.ReadFull(r, frame)
		sum.add(frame[:8])
		sum.add(frame[frameHeader:])
		no := fileformat.U32(frame)
		if err != nil || string(frame[8:16]) != string(salt) || !sum.is(frame[16:]) || no == 0 {
			f.doubtEnd(r, name, n, frame, salt, err)
			return
		}
		uncommitted[no] = logHeader + n*int64(len(frame)) + frameHeader
		if size := fileformat.U32(frame[4:]); size > 0 {
			f.pages = min(size, maxPages)
			for no, at := range uncommitted {
				f.overlay[no] = at
			}
			clear(uncommitted)
		}
	}
}

// doubtEnd finds out whether the log ends with n sound frames because it is damaged. It does not if
// what follows is of an earlier log, whose salts are others, or of a transaction that was not
// committed. So it looks for the end of a commit to this log, from the first bad frame on.
func (f *File) doubtEnd(r io.Reader, name string, n int64, frame, salt []byte, err error) {
	for ; err == nil; _, err = io.ReadFull(r, frame) {
		if string(frame[8:16]) == string(salt) && fileformat.U32(frame[4:]) > 0 {
			f.doubtLog("%s behind its frame %d", name, n)
			return
		}
	}
	if err != io.EOF && err != io.ErrUnexpectedEOF {
		f.doubtLog("%s cannot be read behind its frame %d (%w)", name, n, err)
	}
}

// doubt notes that a log or a journal does not tell all that it should.
func (f *File) doubt(format string, args ...any) {
	f.doubts = append(f.doubts, Damaged(format, args...))
}

func (f *File) doubtLog(format string, args ...any) {
	f.doubt(format+": what was committed later is lost, and values may be older", args...)
}

// Doubts says what is damaged of the log or the journal. If there is any, the file is not as it was
// committed last.
func (f *File) Doubts() []error { return f.doubts }

// openSidecar opens a log or a journal if there is one.
func (f *File) openSidecar(path string) (*os.File, error) {
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		f.doubt("%s is no regular file: values may be older, or of a transaction that did not end",
			filepath.Base(path))
		return nil, nil
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

func (s *logSum) is(stored []byte) bool {
	return s.a == fileformat.U32(stored) && s.b == fileformat.U32(stored[4:])
}
