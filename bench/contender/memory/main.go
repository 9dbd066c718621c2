// Memory: what it costs to copy the bytes and nothing else. It keeps nothing; filling and running
// use the same memory.
package main

import (
	"errors"
	"io"

	"github.com/kohakuvault/kvault/bench/internal/contract"
	"github.com/kohakuvault/kvault/bench/internal/load"
)

func main() {
	load.Main("", func(p contract.Params) (load.Store, error) {
		s := &store{}
		data, err := contract.LoadData(p.Pool, p.Seed)
		if err != nil || p.Fill {
			return s, err
		}
		switch p.Workload { // what another store was filled with before
		case "streamout", "range":
			err = s.PutStream("", data.Stream(p.Size), p.Size)
		case "scan", "element":
			for i := range p.Keys {
				s.column = append(s.column, data.Element(i))
			}
		}
		return s, err
	})
}

type store struct {
	load.Store
	chunks [][]byte
	column []int64
}

const chunk = 1 << 20

func (s *store) Close() error { return nil }

func (s *store) PutStream(_ string, r io.Reader, _ int64) error {
	s.chunks = nil
	for {
		b := make([]byte, chunk)
		n, err := io.ReadFull(r, b)
		s.chunks = append(s.chunks, b[:n])
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *store) GetStream(_ string, w io.Writer) error {
	buf := make([]byte, chunk)
	for _, b := range s.chunks {
		if _, err := w.Write(buf[:copy(buf, b)]); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) OpenValue(string) (load.ReaderAtCloser, error) { return s, nil }

func (s *store) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) && off/chunk < int64(len(s.chunks)) {
		n := copy(p[done:], s.chunks[off/chunk][off%chunk:])
		if n == 0 {
			return done, io.EOF
		}
		done += n
		off += int64(n)
	}
	return done, nil
}

func (s *store) Extend(x []int64) error {
	s.column = append(s.column, x...)
	return nil
}

func (s *store) Scan(each func([]int64)) error {
	block := make([]int64, chunk/8)
	for rest := s.column; len(rest) > 0; {
		n := copy(block, rest)
		each(block[:n])
		rest = rest[n:]
	}
	return nil
}

func (s *store) At(i int64) (int64, error) { return s.column[i], nil }
