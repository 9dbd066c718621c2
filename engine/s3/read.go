package s3

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/codec"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Get returns a copy of the whole value of key.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	b, err := s.AppendValue(ctx, nil, key)
	if err == nil && b == nil {
		b = []byte{}
	}
	return b, err
}

// Stat returns the entry of key, in one request.
func (s *Store) Stat(ctx context.Context, key string) (engine.Entry, error) {
	if err := s.ready(ctx); err != nil {
		return engine.Entry{}, err
	}
	x, err := s.found(ctx, key)
	if err != nil {
		return engine.Entry{}, s.explain(ctx, err)
	}
	return x.entry(), nil
}

// AppendValue appends the whole value of key to dst.
func (s *Store) AppendValue(ctx context.Context, dst []byte, key string) ([]byte, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	if err := engine.CheckKey(key); err != nil {
		return nil, err
	}
	x, content, err := s.fetch(ctx, key, dst, -1)
	if err == nil && !x.exists() {
		err = engine.ErrNotFound
	}
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	return content, nil
}

// fetch reads the object of key and, if that is a pointer, what it points to. It appends the value
// to dst, unless that has more than most bytes and most is not negative: then it returns nil.
func (s *Store) fetch(ctx context.Context, key string, dst []byte, most int64) (*state, []byte, error) {
	if codec.CheckName(s.prefix, key) != nil {
		return &state{key: key}, nil, nil
	}
	for tries := 0; ; tries++ {
		x, content, err := s.fetchOnce(ctx, key, dst, most)
		if errors.Is(err, errReplaced) && tries < maxReplaced {
			continue
		}
		return x, content, err
	}
}

// maxReplaced is how often a version may be gone between two requests that read it.
const maxReplaced = 20

