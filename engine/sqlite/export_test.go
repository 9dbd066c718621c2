package sqlite

import (
	"context"
	"io"
)

// CreateTable is the SQL of a key-value table of layout 2.
var CreateTable = create

// Layout1 makes the key-value table of layout 1. Open makes what belongs beside it.
const Layout1 = `CREATE TABLE kvault(` + layout1Columns

// SalvageThrough is Salvage of a file whose bytes are read through what through makes of it.
func SalvageThrough(ctx context.Context, src, dst string, o *SalvageOptions, through func(io.ReaderAt) io.ReaderAt) (*SalvageReport, error) {
	return salvageThrough(ctx, src, dst, o, through)
}

// On returns the options with the file system layer named vfs under SQLite, for tests outside of
// this package.
func (o Options) On(vfs string) *Options {
	o.vfs = vfs
	return &o
}

// WithLog returns the options with a write-ahead log that is long from so many bytes on.
func (o Options) WithLog(bytes int) Options {
	o.logBytes = bytes
	return o
}

// Checkpoint copies what it can of the write-ahead log into the file, without waiting until the log
// is long.
func (s *Store) Checkpoint() error {
	w := s.writer
	if err := w.acquire(context.Background()); err != nil {
		return err
	}
	defer w.release()
	w.ckpt.wait()
	_, _, err := w.conn.Checkpoint(false)
	return s.explain(context.Background(), err)
}

// RemoveOldLog is what a restore does last.
func RemoveOldLog(path string) error { return removeOldLog(path) }
