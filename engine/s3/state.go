package s3

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/codec"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// tombstone is the content of the object of a key that has no value. A listing knows the common
// one, of number 0, by its length and its ETag; those of other numbers, which writers put in its
// place for a moment, by their length and a request.
const tombstone = "kvault: this key was deleted; the next sweep removes this object. "

func tombstoneOf(number uint64) []byte { return fmt.Appendf(nil, "%s%016x\n", tombstone, number) }

var (
	tombstoneLen = int64(len(tombstoneOf(0)))
	tombstoneTag = func() string { sum := md5.Sum(tombstoneOf(0)); return hex.EncodeToString(sum[:]) }()
)

// state is what a key has at one moment.
type state struct {
	key    string
	there  bool // is there an object
	etag   string
	header codec.Header
	own    bool // the object has a header of ours
	size   int64
	at     time.Time // when it was surely there
	// damaged says why nobody can tell what the value is, although there is one. It can be replaced
	// and deleted.
	damaged error
	// target is what a pointer holds, once it was read.
	target *codec.Target
}

// exists reports whether there is a value.
func (x *state) exists() bool { return x.there && (!x.own || x.header.Kind != codec.Tombstone) }

func (x *state) pointer() bool { return x.own && x.header.Kind == codec.Pointer }

// large reports whether the value is in data objects. The pointer was read.
func (x *state) large() bool { return x.target != nil && len(x.target.Data) > 0 }

// common reports whether it is the tombstone that has the ETag of all others.
func (x *state) common() bool {
	return x.there && !x.exists() && x.etag == tombstoneTag
}

// same reports whether y is the same version.
func (x *state) same(y *state) bool {
	return x.there == y.there && x.etag == y.etag && x.own == y.own && x.header.Write == y.header.Write
}

func (x *state) entry() engine.Entry {
	return engine.Entry{Key: x.key, Size: x.size, Meta: x.header.Meta}
}

// stateOf reads what is said of an object that was asked for at some time. One of another program
// is a value without metadata.
func stateOf(key string, i object.Info, at time.Time) *state {
	x := &state{key: key, there: true, etag: i.ETag, size: i.Size, at: at}
	h, err := codec.ParseHeader(i.Header)
	switch {
	case (err != nil || i.Header == "") && i.ETag == tombstoneTag && i.Size == tombstoneLen:
		x.own, x.header.Kind = true, codec.Tombstone // which a tool has copied without its header
	case i.Header == "":
	case errors.Is(err, engine.ErrUnsupported):
		x.damaged = fmt.Errorf("object %q: its header is of %w", i.Key, err)
	case err != nil:
		x.damage(i.Key, fmt.Errorf("its header: %w", err))
	default:
		x.header, x.own = h, true
	}
	switch {
	case h.Kind == codec.Stamped && i.Size != codec.StampedSize(h.Size):
		x.damage(i.Key, fmt.Errorf("it has %d bytes, not %d and a stamp: %w", i.Size, h.Size, engine.ErrCorrupt))
	case h.Kind == codec.Stamped, h.Kind == codec.Pointer:
		x.size = h.Size
	}
	return x
}

// damage says what is wrong with the object.
func (x *state) damage(name string, err error) {
	x.damaged = fmt.Errorf("object %q is damaged, or of another program; put a value under its key, or delete that: %w", name, err)
}

// look finds out what key has.
func (s *Store) look(ctx context.Context, key string) (x *state, err error) {
	for tries := 0; tries < maxReplaced; tries++ {
		if x, err = s.lookOnce(ctx, key); !errors.Is(err, errReplaced) {
			break
		}
	}
	return x, err
}

func (s *Store) lookOnce(ctx context.Context, key string) (*state, error) {
	at := time.Now()
	i, err := s.b.Head(ctx, s.nameOf(key))
	if errors.Is(err, object.ErrNotFound) {
		return &state{key: key}, nil
	}
	if err != nil {
		return nil, err
	}
	x := stateOf(key, i, at)
	if x.header.Beside {
		if err = s.follow(ctx, x); errors.Is(err, engine.ErrCorrupt) {
			x.damage(i.Key, err)
			err = nil
		}
	}
	return x, err
}

// found is look for a value, or engine.ErrNotFound.
func (s *Store) found(ctx context.Context, key string) (*state, error) {
	if err := engine.CheckKey(key); err != nil {
		return nil, err
	}
	if codec.CheckName(s.prefix, key) != nil {
		return nil, engine.ErrNotFound // no object has such a name
	}
	x, err := s.look(ctx, key)
	switch {
	case err != nil:
	case !x.exists():
		err = engine.ErrNotFound
	default:
		err = x.damaged
	}
	return x, err
}

// errReplaced: an object is of another version by now.
var errReplaced = errors.New("another version by now")