func (s *Store) fetchOnce(ctx context.Context, key string, dst []byte, most int64) (*state, []byte, error) {
	at := time.Now()
	i, body, err := s.b.Get(ctx, s.nameOf(key), object.Range{Length: -1})
	if errors.Is(err, object.ErrNotFound) {
		return &state{key: key}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer body.Close()
	x := stateOf(key, i, at)
	if !x.exists() || x.damaged != nil {
		return x, nil, x.damaged
	}
	if x.pointer() {
		if i.Size > maxPointer {
			return nil, nil, fmt.Errorf("pointer of %d bytes: %w", i.Size, engine.ErrCorrupt)
		}
		content, err := readAll(body, nil, i.Size)
		if err != nil {
			return nil, nil, err
		}
		if err := x.holds(content); err != nil {
			return nil, nil, err
		}
		if most >= 0 && x.size > most {
			return x, nil, nil
		}
		content, err = s.assemble(ctx, x, dst)
		return x, content, err
	}
	if most >= 0 && x.size > most {
		return x, nil, nil
	}
	content, err := readAll(body, dst, x.size)
	if err == nil && x.size < i.Size { // a body that is not read to its end takes the connection with it
		_, err = io.CopyN(io.Discard, body, i.Size-x.size)
	}
	if err == nil {
		err = s.verify(x, content[len(dst):])
	}
	return x, content, err
}

// readAll appends size bytes of r to dst.
func readAll(r io.Reader, dst []byte, size int64) ([]byte, error) {
	if size > math.MaxInt-int64(len(dst)) {
		return nil, fmt.Errorf("value of %d bytes: %w", size, engine.ErrTooLarge)
	}
	all := dst
	for size > 0 { // what a server says of a size takes no memory before the bytes are there
		n := min(size, max(trusted, int64(len(all))))
		at := len(all)
		all = slices.Grow(all, int(n))[:at+int(n)]
		if _, err := io.ReadFull(r, all[at:]); err == io.EOF {
			return nil, io.ErrUnexpectedEOF
		} else if err != nil {
			return nil, err
		}
		size -= n
	}
	return all, nil
}

// trusted is the size of a value for which memory is taken before its bytes are there.
const trusted = 64 << 20

// verify compares a value with its checksum.
func (s *Store) verify(x *state, value []byte) error {
	if s.o.DisableVerification || !x.header.Meta.HasSum || sumOf(value) == x.header.Meta.Sum {
		return nil
	}
	return fmt.Errorf("the value does not match its checksum: %w", engine.ErrCorrupt)
}

// assemble appends the value that a pointer leads to.
func (s *Store) assemble(ctx context.Context, x *state, dst []byte) ([]byte, error) {
	all := append(dst, x.target.Inline...)
	for _, d := range x.target.Data {
		_, body, err := s.b.Get(ctx, s.dataName(d.Name), object.Range{Length: d.Size})
		if err != nil {
			return nil, s.lostData(ctx, x, d, err)
		}
		all, err = readAll(body, all, d.Size)
		_ = body.Close()
		if err != nil {
			return nil, err
		}
	}
	return all, s.verify(x, all[len(dst):])
}

// lostData is the error of reading a data object: if that is not there, the version is gone, or the
// vault is damaged.
func (s *Store) lostData(ctx context.Context, x *state, d codec.Data, err error) error {
	if !errors.Is(err, object.ErrNotFound) {
		return err
	}
	now, lookErr := s.look(ctx, x.key)
	if lookErr != nil && !errors.Is(lookErr, errReplaced) {
		return lookErr
	}
	if lookErr == nil && now.etag == x.etag {
		return fmt.Errorf("its data object %s is not there: %w", s.dataName(d.Name), engine.ErrCorrupt)
	}
	return errReplaced
}

// ReadRange reads a part of one version of a value, and holds nothing of it.
func (s *Store) ReadRange(ctx context.Context, key, tag string, p []byte, off int64) (int, error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	x, err := s.found(ctx, key)
	if err == nil {
		err = x.check(engine.Condition{Tag: tag})
	}
	if err != nil {
		return 0, s.explain(ctx, err)
	}
	n, err := s.readAt(ctx, x, p, off)
	if err != nil && err != io.EOF {
		err = s.explain(ctx, err)
	}
	return n, err
}

// readAt fills p with bytes of the value, as io.ReaderAt does.
func (s *Store) readAt(ctx context.Context, x *state, p []byte, off int64) (n int, err error) {
	switch {
	case off < 0:
		return 0, fmt.Errorf("offset %d is negative: %w", off, engine.ErrInvalid)
	case len(p) == 0:
		return 0, nil
	case off >= x.size:
		return 0, io.EOF
	}
	short := off > x.size-int64(len(p))
	if short {
		p = p[:x.size-off]
	}
	if !x.pointer() {
		n, err = s.readObject(ctx, s.nameOf(x.key), p, object.Range{Off: off, Length: int64(len(p)), IfMatch: x.etag})
	} else {
		n, err = s.readData(ctx, x, p, off)
	}
	if isGone(err) {
		err = errGone
	}
	if err == nil && short {
		err = io.EOF
	}
	return n, err
}

// isGone reports whether an error says that what was to be read is of another version by now.
func isGone(err error) bool {
	return errors.Is(err, object.ErrPrecondition) || errors.Is(err, object.ErrNotFound) || errors.Is(err, errReplaced)
}

var errGone = fmt.Errorf("this version is gone: %w", engine.ErrTagMismatch)

func (s *Store) readData(ctx context.Context, x *state, p []byte, off int64) (n int, err error) {
	if err := s.follow(ctx, x); err != nil {
		return 0, err
	}
	start := int64(0)
	if off < int64(len(x.target.Inline)) {
		n = copy(p, x.target.Inline[off:])
	}
	for _, d := range x.target.Data {
		if from := off + int64(n) - start; from < d.Size && n < len(p) {
			part := p[n:min(int64(len(p)), int64(n)+d.Size-from)]
			k, err := s.readObject(ctx, s.dataName(d.Name), part, object.Range{Off: from, Length: int64(len(part))})
			n += k
			if err != nil {
				return n, s.lostData(ctx, x, d, err)
			}
		}
		start += d.Size
	}
	return n, nil
}

func (s *Store) readObject(ctx context.Context, name string, p []byte, r object.Range) (int, error) {
	_, body, err := s.b.Get(ctx, name, r)
	if err != nil {
		return 0, err
	}
	defer body.Close()
	n, err := io.ReadFull(body, p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
