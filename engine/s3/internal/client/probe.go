package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// other is an ETag that no object of the probe has.
const other = "00000000000000000000000000000000"

// prober asks a bucket what it honours, with objects that it removes.
type prober struct {
	*Bucket
	key  string
	etag string // of the object at key
}

// probe fails unless the bucket honours what Put needs, and finds its abilities.
func (b *Bucket) probe(ctx context.Context) (err error) {
	p := prober{Bucket: b, key: b.c.Prefix + ".p/" + name()}
	p.etag, err = b.Put(ctx, p.key, []byte("probe"), object.PutOptions{})
	if err != nil && !errors.Is(err, object.ErrUnknown) {
		return p.failed(err) // and there is nothing to remove
	}
	defer func() {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.c.AnswerTimeout)
		defer cancel()
		_ = b.Delete(within, p.key, object.DeleteOptions{})
		_ = b.Delete(within, p.key+".missing", object.DeleteOptions{})
	}()
	if err != nil {
		return p.failed(err)
	}
	if err := p.refuses(ctx, p.key, "If-None-Match", object.PutOptions{IfAbsent: true}); err != nil {
		return err
	}
	if err := p.refuses(ctx, p.key, "If-Match", object.PutOptions{IfMatch: other}); err != nil {
		return err
	}
	if err := p.refuses(ctx, p.key+".missing", "If-Match", object.PutOptions{IfMatch: p.etag}); err != nil {
		return err
	}
	if err := p.allows(ctx); err != nil {
		return err
	}
	if b.can.DeleteIfMatch, err = p.deletes(ctx, &b.can.DeleteIfMatch,
		func() object.DeleteOptions { return object.DeleteOptions{IfMatch: other} },
		func() object.DeleteOptions { return object.DeleteOptions{IfMatch: p.etag} }); err != nil {
		return err
	}
	day := 24 * time.Hour // more than clocks differ by
	b.can.DeleteIfUnmodified, err = p.deletes(ctx, &b.can.DeleteIfUnmodified,
		func() object.DeleteOptions { return object.DeleteOptions{UnmodifiedSince: time.Now().Add(-day)} },
		func() object.DeleteOptions { return object.DeleteOptions{UnmodifiedSince: time.Now().Add(day)} })
	return err
}

func (p *prober) failed(err error) error { return fmt.Errorf("probing %s: %w", p.location, err) }

// probes is how often the probe asks again where an answer says nothing: under load Ceph answers a
// condition that does not hold with 500.
const probes = 3

// refuses fails unless the server refuses to store an object under a condition that does not hold.
func (p *prober) refuses(ctx context.Context, key, header string, o object.PutOptions) error {
	var err error
	for range probes {
		_, err = p.Put(ctx, key, []byte("refused"), o)
		if !errors.Is(err, object.ErrUnknown) {
			break
		}
	}
	switch {
	case errors.Is(err, object.ErrPrecondition):
		return nil
	case err != nil:
		return p.failed(err)
	}
	return fmt.Errorf("%s ignores %s of PutObject, without which writers would overwrite each other; "+
		"use a server that honours it, such as Ceph, or AWS: %w", p.location, header, engine.ErrUnsupported)
}

// allows fails unless the server stores objects under conditions that hold. It finds out whether
// ETags have to be in quotes.
func (p *prober) allows(ctx context.Context) error {
	for _, p.quoted = range []bool{false, true} {
		etag, err := p.Put(ctx, p.key, []byte("probed"), object.PutOptions{IfMatch: p.etag})
		if err == nil {
			p.etag = etag
			return nil
		}
		if errors.Is(err, object.ErrUnknown) { // it may be there, or the answer to a second attempt be no
			i, headErr := p.Head(ctx, p.key)
			if headErr == nil && i.ETag != p.etag {
				p.etag = i.ETag
				return nil
			}
		}
		if !errors.Is(err, object.ErrPrecondition) {
			return p.failed(err)
		}
	}
	return fmt.Errorf("%s finds no ETag matching in If-Match of PutObject, as Ceph does in a bucket that keeps versions; "+
		"use a bucket that keeps none: %w", p.location, engine.ErrUnsupported)
}

// deletes reports whether the server keeps the object under a condition that does not hold, and
// deletes it under one that does. can is the ability, without which the condition would not be
// sent. The object is there again after it.
func (p *prober) deletes(ctx context.Context, can *bool, not, yes func() object.DeleteOptions) (bool, error) {
	*can = true
	kept, err := p.keeps(ctx, not())
	if err != nil || !kept {
		return false, err
	}
	kept, err = p.keeps(ctx, yes())
	return !kept, err
}

// keeps reports whether the object is still there after a deletion under a condition, whatever the
// server says, and puts it there again if it is not.
func (p *prober) keeps(ctx context.Context, o object.DeleteOptions) (bool, error) {
	deleted := p.Delete(ctx, p.key, o)
	if ctx.Err() != nil {
		return false, p.failed(deleted)
	}
	_, err := p.Head(ctx, p.key)
	if err == nil {
		return true, nil
	}
	if !errors.Is(err, object.ErrNotFound) {
		return false, p.failed(err)
	}
	if p.etag, err = p.Put(ctx, p.key, []byte("probe"), object.PutOptions{}); err != nil {
		return false, p.failed(err)
	}
	return false, nil
}
