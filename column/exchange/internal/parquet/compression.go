package parquet

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codecs.
const (
	codecNone = iota
	codecSnappy
	codecGzip
	codecLZO
	codecBrotli
	codecLZ4Hadoop
	codecZstd
	codecLZ4
)

var errExpanded = errors.New("a page does not expand to the length that its header says")

// unzstd is one decoder for all columns: each holds some memory.
var unzstd = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(longestPage))
})

// longestPage is the most that a page may say it takes. It is what the offsets of most types reach,
// or what a system of 32 bits may still have.
const longestPage = min(2<<30, math.MaxInt/4)

// expand decompresses src to n bytes, reusing the memory of dst.
func expand(codec int, dst, src []byte, n int) ([]byte, error) {
	if codec == codecNone {
		if len(src) != n {
			return nil, errExpanded
		}
		return src, nil
	}
	if n > longestPage {
		return nil, errExpanded
	}
	if cap(dst) < n {
		dst = make([]byte, n)
	}
	dst = dst[:n]
	switch codec {
	case codecSnappy:
		if has, err := snappy.DecodedLen(src); err != nil || has != n {
			return nil, errors.Join(errExpanded, err)
		}
		return snappy.Decode(dst, src)
	case codecGzip:
		r, err := gzip.NewReader(bytes.NewReader(src))
		return expandFrom(r, dst, err)
	case codecBrotli:
		return expandFrom(brotli.NewReader(bytes.NewReader(src)), dst, nil)
	case codecLZ4:
		return expandLZ4(dst, src)
	case codecLZ4Hadoop:
		return expandHadoop(dst, src)
	case codecZstd:
		return expandZstd(dst, src)
	}
	return nil, unsupported("compression number %d is not supported: write the file with zstd, snappy, gzip, brotli or none", codec)
}

func expandFrom(r io.Reader, dst []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(r, dst); err != nil {
		return nil, fmt.Errorf("%w: %w", errExpanded, err)
	}
	if n, _ := r.Read(make([]byte, 1)); n > 0 {
		return nil, errExpanded
	}
	return dst, nil
}

// expandZstd does not let a page become longer than it says.
func expandZstd(dst, src []byte) ([]byte, error) {
	var head zstd.Header
	if err := head.Decode(src); err != nil && len(src) > 0 {
		return nil, err
	}
	if head.HasFCS && head.FrameContentSize > uint64(len(dst)) {
		return nil, errExpanded
	}
	d, err := unzstd()
	if err != nil {
		return nil, err
	}
	out, err := d.DecodeAll(src, dst[:0])
	if err == nil && len(out) != len(dst) {
		err = errExpanded
	}
	return out, err
}

func expandLZ4(dst, src []byte) ([]byte, error) {
	n, err := lz4.UncompressBlock(src, dst)
	if err == nil && n != len(dst) {
		err = errExpanded
	}
	return dst, err
}

// expandHadoop reads the blocks of Hadoop's LZ4, each of which has its lengths before it. Some
// writers left those out.
func expandHadoop(dst, src []byte) ([]byte, error) {
	out, in := dst, src
	for len(in) >= 8 {
		long, short := uint64(binary.BigEndian.Uint32(in)), uint64(binary.BigEndian.Uint32(in[4:]))
		in = in[8:]
		if short > uint64(len(in)) || long > uint64(len(out)) {
			return expandLZ4(dst, src)
		}
		if n, err := lz4.UncompressBlock(in[:short], out[:long]); err != nil || uint64(n) != long {
			return expandLZ4(dst, src)
		}
		in, out = in[short:], out[long:]
	}
	if len(in) > 0 || len(out) > 0 {
		return expandLZ4(dst, src)
	}
	return dst, nil
}
