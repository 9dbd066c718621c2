package sqlite

import (
	"errors"
	"os"
)

// tempFile holds bytes outside SQLite for a while. Where an open file can lose its name, it has none, so that a crash leaves
// nothing behind.
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
