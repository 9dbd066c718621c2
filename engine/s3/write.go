package s3

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/codec"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// lost says that another writer was faster: look again.
var errLost = errors.New("another writer was faster")

// write stores an object in the place of what was seen there. Every write is conditional: the
// request of an attempt that got no answer may be carried out much later, and must not undo what
// came then. So what a late request asks for never comes back: the common tombstone gives way to
// one with an ETag of its own before a value takes its place, and a value takes the place of
// anything with a stamp only. As the bytes alone it is stored where there is no object. If such a
// value was deleted, an equal one can be there once a sweep has removed the tombstone, so what was
// seen before that is looked at again.
//
// errLost if another writer was faster, and nothing took effect: then the state is what is there in
// the place of seen, or nil. engine.ErrUnknown if it may have. engine.ErrSwept if the references of
// a pointer are so old that its data may be gone: the process was stopped meanwhile, or others were
// faster again and again.
func (s *Store) write(ctx context.Context, seen *state, i image) (*state, error) {
	if seen.there && seen.etag == "" {
		return nil, errLost // one of ours that was replaced before its ETag was known; see place
	}
	if seen.there && since(seen.at) > tombstoneAge/2 {
		now, err := s.look(ctx, seen.key)
		switch {
		case errors.Is(err, errReplaced), err == nil && !now.same(seen):
			return nil, errLost
		case err != nil:
			return nil, err
		}
		seen = now
	}
	if seen.common() && i.header.Kind != codec.Tombstone {
		var err error
		if seen, err = s.vacate(ctx, seen); err != nil {
			return nil, err
		}
	}
	if seen.there {
		i = i.stamped()
	}
	if limit := s.o.Grace / 2; !i.named.IsZero() && since(i.named) > limit {
		return nil, fmt.Errorf("the change took longer than %v, and its data may have been removed; make it anew: %w",
			limit, engine.ErrSwept)
	}
	return s.place(ctx, seen, i)
}

// vacate stores a tombstone with an ETag of its own in the place of the common one. It does so
// once: if it were stored again, that ETag could come back, too. errLost if it cannot tell: look
// again.
func (s *Store) vacate(ctx context.Context, seen *state) (*state, error) {
	i := tombstoneImage(false)
	i.header.Follow(&seen.header)
	o := object.PutOptions{IfMatch: seen.etag}
	o.Header, _ = i.header.Text()
	at := time.Now()
	etag, err := s.b.Put(ctx, s.nameOf(seen.key), i.body, o)
	switch {
	case err == nil:
		return &state{key: seen.key, there: true, etag: etag, own: true, header: i.header, size: tombstoneLen, at: at}, nil
	case errors.Is(err, object.ErrPrecondition), errors.Is(err, object.ErrUnknown):
		return nil, errLost // no value of ours is there, whatever became of it
	}
	return nil, err
}

