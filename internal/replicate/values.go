package replicate

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/unexported"
)

const (
	// smallValue is the size in bytes up to which a value is held in memory as a whole.
	smallValue = 1 << 20
	// smallAtOnce and largeAtOnce are how many values are read, and where the target has no
	// transactions stored, at once.
	smallAtOnce = 16
	largeAtOnce = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// value is a small value that was read and is to be stored.
type value struct {
	kvault.Item
	there pair // what the listings said
	tag   string
	event *Event // once it is stored
}

// copyKeys copies the keys. The walk finds them, workers read them, and one writer stores the small
// ones in batches, or the workers each by itself where the target has no transactions.
func (c *Copier) copyKeys(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var readers, writer sync.WaitGroup
	small, large := make(chan pair), make(chan pair)
	values := make(chan *value)
	work := func(n int, wg *sync.WaitGroup, fn func() error) {
		for range n {
			wg.Go(func() {
				if err := fn(); err != nil {
					cancel(err)
				}
			})
		}
	}
	work(smallAtOnce, &readers, func() error {
		return c.eachOf(ctx, small, func(p pair) error { return c.copySmall(ctx, p, values) })
	})
	work(largeAtOnce, &readers, func() error {
		return c.eachOf(ctx, large, func(p pair) error { return c.copyLarge(ctx, p) })
	})
	work(1, &writer, func() error { return c.storeAll(ctx, values) })

	err := c.walk(ctx, func(p pair) error { return c.visit(ctx, p, small, large) })
	close(small)
	close(large)
	if err != nil {
		cancel(err)
	}
	readers.Wait()
	close(values)
	writer.Wait()
	return context.Cause(ctx)
}

// eachOf calls fn for each pair until one fails or ctx ends.
func (c *Copier) eachOf(ctx context.Context, pairs <-chan pair, fn func(pair) error) error {
	for p := range pairs {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := fn(p); err != nil {
			return err
		}
	}
	return nil
}

// visit decides what becomes of a key.
func (c *Copier) visit(ctx context.Context, p pair, small, large chan<- pair) error {
	switch {
	case !p.inFrom:
		c.surplus = append(c.surplus, Surplus{Key: p.to.Key, Size: p.to.Size, tag: p.to.Tag})
		return ctx.Err()
	case p.inTo && same(p.from, p.to):
		c.seen++
		c.progress(p.from.Size)
		return c.report(Event{Action: Unchanged, Key: p.from.Key, Size: p.from.Size})
	}
	c.seen++
	if c.o.DryRun { // nothing is read, and the order is that of the keys
		return c.copySmall(ctx, p, nil)
	}
	to := small
	if p.from.Size > smallValue {
		to = large
	}
	select {
	case to <- p:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// identify returns the tag that the copy of a value gets, and whether the target has that already.
// What another program wrote has no tag: its copy gets the one made from the contents.
func (c *Copier) identify(ctx context.Context, p pair) (tag string, done bool, err error) {
	if p.from.Tag != "" {
		return p.from.Tag, false, nil
	}
	tag, err = c.src.tag(ctx, p.from.Key)
	if err != nil || !p.inTo || p.to.Size != p.from.Size {
		return tag, false, err
	}
	there := p.to.Tag
	if there == "" {
		there, err = source{v: c.to}.tag(ctx, p.to.Key)
	}
	return tag, err == nil && there == tag, err
}

// options are those that store the copy of an entry where the target has what the listing said.
func (c *Copier) options(
	ctx context.Context, e kvault.Entry, tag string, p pair,
) (*kvault.PutOptions, error) {
	o := &kvault.PutOptions{
		Size: e.Size, SizeKnown: true,
		ContentType: e.ContentType, ModTime: e.ModTime, User: e.User,
		IfAbsent: !p.inTo, IfTag: p.to.Tag,
	}
	if o.ContentType == "" && e.Tag != "" {
		o.ContentType = kvault.NoContentType
	}
	if p.inTo && o.IfTag == "" {
		var err error
		if o.IfTag, err = c.madeTag(ctx, p.to.Key); err != nil {
			return nil, err
		}
	}
	unexported.SetTag(o, tag)
	return o, nil
}

// madeTag returns the tag of a value of the target that had none when it was listed. It fails with
// ErrTagMismatch if the value has one now, and so was written meanwhile.
func (c *Copier) madeTag(ctx context.Context, key string) (string, error) {
	tag, err := c.to.Tag(ctx, key)
	if err != nil {
		return "", err
	}
	now, err := c.to.Stat(ctx, key)
	if err == nil && now.Tag != "" {
		err = kvault.ErrTagMismatch
	}
	return tag, err
}

// copySmall reads a small value, and stores it or sends it to the writer.
func (c *Copier) copySmall(ctx context.Context, p pair, to chan<- *value) error {
	event := Event{Key: p.from.Key, Size: p.from.Size}
	it, tag, done, err := c.read(ctx, p)
	switch {
	case errors.Is(err, errGrown):
		return c.copyLarge(ctx, p)
	case matches(err, kvault.ErrNotFound): // the source no longer has it
		c.progress(p.from.Size)
		return ctx.Err()
	case err != nil:
		c.progress(p.from.Size)
		return c.failed(ctx, event, err)
	case done:
		c.progress(p.from.Size)
		event.Action = Unchanged
		return c.report(event)
	}
	v := &value{Item: it, there: p, tag: tag}
	if c.each || c.o.DryRun {
		if err := c.storeOne(ctx, v); err != nil {
			return err
		}
		return c.stored(v)
	}
	select {
	case to <- v:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// read reads a value with the entry of its version, holds it against its checksum, and returns the
// tag that its copy gets. done says that the target has it already.
func (c *Copier) read(
	ctx context.Context, p pair,
) (it kvault.Item, tag string, done bool, err error) {
	tag, done, err = c.identify(ctx, p)
	if err != nil || done || c.o.DryRun {
		return kvault.Item{Entry: p.from}, tag, done, err
	}
	r, err := c.src.open(ctx, p.from.Key)
	if err != nil {
		return it, tag, false, err
	}
	defer r.Close()
	if it.Entry = r.Entry(); it.Size > smallValue {
		return it, tag, false, errGrown
	}
	it.Value = make([]byte, it.Size)
	if _, err := io.ReadFull(r, it.Value); err != nil {
		return it, tag, false, err
	}
	if it.HasChecksum && crc32.Checksum(it.Value, castagnoli) != it.Checksum {
		return it, tag, false, errChecksum
	}
	tag, err = c.confirm(ctx, it.Entry, tag)
	return it, tag, false, err
}

// errGrown: the value was small when it was listed.
var errGrown = errors.New("the value is large now")

// confirm returns the tag of the version that was read. Where the tag is made from the contents,
// it must still be what it was before.
func (c *Copier) confirm(ctx context.Context, e kvault.Entry, before string) (string, error) {
	if e.Tag != "" {
		return e.Tag, nil
	}
	now, err := c.src.tag(ctx, e.Key)
	if err == nil && now != before {
		err = errChanged
	}
	return now, err
}

var (
	errChecksum = fmt.Errorf("what was read does not match the checksum: %w", kvault.ErrCorrupt)
	errChanged  = errors.New("another program changed it while it was read; copy again")
)

// copyLarge streams a large value.
func (c *Copier) copyLarge(ctx context.Context, p pair) error {
	event := Event{Key: p.from.Key, Size: p.from.Size}
	tag, done, err := c.identify(ctx, p)
	switch {
	case err != nil:
	case done:
		c.progress(p.from.Size)
		event.Action = Unchanged
		return c.report(event)
	default:
		var copied *Event
		if copied, err = c.stream(ctx, p, tag); err == nil {
			return c.report(*copied)
		}
	}
	if matches(err, kvault.ErrNotFound) {
		return ctx.Err()
	}
	return c.failed(ctx, event, err)
}

// stream copies the version that a value has now, a chunk at a time.
func (c *Copier) stream(ctx context.Context, p pair, tag string) (*Event, error) {
	r, err := c.src.open(ctx, p.from.Key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	e := r.Entry()
	if e.Tag != "" {
		tag = e.Tag
	}
	o, err := c.options(ctx, e, tag, p)
	if err != nil {
		return c.outcome(ctx, e, tag, err)
	}
	w, err := c.to.NewWriter(ctx, c.target(e.Key), o)
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	if _, err := w.ReadFrom(&checkedReader{c: c, r: r, e: e}); err != nil {
		return nil, err
	}
	if e.Tag == "" {
		if _, err := c.confirm(ctx, e, tag); err != nil {
			return nil, err
		}
	}
	return c.outcome(ctx, e, tag, w.Close())
}

// checkedReader compares a value with its checksum: it ends with ErrCorrupt in place of io.EOF.
type checkedReader struct {
	c   *Copier
	r   io.Reader
	e   kvault.Entry
	sum uint32
}

func (r *checkedReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.sum = crc32.Update(r.sum, castagnoli, p[:n])
	r.c.progress(int64(n))
	if err == io.EOF && r.e.HasChecksum && r.sum != r.e.Checksum {
		err = errChecksum
	}
	return n, err
}
