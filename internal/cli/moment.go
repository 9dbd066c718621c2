package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// momentReader reads a regular file as it was at one moment, when info was taken: its first
// info.Size() bytes, should it have grown since. It fails if the file became shorter or was written
// over. A file whose size is not what its system says, as in /proc and /sys and on some networks,
// is read to its end.
type momentReader struct {
	f    fs.File
	info fs.FileInfo
	left int64 // of the stated size
	// trusted says that the size was passed on as a promise, so that a file which breaks it is
	// refused.
	trusted bool
	toEnd   bool // the stated size is not true
	grew    bool
	done    bool
}

// sizeTrusted is the size above which a file is believed to have the size that it states. Systems
// that make files up when they are read state 0 or little.
const sizeTrusted = smallFile

func readMoment(f fs.File, info fs.FileInfo) *momentReader {
	return &momentReader{f: f, info: info, left: info.Size(), trusted: info.Size() > sizeTrusted, toEnd: info.Size() == 0}
}

func (m *momentReader) Read(p []byte) (n int, err error) {
	switch {
	case m.done || len(p) == 0:
		return 0, eofIf(m.done)
	case m.toEnd:
		n, err = m.f.Read(p)
		m.done = err == io.EOF
		return n, err
	case m.left == 0:
		return m.atEnd(p)
	}
	n, err = m.f.Read(p[:min(int64(len(p)), m.left)])
	if m.left -= int64(n); errors.Is(err, io.EOF) {
		if err = nil; m.left > 0 {
			err = m.short()
		}
	}
	return n, err
}

func eofIf(done bool) error {
	if done {
		return io.EOF
	}
	return nil
}

// atEnd decides what there is behind the stated size.
func (m *momentReader) atEnd(p []byte) (int, error) {
	n, err := m.f.Read(p[:1])
	if err != nil && err != io.EOF {
		return 0, err
	}
	now, err := m.f.Stat()
	switch {
	case err != nil:
		return 0, err
	case now.Size() < m.info.Size():
		return 0, errShrank
	case now.Size() > m.info.Size():
		m.grew, m.done = true, true
		return 0, io.EOF
	case !now.ModTime().Equal(m.info.ModTime()):
		return 0, errRewritten
	case n == 0:
		m.done = true
		return 0, io.EOF
	case m.trusted:
		return 0, fmt.Errorf("the file has more than the %d bytes that its system says", m.info.Size())
	}
	m.toEnd = true
	return n, nil
}

// short decides what it means that the file ended before its stated size.
func (m *momentReader) short() error {
	now, err := m.f.Stat()
	switch {
	case err != nil:
		return err
	case now.Size() != m.info.Size() || !now.ModTime().Equal(m.info.ModTime()):
		return errShrank
	case m.trusted:
		return fmt.Errorf("the file has fewer than the %d bytes that its system says", m.info.Size())
	}
	m.done = true
	return io.EOF
}

var (
	errShrank    = errors.New("the file became shorter while it was read; store it again")
	errRewritten = errors.New("the file changed while it was read; store it again")
)

func grewNote(name string, size int64) string {
	return fmt.Sprintf("%s grew while it was read: its first %s are stored.", name, countInWords(size, "byte"))
}

func timeNote(name string, was, is time.Time) string {
	return fmt.Sprintf("%s: the time %s does not fit; %s is kept.", name, was.UTC().Format(time.DateOnly), is.Format(time.DateOnly))
}
