// Package memory is a bucket in memory, for tests. Faults decides what goes wrong.
package memory

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// Bucket keeps objects in memory.
type Bucket struct {
	// Fault, if not nil, is called with each call that changes or reads. If it returns Before, the call
	// fails and does nothing; if After, it takes effect, and fails with ErrUnknown.
	Fault func(call, key string) Fault
	// Now, if not nil, is the clock.
	Now func() time.Time
	// Can is what Abilities returns.
	Can object.Abilities

	mu         sync.Mutex
	objects    map[string]entry
	unfinished map[string]*multipart
	begun      int
}

// Fault is what goes wrong with a call.
type Fault int

// The faults.
const (
	None Fault = iota
	Before
	After
)

type entry struct {
	object.Info
	body []byte
}

// New returns an empty bucket that honours both conditions of Delete.
func New() *Bucket {
	return &Bucket{
		Can:     object.Abilities{DeleteIfMatch: true, DeleteIfUnmodified: true},
		objects: map[string]entry{}, unfinished: map[string]*multipart{},
	}
}

var _ object.Bucket = (*Bucket)(nil)

var errFault = fmt.Errorf("a fault of the test")

// do runs fn under the lock, with the faults of the test.
func (b *Bucket) do(ctx context.Context, call, key string, fn func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	fault := None
	if b.Fault != nil {
		fault = b.Fault(call, key)
	}
	if fault == Before {
		return errFault
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := fn(); err != nil {
		return err
	}
	if fault == After {
		return fmt.Errorf("%w: %w", object.ErrUnknown, errFault)
	}
	return nil
}

func (b *Bucket) now() time.Time {
	if b.Now != nil {
		return b.Now()
	}
	return time.Now()
}

// Put is that of object.Bucket.
func (b *Bucket) Put(ctx context.Context, key string, body []byte, o object.PutOptions) (etag string, err error) {
	err = b.do(ctx, "put", key, func() error {
		old, there := b.objects[key]
		if o.IfAbsent && there || o.IfMatch != "" && (!there || old.ETag != o.IfMatch) {
			return object.ErrPrecondition
		}
		sum := md5.Sum(body)
		etag = hex.EncodeToString(sum[:])
		b.objects[key] = entry{object.Info{
			Key: key, Size: int64(len(body)), ETag: etag, Modified: b.now().Truncate(time.Second),
			Header: o.Header, ContentType: o.ContentType,
		}, bytes.Clone(body)}
		return nil
	})
	return etag, err
}

// Head is that of object.Bucket.
func (b *Bucket) Head(ctx context.Context, key string) (i object.Info, err error) {
	err = b.do(ctx, "head", key, func() error {
		e, ok := b.objects[key]
		if !ok {
			return object.ErrNotFound
		}
		i = e.Info
		return nil
	})
	return i, err
}

// Get is that of object.Bucket.
func (b *Bucket) Get(ctx context.Context, key string, r object.Range) (i object.Info, body io.ReadCloser, err error) {
	err = b.do(ctx, "get", key, func() error {
		e, ok := b.objects[key]
		switch {
		case !ok:
			return object.ErrNotFound
		case r.IfMatch != "" && r.IfMatch != e.ETag:
			return object.ErrPrecondition
		}
		i = e.Info
		end := i.Size
		if r.Length >= 0 {
			end = r.Off + r.Length
		}
		if r.Off > i.Size || end > i.Size {
			return io.ErrUnexpectedEOF
		}
		body = io.NopCloser(bytes.NewReader(e.body[r.Off:end]))
		return nil
	})
	if err != nil {
		return object.Info{}, nil, err
	}
	return i, body, nil
}

// List is that of object.Bucket.
func (b *Bucket) List(ctx context.Context, q object.Query) (p object.Page, err error) {
	err = b.do(ctx, "list", q.Prefix, func() error {
		var keys []string
		for key := range b.objects {
			if strings.HasPrefix(key, q.Prefix) && key > q.After {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		if len(keys) > q.Limit {
			keys, p.More = keys[:q.Limit], true
		}
		for _, key := range keys {
			i := b.objects[key].Info
			i.Header, i.ContentType = "", ""
			p.Objects = append(p.Objects, i)
		}
		return nil
	})
	return p, err
}

// Delete is that of object.Bucket.
func (b *Bucket) Delete(ctx context.Context, key string, o object.DeleteOptions) error {
	return b.do(ctx, "delete", key, func() error {
		e, ok := b.objects[key]
		if !ok {
			return nil
		}
		if b.Can.DeleteIfMatch && o.IfMatch != "" && e.ETag != o.IfMatch ||
			b.Can.DeleteIfUnmodified && !o.UnmodifiedSince.IsZero() && e.Modified.After(o.UnmodifiedSince) {
			return object.ErrPrecondition
		}
		delete(b.objects, key)
		return nil
	})
}

// DeleteAll is that of object.Bucket.
func (b *Bucket) DeleteAll(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if err := b.Delete(ctx, key, object.DeleteOptions{}); err != nil {
			return err
		}
	}
	return nil
}

type multipart struct {
	b       *Bucket
	key, id string
	begun   time.Time
	parts   map[int][]byte
}

// Begin is that of object.Bucket.
func (b *Bucket) Begin(ctx context.Context, key string) (m object.Multipart, err error) {
	err = b.do(ctx, "begin", key, func() error {
		b.begun++
		u := &multipart{b, key, fmt.Sprint(b.begun), b.now(), map[int][]byte{}}
		b.unfinished[u.id], m = u, u
		return nil
	})
	return m, err
}

func (m *multipart) ID() string { return m.id }

func (m *multipart) Part(ctx context.Context, n int, p []byte) error {
	return m.b.do(ctx, "part", m.key, func() error {
		if m.b.unfinished[m.id] == nil {
			return object.ErrNotFound
		}
		m.parts[n] = bytes.Clone(p)
		return nil
	})
}

func (m *multipart) Complete(ctx context.Context) (etag string, err error) {
	err = m.b.do(ctx, "complete", m.key, func() error {
		if m.b.unfinished[m.id] == nil {
			return object.ErrNotFound
		}
		var body []byte
		for n := range len(m.parts) {
			body = append(body, m.parts[n+1]...)
		}
		sum := md5.Sum(body)
		etag = fmt.Sprintf("%x-%d", sum, len(m.parts))
		m.b.objects[m.key] = entry{object.Info{
			Key: m.key, Size: int64(len(body)), ETag: etag, Modified: m.b.now().Truncate(time.Second),
		}, body}
		delete(m.b.unfinished, m.id)
		return nil
	})
	return etag, err
}

func (m *multipart) Abort(ctx context.Context) error { return m.b.Abort(ctx, m.key, m.id) }

// Abort is that of object.Bucket.
func (b *Bucket) Abort(ctx context.Context, key, id string) error {
	return b.do(ctx, "abort", key, func() error { delete(b.unfinished, id); return nil })
}

// Unfinished is that of object.Bucket.
func (b *Bucket) Unfinished(ctx context.Context, prefix string) (list []object.Unfinished, err error) {
	err = b.do(ctx, "unfinished", prefix, func() error {
		for _, m := range b.unfinished {
			if strings.HasPrefix(m.key, prefix) {
				list = append(list, object.Unfinished{Key: m.key, ID: m.id, Begun: m.begun})
			}
		}
		return nil
	})
	return list, err
}

// Abilities is that of object.Bucket.
func (b *Bucket) Abilities() object.Abilities { return b.Can }

// Location is that of object.Bucket.
func (b *Bucket) Location() string { return "memory" }

// Close does nothing.
func (b *Bucket) Close() error { return nil }
