package kvault

import (
	"context"
	"errors"
	"hash/crc32"

	"github.com/kohakuvault/kvault/engine"
)

// NewDetachedReader opens the value of key for reading in parts, as NewReader does. Between two
// calls the Reader holds no connection, no snapshot and no buffer, so a server may have ten
// thousand of them open for clients that are slow or gone. In return the vault does not keep the
// version for it: once the value, or its metadata, was replaced, renamed or removed, each read
// fails with an error that matches ErrTagMismatch. A Reader of NewReader goes on reading the version
// that it opened; take that where the reading is soon done.
//
// Each call looks the key up again, so calls of 64 KiB and more are economical. Read and WriteTo
// compare the value with its checksum as they come to its end, and do not return the last bytes if
// it does not match. ReadAt and WriteTo compare the chunks that they read as a whole.
//
// A value of another program has no version tag that could be compared. Its Reader holds what one
// of NewReader holds.
func (v *Vault) NewDetachedReader(ctx context.Context, key string) (*Reader, error) {
	e, err := statEntry(ctx, v, key)
	if err != nil {
		return nil, fail("open", key, err)
	}
	if e.Meta.Tag == "" {
		return v.NewReader(ctx, key)
	}
	b := &detachedBlob{v: v, entry: e, sums: e.Meta.HasSum && !v.opt.DisableVerification}
	return &Reader{ctx: ctx, s: v, blob: b, entry: e}, nil
}

// detachedBlob is a version of a value, opened anew for each read.
type detachedBlob struct {
	v     *Vault
	entry engine.Entry
	// sums says that ReadOn compares checksums. at is how far it has read from the start, and sum
	// the checksum of what it has read. A Reader calls it from one goroutine at a time.
	sums bool
	at   int64
	sum  uint32
}

var _ engine.Verifier = (*detachedBlob)(nil)

func (b *detachedBlob) Entry() engine.Entry { return b.entry }

// ReadAt reads inside a call of executor.do, as every blob of a Reader does.
func (b *detachedBlob) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if e, ok := b.v.lookup(b.entry.Key); ok {
		if e.Deleted || e.Meta.Tag != b.entry.Meta.Tag {
			return 0, errVersionGone
		}
		return (&pendingBlob{value: e.Value}).ReadAt(ctx, p, off)
	}
	n, err := readRange(ctx, b.v.store, b.entry.Key, b.entry.Meta.Tag, p, off)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrTagMismatch) {
		err = errVersionGone
	}
	return n, err
}

var errVersionGone error = &worded{"the version of the value that was opened is gone", ErrTagMismatch}

// ReadOn is ReadAt for reads in order.
func (b *detachedBlob) ReadOn(ctx context.Context, p []byte, off int64) (int, error) {
	n, err := b.ReadAt(ctx, p, off)
	if err != nil || !b.sums || off != 0 && off != b.at {
		return n, err
	}
	at, sum := int64(n), uint32(0)
	if off != 0 {
		at, sum = off+int64(n), b.sum
	}
	sum = crc32.Update(sum, castagnoli, p[:n])
	if at == b.entry.Size && sum != b.entry.Meta.Sum {
		return 0, &worded{"the value does not match its checksum", ErrCorrupt}
	}
	b.at, b.sum = at, sum
	return n, nil
}

func (b *detachedBlob) Close() error { return nil }

// readRange reads a part of the version tag of a value.
func readRange(ctx context.Context, s engine.Store, key, tag string, p []byte, off int64) (int, error) {
	if r, ok := s.(engine.RangeReader); ok {
		return r.ReadRange(ctx, key, tag, p, off)
	}
	blob, err := s.Open(ctx, key)
	if err != nil {
		return 0, err
	}
	defer blob.Close()
	if blob.Entry().Meta.Tag != tag {
		return 0, ErrTagMismatch
	}
	return blob.ReadAt(ctx, p, off)
}
