package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/kohakuvault/kvault/engine"
)

// A value that may still become one row is kept in a temporary file while it comes in. Chunk rows
// would be written to the log and to the file, then copied into the row, and then removed again.

// spoolLimit is how many bytes of a stage may be kept so.
func (s *Store) spoolLimit(o engine.StageOptions) int64 {
	limit := s.currentTable().inlineLimit(s.opt.OneRowLimit)
	if s.conf.Memory || o.Size > limit {
		return 0
	}
	return limit
}

// spooled adds p to the temporary file, and says whether it could: otherwise the bytes go to chunk
// rows.
func (st *stage) spooled(p []byte) bool {
	if st.id != 0 || st.size+int64(len(p)) > st.spoolLimit {
		return false
	}
	if st.temp == nil {
		if st.size > 0 {
			return false // it could not be kept so before
		}
		var err error
		if st.temp, err = newTempFile("kvault-stage-*"); err != nil {
			return false
		}
		st.s.spools.Add(1)
	}
	_, err := st.temp.WriteAt(p, st.size)
	return err == nil
}

// unspool moves the bytes of the temporary file to chunk rows. After an error it goes on from where
// it was.
func (st *stage) unspool(ctx context.Context) error {
	if st.temp == nil {
		return nil
	}
	buf := make([]byte, min(st.chunkBytes, st.size))
	for st.stored < st.size {
		p := buf[:min(st.chunkBytes, st.size-st.stored)]
		if err := st.temp.read(p, st.stored); err != nil {
			return err
		}
		if err := st.store(ctx, p); err != nil {
			return err
		}
	}
	st.dropTemp()
	return nil
}

func (f *tempFile) read(p []byte, off int64) error {
	n, err := f.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("temporary file: %w", err)
}

// each hands out the first size bytes in order. The slice is reused.
func (f *tempFile) each(size int64, fn func(p []byte) error) error {
	buf := make([]byte, min(size, pieceBytes))
	for off := int64(0); off < size; off += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), size-off)]
		if err := f.read(buf, off); err != nil {
			return err
		}
		if err := fn(buf); err != nil {
			return err
		}
	}
	return nil
}

// dropTemp removes the temporary file. Its bytes are elsewhere by now, or of no more use, so a
// failure does not matter.
func (st *stage) dropTemp() {
	if st.temp != nil {
		_ = st.temp.Close()
		st.temp = nil
		st.s.spools.Add(-1)
	}
}

// tempFile holds bytes outside SQLite for a while. Where an open file can lose its name, it has
// none, so that a crash leaves nothing behind.
type tempFile struct {
	*os.File
	named bool
}

func newTempFile(pattern string) (*tempFile, error) {
	f, err := os.CreateTemp("", pattern)
	if err != nil {
		return nil, err
	}
	return &tempFile{f, os.Remove(f.Name()) != nil}, nil
}

// Close removes the file.
func (f *tempFile) Close() error {
	err := f.File.Close()
	if f.named {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}
