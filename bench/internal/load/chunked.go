package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// Peeker lends a value to fn without a copy.
type Peeker interface {
	Peek(key string, fn func(value []byte) error) error
}

// Chunked makes streams of a store that has none, as its users have to: in values of 1 MiB, sixteen
// to a transaction.
type Chunked struct {
	Batcher
	Peeker
	// Mapped says that what Peek lends lies in a mapped file, and has to be copied by whoever wants
	// it in memory.
	Mapped bool
}

const (
	chunkBytes = 1 << 20
	chunkBatch = 16
)

func chunkKey(key string, n int64) string { return fmt.Sprintf("%s/%08d", key, n) }

// PutStream stores r.
func (c Chunked) PutStream(key string, r io.Reader, _ int64) error {
	for n := int64(0); ; n += chunkBatch {
		end, err := c.putChunks(key, r, n)
		if err != nil || end {
			return err
		}
	}
}

func (c Chunked) putChunks(key string, r io.Reader, from int64) (end bool, err error) {
	putErr := c.PutBatch(func(yield func(string, []byte) bool) {
		for n := from; n < from+chunkBatch && !end; n++ {
			chunk := make([]byte, chunkBytes)
			var got int
			got, err = io.ReadFull(r, chunk)
			end = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
			if end {
				err = nil
			}
			if err != nil || got == 0 || !yield(chunkKey(key, n), chunk[:got]) {
				return
			}
		}
	})
	return end, errors.Join(putErr, err)
}

// GetStream writes all chunks to w.
func (c Chunked) GetStream(key string, w io.Writer) error {
	var buf []byte
	_, copies := w.(*os.File)
	for n := int64(0); ; n++ {
		got := 0
		err := c.Peek(chunkKey(key, n), func(value []byte) error {
			got = len(value)
			if c.Mapped && !copies {
				buf = append(buf[:0], value...)
				value = buf
			}
			_, err := w.Write(value)
			return err
		})
		if errors.Is(err, ErrNoKey) && n > 0 {
			return nil
		}
		if err != nil || got < chunkBytes {
			return err
		}
	}
}

// ErrNoKey is what Peek and Get return for a key that is not there.
var ErrNoKey = errors.New("no such key")

// OpenValue reads chunks one by one.
func (c Chunked) OpenValue(key string) (ReaderAtCloser, error) { return chunkedValue{c, key}, nil }

type chunkedValue struct {
	Chunked
	key string
}

func (v chunkedValue) Close() error { return nil }

func (v chunkedValue) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		at := off + int64(done)
		err := v.Peek(chunkKey(v.key, at/chunkBytes), func(chunk []byte) error {
			n, err := bytes.NewReader(chunk).ReadAt(p[done:min(len(p), done+chunkBytes)], at%chunkBytes)
			done += n
			if n > 0 {
				return nil
			}
			return err
		})
		if err != nil {
			return done, err
		}
	}
	return done, nil
}
