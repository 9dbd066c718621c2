package workload

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/kohakuvault/kvault/engine"
)

// A value proves itself: it begins with its version and its size, and all that follows is drawn from
// a generator whose seed is its key, version and size. No other version of any key has those bytes.

// headSize is the least size of a value.
const headSize = 16

// newSource returns a reader of a value.
func newSource(key string, version uint64, size int64) io.Reader {
	head := binary.LittleEndian.AppendUint64(nil, version)
	head = binary.LittleEndian.AppendUint64(head, uint64(max(size, headSize)))
	return &source{head, body(key, head), max(size, headSize)}
}

// body returns the generator of what follows the head.
func body(key string, head []byte) *rand.ChaCha8 {
	return rand.NewChaCha8(sha256.Sum256(append(head[:headSize:headSize], key...)))
}

type source struct {
	head []byte
	body *rand.ChaCha8
	left int64
}

func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), s.left)]
	n := copy(p, s.head)
	s.head = s.head[n:]
	_, _ = s.body.Read(p[n:])
	s.left -= int64(len(p))
	return len(p), nil
}

// newValue returns a whole value.
func newValue(key string, version uint64, size int) []byte {
	p := make([]byte, max(size, headSize))
	_, _ = io.ReadFull(newSource(key, version, int64(len(p))), p)
	return p
}

// checkValue returns the version of a value of key, or an error if nobody wrote it.
func checkValue(key string, value []byte) (version uint64, err error) {
	c := &checker{key: key}
	if _, err := c.Write(value); err != nil {
		return 0, err
	}
	return c.end()
}

// checker takes the bytes of a value.
type checker struct {
	key  string
	head []byte
	body *rand.ChaCha8
	buf  [32 << 10]byte
	got  int64
	// refuted is what proves that nobody wrote this.
	refuted error
}

func (c *checker) Write(p []byte) (int, error) {
	all := len(p)
	if missing := headSize - len(c.head); missing > 0 {
		n := min(missing, len(p))
		c.head, p, c.got = append(c.head, p[:n]...), p[n:], c.got+int64(n)
		if len(c.head) == headSize {
			c.body = body(c.key, c.head)
		}
	}
	for len(p) > 0 {
		want := c.buf[:min(len(c.buf), len(p))]
		_, _ = c.body.Read(want)
		if string(want) != string(p[:len(want)]) {
			c.refuted = fmt.Errorf("bytes %d to %d of version %d are not those that were written",
				c.got, c.got+int64(len(want)), binary.LittleEndian.Uint64(c.head))
			return 0, c.refuted
		}
		p, c.got = p[len(want):], c.got+int64(len(want))
	}
	return all, nil
}

// end returns the version once all bytes were written.
func (c *checker) end() (version uint64, err error) {
	if len(c.head) < headSize {
		return 0, fmt.Errorf("%d bytes, which nobody wrote", c.got)
	}
	version = binary.LittleEndian.Uint64(c.head)
	if size := binary.LittleEndian.Uint64(c.head[8:]); uint64(c.got) != size {
		return 0, fmt.Errorf("%d bytes of version %d, which has %d", c.got, version, size)
	}
	return version, nil
}

// isAny tells whether err matches one of the targets.
func isAny(err error, targets []error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

var notFound = []error{engine.ErrNotFound}