// place is write in the place of what has an ETag of its own.
func (s *Store) place(ctx context.Context, seen *state, i image) (*state, error) {
	i.header.Parents = nil
	if seen.own {
		i.header.Follow(&seen.header)
	}
	o := object.PutOptions{IfAbsent: !seen.there, IfMatch: seen.etag}
	o.Header, _ = i.header.Text()
	if ct := i.header.Meta.ContentType; (i.header.Kind == codec.Value || i.header.Kind == codec.Stamped) && plainText(ct) {
		o.ContentType = ct
	}
	start, unknown := time.Now(), false
	done := &state{key: seen.key, there: true, own: true, header: i.header, size: int64(len(i.body)), at: start}
	if i.header.Kind == codec.Pointer || i.header.Kind == codec.Stamped {
		done.size = i.header.Size
	}
	for pause := 10 * time.Millisecond; ; pause *= 2 {
		etag, err := s.b.Put(ctx, s.nameOf(seen.key), i.body, o)
		switch {
		case err == nil:
			done.etag = etag
			return done, nil
		case unknown: // whatever this error is, the attempt before may have taken effect
		case errors.Is(err, object.ErrPrecondition):
			return s.refused(ctx, done)
		case !errors.Is(err, object.ErrUnknown):
			return nil, err
		}
		unknown = true
		now, lookErr := s.look(ctx, seen.key)
		switch {
		case errors.Is(lookErr, errReplaced):
		case lookErr != nil:
			return nil, fmt.Errorf("%w: %w", engine.ErrUnknown, errors.Join(err, lookErr))
		case now.own && now.header.Write == i.header.Write:
			done.etag = now.etag
			return done, nil
		case slices.Contains(now.header.Parents, i.header.Write):
			return done, nil // and replaced since; its ETag matches nothing
		case now.same(seen):
			// Nothing has changed. The same write again is harmless: only one of the two can find
			// what it asks for.
		case seen.own && slices.Contains(now.header.Parents, seen.header.Write),
			now.own && !seen.there && len(now.header.Parents) < codec.MaxParents && since(start) < tombstoneAge/2:
			return nil, errLost // all versions since are known, and ours is none of them
		default:
			return nil, fmt.Errorf("%w: others have changed the key meanwhile: %w", engine.ErrUnknown, err)
		}
		if pause > patience || sleep(ctx, pause) != nil {
			return nil, fmt.Errorf("%w: %w", engine.ErrUnknown, err)
		}
	}
}

// refused is what became of a write whose condition did not hold: nothing, or the condition failed
// because something on the way carried the request out twice.
func (s *Store) refused(ctx context.Context, done *state) (*state, error) {
	now, err := s.look(ctx, done.key)
	switch {
	case errors.Is(err, errReplaced):
		return nil, errLost
	case err != nil:
		return nil, fmt.Errorf("%w: %w", engine.ErrUnknown, err)
	case now.own && now.header.Write == done.header.Write:
		done.etag = now.etag
		return done, nil
	case slices.Contains(now.header.Parents, done.header.Write):
		return done, nil
	}
	return now, errLost
}

// patience is how long a write pauses at most before it tries again to find out what became of it.
const patience = 2 * time.Second

// plainText reports whether a content type can be one of HTTP's.
func plainText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// optimistic is the length in bytes up to which a value is sent before anybody has looked whether
// the key is new: if it is not, the request was in vain.
const optimistic = 64 << 10

// maxTries is how often a change begins again because another writer was faster. With the pauses
// between, that is a minute or two, if each is half of the longest and requests take some
// milliseconds.
const (
	maxTries     = 400
	longestPause = 250 * time.Millisecond
)

// again pauses before a change is tried once more, for a time by chance, so that writers of one key
// do not meet over and over, of at most a millisecond, then two, four and so on up to longestPause.
// It fails with errLost after maxTries, and with the error of ctx when that ends.
func again(ctx context.Context, tries int) error {
	if tries >= maxTries {
		return errLost
	}
	return sleep(ctx, rand.N(min(time.Millisecond<<min(tries, 20), longestPause)))
}

// replace looks at key and stores what build makes of it, again and again until no other writer was
// faster, ctx ends, or it was tried maxTries times: then the error is errLost. build may return no
// image: then nothing is stored. guess says that the key is probably new.
func (s *Store) replace(ctx context.Context, key string, guess bool, build func(*state) (*image, error)) (before, after *state, err error) {
	seen := &state{key: key}
	for tries, known := 0, guess; ; tries++ {
		if !known {
			if seen, err = s.look(ctx, key); err != nil {
				return nil, nil, err
			}
		}
		i, err := build(seen)
		if err != nil || i == nil {
			return seen, nil, err
		}
		after, err := s.write(ctx, seen, *i)
		if err == nil {
			return seen, after, nil
		}
		if !errors.Is(err, errLost) {
			return nil, nil, err
		}
		if known = tries == 0 && after != nil; known { // the guess was wrong, and this is there
			seen = after
			continue
		}
		if err := again(ctx, tries); err != nil {
			return nil, nil, err
		}
	}
}
