package filetree

import (
	"bytes"
	"os"
)

// holeSize is the length of the blocks of zeros that become holes. File systems have blocks of 4 to
// 64 KiB; smaller holes would cost a system call each and gain little.
const holeSize = 64 << 10

var zeros [holeSize]byte

// SparseWriter writes a new file from its start, and leaves blocks of zeros out: on a file system
// that has holes they take no room, and on another one they read as zeros too. It is not for
// concurrent use.
type SparseWriter struct {
	f     *os.File
	at    int64 // how many bytes were written or left out
	ended int64 // where the last bytes end that were written
}

// NewSparseWriter returns a writer to f, which must be empty.
func NewSparseWriter(f *os.File) *SparseWriter { return &SparseWriter{f: f} }

// Write writes p without its blocks of zeros. A block that two calls share is written in any case.
// After an error the file is of no use.
func (w *SparseWriter) Write(p []byte) (int, error) {
	from := 0 // where the bytes begin that are still to be written
	for i := 0; i < len(p); {
		end := min(i+holeSize-int((w.at+int64(i))%holeSize), len(p))
		if end-i == holeSize && bytes.Equal(p[i:end], zeros[:]) {
			if err := w.writeAt(p[from:i], w.at+int64(from)); err != nil {
				return from, err
			}
			from = end
		}
		i = end
	}
	if err := w.writeAt(p[from:], w.at+int64(from)); err != nil {
		return from, err
	}
	w.at += int64(len(p))
	return len(p), nil
}

func (w *SparseWriter) writeAt(p []byte, off int64) error {
	if len(p) == 0 {
		return nil
	}
	w.ended = off + int64(len(p))
	_, err := w.f.WriteAt(p, off)
	return err
}

// Finish gives the file its length, which no write did if it ends in zeros. It does not close it.
func (w *SparseWriter) Finish() error {
	if w.ended == w.at {
		return nil
	}
	return w.f.Truncate(w.at)
}
