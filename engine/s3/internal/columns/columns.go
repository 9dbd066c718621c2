// Package columns keeps arrays of bytes in a bucket: engine.Arrays over object.Bucket.
//
// Blocks of chunks are immutable objects under names that no other object ever has. One head object
// names them all and is changed by compare-and-swap, so each of its states is a snapshot of every
// array. docs/s3-format.md describes the objects.
package columns

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// Options adjust Columns. The zero value is a good choice.
type Options struct {
	// Grace is how long an object stays that nothing names any more, and so how long a transaction may
	// go on reading; 6 hours if 0. A transaction that writes must commit within half of it. All programs
	// that use the same columns give the same.
	Grace time.Duration
	// Patience is how long Commit tries to find out what became of it; 30 seconds if 0.
	Patience time.Duration
	// CacheBytes bounds the memory for what was read; 16 MiB if 0.
	CacheBytes int
	// Alive, if not nil, is asked before each call of a transaction, which fails with its error.
	Alive func() error
	// SpillBytes is how much a transaction writes before it uploads it, ahead of its commit; 16 MiB if 0.
	SpillBytes int
}

// Limits of the format.
const (
	blockBytes    = 1 << 20  // of a chunk in one object
	manifestSize  = 4096     // chunks in a manifest
	maxPatches    = 64 << 10 // bytes of small writes in the head
	keptPatches   = 32 << 10 // of them left after some were folded into blocks
	maxInline     = 64       // chunks of an array that the head describes itself
	leastInline   = 8        // of them if the head is long
	longHead      = 1 << 20  // bytes
	maxHead       = 32 << 20 // bytes
	maxManifest   = 32 << 20 // bytes
	maxChunk      = 1 << 40  // bytes
	smallHead     = 64 << 10 // a head up to this is read anew each time, without asking whether it changed
	uploadsAtOnce = 8
)

// Columns are the arrays below one prefix of a bucket. It is safe for concurrent use.
type Columns struct {
	b      object.Bucket
	prefix string
	o      Options
	pages  pageCache

	mu        sync.Mutex
	head      *head             // the last that was read or written
	manifests map[name]*decoded // that were read or written lately
}

// decoded is a manifest that was read.
type decoded struct{ chunks []*chunk }

// name is that of an immutable object.
type name [16]byte

func (n name) String() string { return hex.EncodeToString(n[:]) }

func newName() (n name) {
	rand.Read(n[:]) // never fails
	return n
}

// New returns the arrays below prefix, which may be none yet. It sends no request.
func New(b object.Bucket, prefix string, o Options) *Columns {
	o.Grace = cmp.Or(o.Grace, 6*time.Hour)
	o.Patience = cmp.Or(o.Patience, 30*time.Second)
	o.CacheBytes = cmp.Or(o.CacheBytes, 16<<20)
	o.SpillBytes = cmp.Or(o.SpillBytes, 16<<20)
	return &Columns{b: b, prefix: prefix + ".c/", o: o, pages: newPageCache(o.CacheBytes),
		manifests: map[name]*decoded{}}
}

func (c *Columns) headKey() string           { return c.prefix + "head" }
func (c *Columns) blockKey(n name) string    { return c.prefix + "d/" + n.String() }
func (c *Columns) manifestKey(n name) string { return c.prefix + "m/" + n.String() }

// Begin starts a transaction: a snapshot of all arrays, at the cost of one request. Transactions do
// not wait for each other; of two that change the same array, the later Commit is ErrConflict. A
// damaged head is ErrCorrupt.
func (c *Columns) Begin(ctx context.Context, writable bool) (engine.ArrayTx, error) {
	h, err := c.load(ctx)
	if err != nil {
		return nil, err
	}
	return newTx(c, h, writable), nil
}

// load returns the newest head. It reads one only if that is not the one that it has.
func (c *Columns) load(ctx context.Context) (*head, error) {
	c.mu.Lock()
	known := c.head
	c.mu.Unlock()
	if known != nil && known.size > smallHead {
		i, err := c.b.Head(ctx, c.headKey())
		if err == nil && i.ETag == known.etag {
			return known.dated(i.Modified), nil
		}
		if err != nil && !errors.Is(err, object.ErrNotFound) {
			return nil, fmt.Errorf("columns: look at %s: %w", c.headKey(), err)
		}
	}
	i, raw, err := c.whole(ctx, c.headKey(), maxHead)
	if errors.Is(err, object.ErrNotFound) {
		return &head{}, nil
	}
	if err != nil {
		return nil, err
	}
	h, err := decodeHead(raw)
	if err != nil {
		return nil, c.corrupt(c.headKey(), err)
	}
	h.etag, h.size = i.ETag, len(raw)
	h = h.dated(i.Modified)
	c.remember(h)
	return h, nil
}

func (c *Columns) remember(h *head) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.head == nil || c.head.generation <= h.generation {
		c.head = h
	}
}

// whole reads an object of at most limit bytes.
func (c *Columns) whole(ctx context.Context, key string, limit int64) (i object.Info, raw []byte, err error) {
	i, body, err := c.b.Get(ctx, key, object.Range{Length: -1})
	if err != nil {
		return i, nil, fmt.Errorf("columns: read %s: %w", key, err)
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	raw, err = io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return i, nil, fmt.Errorf("columns: read %s: %w", key, err)
	}
	if int64(len(raw)) > limit {
		return i, nil, c.corrupt(key, fmt.Errorf("it has more than %d bytes", limit))
	}
	return i, raw, nil
}

// corrupt says which object is damaged, or of a newer format.
func (c *Columns) corrupt(key string, err error) error {
	if errors.Is(err, engine.ErrUnsupported) {
		return fmt.Errorf("columns: object %s: %w", key, err)
	}
	return fmt.Errorf("%w: columns: object %s: %w", engine.ErrCorrupt, key, err)
}

// manifest returns the chunks that a manifest describes. The caller does not change them.
func (c *Columns) manifest(ctx context.Context, n name) ([]*chunk, error) {
	c.mu.Lock()
	d := c.manifests[n]
	c.mu.Unlock()
	if d != nil {
		return d.chunks, nil
	}
	_, raw, err := c.whole(ctx, c.manifestKey(n), maxManifest)
	if err != nil {
		return nil, err
	}
	list, err := decodeManifest(raw)
	if err != nil {
		return nil, c.corrupt(c.manifestKey(n), err)
	}
	c.rememberManifest(n, list)
	return list, nil
}

func (c *Columns) rememberManifest(n name, list []*chunk) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.manifests) >= 32 {
		for old := range c.manifests { // any: to read one again is cheap
			delete(c.manifests, old)
			break
		}
	}
	c.manifests[n] = &decoded{list}
}

// store uploads an immutable object. It may be stored again without harm, so it is, a few times.
func (c *Columns) store(ctx context.Context, key string, body []byte) (err error) {
	for range 4 {
		if _, err = c.b.Put(ctx, key, body, object.PutOptions{}); !errors.Is(err, object.ErrUnknown) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("columns: store %s: %w", key, err)
	}
	return nil
}
