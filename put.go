package kvault

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"iter"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/contenttype"
	"github.com/kohakuvault/kvault/internal/unexported"
	"github.com/kohakuvault/kvault/internal/writeback"
)

// PutOptions describe a value, or restrict when it may be stored. Nil and the zero value do
// neither.
type PutOptions struct {
	// Size is the exact length of the value in bytes. It counts if it is above 0 or SizeKnown is
	// set. A source with more or fewer bytes is an error, and the old value stays.
	Size      int64
	SizeKnown bool
	// ChunkSize overrides Options.ChunkSize for this stream.
	ChunkSize int
	// ContentType is a MIME type: printable text of at most MaxContentType bytes. If it is empty,
	// the key's extension gives the type, then in PutFile the file's extension, then the first
	// bytes of the value. NoContentType stores none.
	ContentType string
	// ModTime is the modification time, in a year from 1678 to 2261 (engine.FitModTime finds the
	// nearest). Zero means now, and in PutFile the file's time.
	ModTime time.Time
	// User is your own metadata: text in UTF-8, at most MaxUserMetadata bytes in all. The vault
	// copies it.
	User map[string]string
	// IfAbsent fails with ErrExists if the key exists.
	IfAbsent bool
	// IfTag, if not empty, replaces only the version with that Tag, and otherwise fails with
	// ErrNotFound or ErrTagMismatch.
	IfTag string

	// tag, if not empty, is the tag of the version stored: see unexported.SetTag.
	tag string
}

// Put stores value under key, and replaces the value that key had. A nil value is an empty value.
// The vault keeps no reference to value.
func (v *Vault) Put(ctx context.Context, key string, value []byte) error {
	_, err := put(ctx, v, key, value, nil)
	return err
}

// PutWith is Put with options, and returns the entry that it stored.
func (v *Vault) PutWith(ctx context.Context, key string, value []byte, o *PutOptions) (Entry, error) {
	return put(ctx, v, key, value, o)
}

// PutAll stores all items in one transaction: all of them, or none. If a key occurs twice, the
// later value counts. PutAll first collects all items in memory. maps.All makes items of a map.
// On an engine that makes one change at a time several keys need the cache: see New.
func (v *Vault) PutAll(ctx context.Context, items iter.Seq2[string, []byte]) error {
	if err := v.writable(ctx); err != nil {
		return fail("put", "", err)
	}
	values := arena{lasts: v.cache.fits(0)}
	defer values.release()
	ops, err := putsOf(ctx, items, &values)
	if err == nil && len(ops) > 0 {
		err = v.change(ctx, func() error { return v.putAll(ctx, ops, values.lasts) })
	}
	return fail("put", "", err)
}

// PutAll is Vault.PutAll in the transaction.
func (t *Tx) PutAll(ctx context.Context, items iter.Seq2[string, []byte]) error {
	if err := t.writable(ctx); err != nil {
		return fail("put", "", err)
	}
	values := arena{}
	defer values.release()
	ops, err := putsOf(ctx, items, &values)
	if err == nil && len(ops) > 0 {
		_, err = t.applyAll(ctx, ops)
	}
	return fail("put", "", err)
}

// putsOf returns the puts of a batch, whose values it copies: an iterator may use one buffer for
// all of them.
func putsOf(
	ctx context.Context, items iter.Seq2[string, []byte], values *arena,
) (ops []engine.Op, err error) {
	for key, value := range items {
		err := ctx.Err()
		if err == nil {
			err = checkNewKey(key)
		}
		if err != nil {
			return nil, fail("put", key, err)
		}
		kept, sum := values.add(value)
		meta := new(PutOptions).meta(key, kept)
		meta.Sum, meta.HasSum = sum, true
		ops = append(ops, engine.Op{Kind: engine.Put, Key: key, Value: kept, Meta: meta})
	}
	return ops, nil
}

// copyOf returns a copy that is never nil.
func copyOf(value []byte) []byte {
	c := make([]byte, len(value)) // copy overwrites all of it, so the compiler does not clear it
	copy(c, value)
	return c
}

