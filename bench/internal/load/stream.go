package load

import (
	"fmt"
	"io"
	"os"

	"github.com/kohakuvault/kvault/bench/internal/contract"
)

const streamKey = "stream"

func (r *run) streamer() (Streamer, error) {
	if s, ok := r.store.(Streamer); ok {
		return s, nil
	}
	return nil, fmt.Errorf("streams: %w", ErrUnsupported)
}

// streamIn stores what Path, a file or a named pipe, gives: Size bytes.
func (r *run) streamIn() error {
	s, err := r.streamer()
	if err != nil {
		return err
	}
	f, err := os.Open(r.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	size := int64(-1)
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	if err := r.measure(func() error { return s.PutStream(streamKey, f, size) }); err != nil {
		return err
	}
	r.res.Ops, r.res.Bytes = 1, r.Size
	return r.compareStream(s)
}

func (r *run) fillStream() error {
	s, err := r.streamer()
	if err != nil {
		return err
	}
	return s.PutStream(streamKey, r.Stream(r.Size), r.Size)
}

// compareStream reads the whole value and compares it.
func (r *run) compareStream(s Streamer) error {
	c, f := r.Compare(), &contract.Folder{}
	if err := s.GetStream(streamKey, io.MultiWriter(c, f)); err != nil {
		return err
	}
	if c.N != r.Size {
		return fmt.Errorf("the stream has %d bytes, want %d", c.N, r.Size)
	}
	r.res.Checksum = contract.Checksum(f.Sum())
	return nil
}

// streamOut reads the value into memory, piece by piece, or into Path, a file or a named pipe whose
// reader compares.
func (r *run) streamOut() error {
	s, err := r.streamer()
	if err != nil {
		return err
	}
	r.res.Ops, r.res.Bytes = 1, r.Size
	if r.Path == "" {
		f := &contract.Folder{}
		if err := r.measure(func() error { return s.GetStream(streamKey, f) }); err != nil {
			return err
		}
		sum := contract.Checksum(f.Sum())
		if err := r.compareStream(s); err != nil {
			return err
		}
		r.res.Checksum = sum
		return nil
	}
	f, err := os.OpenFile(r.Path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	err = r.measure(func() error { return s.GetStream(streamKey, f) })
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return r.compareStream(s)
}

// ranges reads Batch bytes at each of Ops random offsets of the value.
func (r *run) ranges() error {
	s, err := r.streamer()
	if err != nil {
		return err
	}
	v, err := s.OpenValue(streamKey)
	if err != nil {
		return err
	}
	defer v.Close()
	buf := make([]byte, r.Batch)
	sum := uint64(0)
	err = r.measure(func() error {
		for op := range r.Ops {
			if _, err := v.ReadAt(buf, r.Pick(op, r.Size-r.Batch)); err != nil {
				return err
			}
			sum += contract.Fold(op, buf)
		}
		return nil
	})
	r.res.Ops, r.res.Bytes, r.res.Checksum = r.Ops, r.Ops*r.Batch, contract.Checksum(sum)
	return err
}