// follow reads what a pointer holds.
func (s *Store) follow(ctx context.Context, x *state) error {
	if !x.pointer() || x.target != nil {
		return nil
	}
	_, body, err := s.b.Get(ctx, s.nameOf(x.key), object.Range{Length: -1, IfMatch: x.etag})
	switch {
	case errors.Is(err, object.ErrPrecondition), errors.Is(err, object.ErrNotFound):
		return errReplaced
	case err != nil:
		return err
	}
	defer body.Close()
	content, err := io.ReadAll(io.LimitReader(body, maxPointer))
	if err != nil {
		return err
	}
	return x.holds(content)
}

// maxPointer bounds a pointer: 64 MiB name 2 million data objects.
const maxPointer = 64 << 20

// holds reads the content of a pointer.
func (x *state) holds(content []byte) error {
	t, err := codec.ParseTarget(content, x.header.Size)
	if err == nil && t.Write != x.header.Write {
		err = fmt.Errorf("the pointer belongs to another header: %w", engine.ErrCorrupt)
	}
	if err != nil {
		return fmt.Errorf("where the value is cannot be told; put another under the key, or delete that: %w", err)
	}
	x.target = &t
	if x.header.Beside {
		x.header.Meta.ContentType, x.header.Meta.User = t.ContentType, t.User
	}
	return nil
}

// tag returns the version tag: the stored one, or one made of the ETag of another program's object.
func (x *state) tag() string {
	if x.own {
		return x.header.Meta.Tag
	}
	sum := sha256.Sum256([]byte(x.etag))
	return hex.EncodeToString(sum[:8])
}

// check fails unless the condition holds. What a later kvault has written it lets nobody replace.
func (x *state) check(c engine.Condition) error {
	switch {
	case c.Absent && x.exists():
		return engine.ErrExists
	case errors.Is(x.damaged, engine.ErrUnsupported), c.Tag != "" && x.damaged != nil:
		return x.damaged
	case c.Tag == "":
		return nil
	case !x.exists():
		return engine.ErrNotFound
	case x.tag() != c.Tag:
		return fmt.Errorf("%w: it is %s, not %s", engine.ErrTagMismatch, x.tag(), c.Tag)
	}
	return nil
}

// Tag returns the version tag of key.
func (s *Store) Tag(ctx context.Context, key string) (string, error) {
	if err := s.ready(ctx); err != nil {
		return "", err
	}
	x, err := s.found(ctx, key)
	if err != nil {
		return "", s.explain(ctx, err)
	}
	return x.tag(), nil
}

// image is an object to be written at a key.
type image struct {
	header codec.Header
	body   []byte
	// named is when the references to the data objects of a pointer were stored; zero if it has
	// none. A sweep may remove the data Options.Grace after that, if the pointer is not there.
	named time.Time
}

// newWrite makes the number of a write.
func newWrite() uint64 { return rand.Uint64() | 1 } // not 0

// tombstoneImage is a tombstone: the common one, or one with an ETag of its own.
func tombstoneImage(common bool) image {
	i := image{header: codec.Header{Kind: codec.Tombstone, Write: newWrite()}}
	if common {
		i.body = tombstoneOf(0)
	} else {
		i.body = tombstoneOf(i.header.Write)
	}
	return i
}

// shortValue is the size in bytes up to which values always have a stamp. The same short values
// come again and again, such as flags and locks, also under a key that a sweep has freed.
const shortValue = 128

// valueImage is the object of a value that is not in data objects: the value as it is, for a key
// that has no object.
func valueImage(m engine.Meta, value []byte) image {
	i := image{header: codec.Header{Kind: codec.Value, Write: newWrite(), Meta: m}, body: value}
	switch {
	case !fits(i.header):
		return pointerImage(m, int64(len(value)), &codec.Target{Inline: value})
	case len(value) <= shortValue:
		return i.stamped()
	}
	return i
}

// stamped is the image as it may take the place of another object: with an ETag that there never
// was.
func (i image) stamped() image {
	if i.header.Kind == codec.Value {
		i.header.Kind, i.header.Size = codec.Stamped, int64(len(i.body))
		i.body = codec.Stamp(i.body, i.header.Write)
	}
	return i
}

// pointerImage is a pointer to what target has.
func pointerImage(m engine.Meta, size int64, target *codec.Target) image {
	h := codec.Header{Kind: codec.Pointer, Write: newWrite(), Meta: m, Size: size}
	t := *target
	t.Write, t.ContentType, t.User = h.Write, m.ContentType, m.User
	h.Beside = !fits(h)
	return image{header: h, body: t.Bytes()}
}

// fits reports whether a header is short enough, whatever versions it follows and the value's
// length.
func fits(h codec.Header) bool {
	h.Parents, h.Size = make([]uint64, codec.MaxParents), math.MaxInt64
	_, ok := h.Text()
	return ok
}