// putAll stores a batch, in the cache if the cache may keep the values.
func (v *Vault) putAll(ctx context.Context, ops []engine.Op, lasts bool) error {
	if lasts && v.cache.fits(0) {
		pending := make([]writeback.Item, len(ops))
		for i := range ops {
			pending[i] = writeback.Item{Key: ops[i].Key, Entry: writeback.Entry{Value: ops[i].Value, Meta: ops[i].Meta}}
		}
		if cached, err := v.cache.admit(ctx, batchOf(pending), nil); cached {
			return err
		}
	}
	if _, each := v.store.(engine.EachApplier); each && len(ops) > 1 {
		return errSeveralPuts
	}
	return v.cache.exclusive(ctx, func() error {
		_, err := v.write(ctx, ops)
		return err
	})
}

var errSeveralPuts = fmt.Errorf("%w, which makes one change at a time: put the keys one by one, or call "+
	"EnableCache, with room for all of them", ErrUnsupported)

func put(ctx context.Context, s executor, key string, value []byte, o *PutOptions) (Entry, error) {
	o, err := o.checked(key)
	if err == nil && o.SizeKnown && o.Size != int64(len(value)) {
		err = invalid("value has %d bytes, size says %d", len(value), o.Size)
	}
	if err != nil {
		return Entry{}, fail("put", key, err)
	}
	op := engine.Op{Kind: engine.Put, Key: key, Value: value, Meta: o.metaOf(key, value), If: o.condition()}
	return publish(ctx, s, op)
}

// publish makes a value visible. If only the flush that followed failed, it returns an entry and
// the error.
func publish(ctx context.Context, s executor, op engine.Op) (Entry, error) {
	res, err := s.apply(ctx, op)
	return entryOf(res.Entry), fail("put", op.Key, err)
}

// checked returns a deep copy of o, never nil, with SizeKnown set if Size is. It fails if o or key
// is invalid.
func (o *PutOptions) checked(key string) (*PutOptions, error) {
	var c PutOptions
	if o != nil {
		c = *o
	}
	c.SizeKnown = c.SizeKnown || c.Size > 0
	c.User = maps.Clone(c.User) // the caller may reuse its own
	switch {
	case c.Size < 0:
		return nil, invalid("Size %d is negative", c.Size)
	case c.ChunkSize < 0 || c.ChunkSize > maxChunkSize:
		return nil, invalid("ChunkSize %d: want 1 to %d bytes", c.ChunkSize, maxChunkSize)
	case c.IfAbsent && c.IfTag != "":
		return nil, invalid("IfAbsent and IfTag exclude each other")
	}
	if err := c.checkMetadata(); err != nil {
		return nil, err
	}
	return &c, checkNewKey(key)
}

func (o *PutOptions) condition() engine.Condition {
	return engine.Condition{Absent: o.IfAbsent, Tag: o.IfTag}
}

func init() {
	unexported.SetTag = func(o any, tag string) { o.(*PutOptions).tag = tag }
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// metaOf returns the metadata of a value in memory, checksum included.
func (o *PutOptions) metaOf(key string, value []byte) engine.Meta {
	m := o.meta(key, value)
	m.Sum, m.HasSum = crc32.Checksum(value, castagnoli), true
	return m
}

// newTag returns a version tag: 64 random bits as 16 hexadecimal digits.
func newTag() string {
	var bits [8]byte
	var digits [16]byte
	binary.LittleEndian.PutUint64(bits[:], rand.Uint64())
	hex.Encode(digits[:], bits[:])
	return string(digits[:])
}

// meta returns the metadata of a value that begins with head, without its checksum. It shares User
// with o, which checked has copied.
func (o *PutOptions) meta(key string, head []byte) engine.Meta {
	m := engine.Meta{
		Tag:         o.tag,
		ModTime:     o.ModTime,
		ContentType: o.ContentType,
		User:        o.User,
	}
	if m.Tag == "" {
		m.Tag = newTag()
	}
	if m.ModTime.IsZero() {
		m.ModTime = time.Now()
	}
	m.ModTime = m.ModTime.Round(0).UTC()
	if m.ContentType == "" {
		m.ContentType = contenttype.ByName(key)
	}
	if m.ContentType == "" { // which takes longer
		m.ContentType = contenttype.ByContent(head)
	}
	if m.ContentType == NoContentType {
		m.ContentType = ""
	}
	return m
}
