package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// sizedReader reads a regular file as info describes it: its first info.Size() bytes, should it have
// grown since. It fails if the file became shorter or was written over. A file whose size is not what
// its system says, as in /proc and /sys and on some networks, is read to its end.
type sizedReader struct {
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

func newSizedReader(f fs.File, info fs.FileInfo) *sizedReader {
	return &sizedReader{f: f, info: info, left: info.Size(), trusted: info.Size() > sizeTrusted, toEnd: info.Size() == 0}
}

func (r *sizedReader) Read(p []byte) (n int, err error) {
	switch {
	case r.done || len(p) == 0:
		return 0, eofIf(r.done)
	case r.toEnd:
		n, err = r.f.Read(p)
		r.done = err == io.EOF
		return n, err
	case r.left == 0:
		return r.atEnd(p)
	}
	n, err = r.f.Read(p[:min(int64(len(p)), r.left)])
	if r.left -= int64(n); errors.Is(err, io.EOF) {
		if err = nil; r.left > 0 {
			err = r.short()
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
func (r *sizedReader) atEnd(p []byte) (int, error) {
	n, err := r.f.Read(p[:1])
	if err != nil && err != io.EOF {
		return 0, err
	}
	now, err := r.f.Stat()
	switch {
	case err != nil:
		return 0, err
	case now.Size() < r.info.Size():
		return 0, errShrank
	case now.Size() > r.info.Size():
		r.grew, r.done = true, true
		return 0, io.EOF
	case !now.ModTime().Equal(r.info.ModTime()):
		return 0, errRewritten
	case n == 0:
		r.done = true
		return 0, io.EOF
	case r.trusted:
		return 0, fmt.Errorf("the file has more than the %d bytes that its system says", r.info.Size())
	}
	r.toEnd = true
	return n, nil
}

// short decides what it means that the file ended before its stated size.
func (r *sizedReader) short() error {
	now, err := r.f.Stat()
	switch {
	case err != nil:
		return err
	case now.Size() != r.info.Size() || !now.ModTime().Equal(r.info.ModTime()):
		return errShrank
	case r.trusted:
		return fmt.Errorf("the file has fewer than the %d bytes that its system says", r.info.Size())
	}
	r.done = true
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
