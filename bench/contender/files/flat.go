package main

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/kohakuvault/kvault/bench/internal/contract"
	"github.com/kohakuvault/kvault/bench/internal/load"
)

// flat is a column as a flat file of little-endian integers.
type flat struct {
	load.Store
	f    *os.File
	full bool
	buf  []byte
	one  [8]byte
}

func openFlat(p contract.Params) (load.Store, error) {
	f, err := os.OpenFile(filepath.Join(p.Dir, "numbers"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &flat{f: f, full: p.Full, buf: make([]byte, 0, 1<<20)}, nil
}

func (s *flat) Close() error { return s.f.Close() }

func (s *flat) Extend(x []int64) error {
	for len(x) > 0 {
		n := min(len(x), cap(s.buf)/8)
		s.buf = s.buf[:8*n]
		for i, e := range x[:n] {
			binary.LittleEndian.PutUint64(s.buf[8*i:], uint64(e))
		}
		if _, err := s.f.Write(s.buf); err != nil {
			return err
		}
		x = x[n:]
	}
	if s.full {
		return s.f.Sync()
	}
	return nil
}

func (s *flat) Scan(each func([]int64)) error {
	block := make([]int64, cap(s.buf)/8)
	for off := int64(0); ; {
		n, err := s.f.ReadAt(s.buf[:cap(s.buf)], off)
		for i := range n / 8 {
			block[i] = int64(binary.LittleEndian.Uint64(s.buf[:cap(s.buf)][8*i:]))
		}
		each(block[:n/8])
		off += int64(n)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *flat) At(i int64) (int64, error) {
	_, err := s.f.ReadAt(s.one[:], 8*i)
	return int64(binary.LittleEndian.Uint64(s.one[:])), err
}
