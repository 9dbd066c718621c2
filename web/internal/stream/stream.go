// Package stream reads values for clients that may be slow: while a client lets the server wait,
// nothing of the vault is held, and the memory of all such clients together is bounded. It does not
// know HTTP.
package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kohakuvault/kvault"
)

// ErrOccupied: as many large values of other programs as may be are being read already.
var ErrOccupied = errors.New("too many values of other programs are being read at once")

const (
	// inMemory is the size up to which a value of another program is read into memory.
	inMemory = 256 << 10
	// untagged is how many larger ones may be read at once. Each holds a connection to the vault, as
	// nothing tells its versions apart.
	untagged = 8
)

// Source opens values of a vault. It is safe for concurrent use.
type Source struct {
	v     *kvault.Vault
	slots chan struct{}
}

// NewSource returns a Source of the values of v.
func NewSource(v *kvault.Vault) *Source { return &Source{v, make(chan struct{}, untagged)} }

// Open opens the value of key. ctx bounds all reads. ErrOccupied if another program wrote the
// value, it is large, and several such values are being read.
func (s *Source) Open(ctx context.Context, key string) (*Value, error) {
	r, err := s.v.NewDetachedReader(ctx, key)
	if err != nil {
		return nil, err
	}
	v := &Value{Entry: r.Entry(), ctx: ctx, v: s.v, base: r, release: func() { r.Close() }}
	switch {
	case v.Entry.Tag != "":
		return v, nil
	case v.Entry.Size <= inMemory:
		defer r.Close()
		value := make([]byte, v.Entry.Size)
		if _, err := io.ReadFull(r, value); err != nil {
			return nil, whole(err)
		}
		v.base, v.release = bytes.NewReader(value), func() {}
		return v, nil
	}
	select {
	case s.slots <- struct{}{}:
		v.release = func() { r.Close(); <-s.slots }
		return v, nil
	default:
		r.Close()
		return nil, ErrOccupied
	}
}

// Value is one version of a value, opened for reading from a position on. Its reads fail with an
// error that matches [kvault.ErrTagMismatch] once the version is gone. The read that comes to the
// end fails with [kvault.ErrCorrupt], and without the last bytes, if what was read from the start
// on is not what was stored, even where the vault was opened with DisableVerification.
//
// Read and Seek are for one goroutine. Close it when done.
type Value struct {
	Entry kvault.Entry

	ctx     context.Context
	v       *kvault.Vault
	release func()
	pos     int64
	// sum is the checksum of the bytes up to summed.
	sum    uint32
	summed int64

	mu   sync.Mutex
	base io.ReaderAt
	// held reads several times faster than base, as it need not look the key up again. since is when
	// it was opened.
	held  *kvault.Reader
	since time.Time
}

// Close releases what the Value holds.
func (v *Value) Close() {
	v.letGo()
	v.release()
}

// Seek sets the position of the next Read.
func (v *Value) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += v.pos
	case io.SeekEnd:
		offset += v.Entry.Size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to %d: %w", offset, kvault.ErrInvalid)
	}
	v.pos = offset
	return offset, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Read fills p with the next bytes, as far as there are any.
func (v *Value) Read(p []byte) (int, error) {
	p = p[:min(int64(len(p)), max(v.Entry.Size-v.pos, 0))]
	if len(p) == 0 {
		return 0, io.EOF
	}
	n, err := v.readAt(p)
	if n < len(p) {
		return 0, whole(err)
	}
	if v.pos == 0 {
		v.sum, v.summed = 0, 0
	}
	if v.pos == v.summed {
		v.sum = crc32.Update(v.sum, castagnoli, p)
		v.summed += int64(n)
	}
	if v.summed == v.Entry.Size && v.Entry.HasChecksum && v.sum != v.Entry.Checksum {
		return 0, fmt.Errorf("the value does not match its checksum: %w", kvault.ErrCorrupt)
	}
	v.pos += int64(n)
	return n, nil
}

// heldFor is how long a reader is held at once. The log of the vault grows meanwhile with all that
// is written.
const heldFor = time.Second

func (v *Value) readAt(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.held != nil && time.Since(v.since) > heldFor {
		v.drop()
		v.take()
	}
	if v.held != nil {
		return v.held.ReadAt(p, v.pos)
	}
	return v.base.ReadAt(p, v.pos)
}

var holding atomic.Int64

// Holding returns how many values of this process hold a connection to their vault at the moment,
// those of other programs aside.
func Holding() int64 { return holding.Load() }

// hold makes reads faster until letGo, for a client who takes them at once.
func (v *Value) hold() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.Entry.Tag != "" {
		v.take()
	}
}

// letGo gives up what hold took. It may be called while another goroutine reads.
func (v *Value) letGo() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.drop()
}

// take opens the version, if it is still there; otherwise the next read says what happened.
func (v *Value) take() {
	r, err := v.v.NewReader(v.ctx, v.Entry.Key)
	if err != nil {
		return
	}
	holding.Add(1)
	if v.held, v.since = r, time.Now(); r.Entry().Tag != v.Entry.Tag {
		v.drop()
	}
}

func (v *Value) drop() {
	if v.held != nil {
		v.held.Close()
		v.held = nil
		holding.Add(-1)
	}
}
