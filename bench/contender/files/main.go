// Plain files: one for each key, in folders as the key has them; for columns one flat file.
package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kohakuvault/kvault/bench/internal/contract"
	"github.com/kohakuvault/kvault/bench/internal/load"
)

func main() {
	load.Main("", func(p contract.Params) (load.Store, error) {
		if p.Workload == "extend" || p.Workload == "append" || p.Workload == "scan" || p.Workload == "element" {
			return openFlat(p)
		}
		return &store{dir: p.Dir, full: p.Full}, nil
	})
}

type store struct {
	dir  string
	full bool
}

func (s *store) Close() error { return nil }

// Put replaces the file as a whole: others see the old content or the new.
func (s *store) Put(key string, value []byte) error {
	return s.write(key, func(w io.Writer) error {
		_, err := w.Write(value)
		return err
	})
}

func (s *store) write(key string, fill func(io.Writer) error) error {
	path := filepath.Join(s.dir, key)
	f, err := os.CreateTemp(filepath.Dir(path), ".new")
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		f, err = os.CreateTemp(filepath.Dir(path), ".new")
	}
	if err != nil {
		return err
	}
	err = fill(f)
	if s.full && err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil || !s.full {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s *store) Get(key string) ([]byte, error) { return os.ReadFile(filepath.Join(s.dir, key)) }

func (s *store) List(each func(string)) error {
	return fs.WalkDir(os.DirFS(s.dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			each(name)
		}
		return err
	})
}

func (s *store) PutStream(key string, r io.Reader, _ int64) error {
	return s.write(key, func(w io.Writer) error {
		_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, make([]byte, 1<<20))
		return err
	})
}

func (s *store) GetStream(key string, w io.Writer) error {
	f, err := os.Open(filepath.Join(s.dir, key))
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{f}, make([]byte, 1<<20))
	return errors.Join(err, f.Close())
}

func (s *store) OpenValue(key string) (load.ReaderAtCloser, error) {
	return os.Open(filepath.Join(s.dir, key))
}
