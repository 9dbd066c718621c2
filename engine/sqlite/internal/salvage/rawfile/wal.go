package rawfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// logless says that a file with this header has no write-ahead log of its own: see walvfs.ForeignLog.
func logless(header []byte) bool {
	return string(header[:len(fileformat.Magic)]) == fileformat.Magic && header[18] == 1 && header[19] == 1
}

// readLog takes the committed pages of a write-ahead log. Where it is damaged it ends, as it does for SQLite.
func (f *File) readLog(path string) error {
	log, err := f.openBeside(path)
	if log == nil {
		return err
	}
	head := make([]byte, 32)
	switch _, err := io.ReadFull(log, head); err {
	case nil:
	case io.EOF: // as after a checkpoint
		return log.Close()
	case io.ErrUnexpectedEOF:
		f.doubtLog("%s is cut off", filepath.Base(path))
		return log.Close()
	default:
		f.doubtLog("%s cannot be read (%w)", filepath.Base(path), err)
		return log.Close()
	}
	kind := fileformat.U32(head)
	order := binary.ByteOrder(binary.LittleEndian)
	if kind&1 == 1 {
		order = binary.BigEndian
	}
	pageSize := int(fileformat.U32(head[8:]))
	sum := logSum{order: order}
	sum.add(head[:24])
	if kind&^1 != 0x377f0682 || !fileformat.ValidPageSize(pageSize) || sum.a != fileformat.U32(head[24:]) || sum.b != fileformat.U32(head[28:]) {
		// SQLite writes the header before the first frame, and a log without frames is of no use to anybody.
		if n, err := log.ReadAt(head[:1], int64(len(head))); n > 0 || err != io.EOF {
			f.doubtLog("the header of %s", filepath.Base(path))
		}
		return log.Close()
	}
	f.readFrames(log, filepath.Base(path), pageSize, head[16:24], sum)
	if f.pages == 0 {
		return log.Close()
	}
	f.beside, f.closers, f.pageSize = log, append(f.closers, log), pageSize
	return nil
}

// readFrames fills the overlay with the frames up to the last sound commit.
func (f *File) readFrames(log io.Reader, name string, pageSize int, salt []byte, sum logSum) {
	r := bufio.NewReaderSize(log, 1<<20)
	frame := make([]byte, 24+pageSize)
	waiting := map[uint32]int64{}
	for n := int64(0); ; n++ {
		_, err := io.ReadFull(r, frame)
		sum.add(frame[:8])
		sum.add(frame[24:])
		no := fileformat.U32(frame)
		if err != nil || string(frame[8:16]) != string(salt) || sum.a != fileformat.U32(frame[16:]) || sum.b != fileformat.U32(frame[20:]) || no == 0 {
			f.doubtEnd(r, name, n, frame, salt, err)
			return
		}
		waiting[no] = 32 + n*int64(len(frame)) + 24
		if size := fileformat.U32(frame[4:]); size > 0 {
			f.pages = min(size, maxPages)
			for no, at := range waiting {
				f.overlay[no] = at
			}
			clear(waiting)
		}
	}
}

// doubtEnd finds out whether the log ends with n sound frames because it is damaged. It does not if what follows is of an earlier log, whose salts
// are others, or of a transaction that was not committed. So it looks for the end of a commit to this log, from the first bad frame on.
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
	f.doubts = append(f.doubts, fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...))
}

func (f *File) doubtLog(format string, args ...any) {
	f.doubt(format+": what was committed later is lost, and values may be older", args...)
}

// Doubts says what is damaged of the log or the journal beside the file. The file is not as it was committed last then.
func (f *File) Doubts() []error { return f.doubts }

// openBeside opens a file beside the database if there is one.
func (f *File) openBeside(path string) (*os.File, error) {
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		f.doubt("%s is no regular file: values may be older, or of a transaction that was not committed", filepath.Base(path))
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
