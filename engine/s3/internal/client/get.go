package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// checked refuses what is said of an object if it cannot be so.
func checked(i object.Info, lengthless bool) error {
	switch {
	case lengthless || i.Size < 0:
		return fmt.Errorf("%w: it gives no length", errAnswer)
	case i.ETag == "":
		return fmt.Errorf("%w: it has no ETag", errAnswer)
	}
	return nil
}

// Get is that of object.Bucket.
func (b *Bucket) Get(ctx context.Context, key string, r object.Range) (object.Info, io.ReadCloser, error) {
	if r.Length == 0 && r.Off >= 0 {
		return b.getNothing(ctx, key, r)
	}
	if r.Off < 0 || r.Length > math.MaxInt64-r.Off {
		return object.Info{}, nil, fmt.Errorf("get %q: bytes from %d on, %d of them: %w", key, r.Off, r.Length, engine.ErrInvalid)
	}
	body := &reader{b: b, ctx: ctx, key: key, off: r.Off, end: -1, etag: r.IfMatch}
	if r.Length > 0 {
		body.end = r.Off + r.Length
	}
	i, err := body.open()
	if errors.Is(err, errBeyond) {
		return b.getNothing(ctx, key, r)
	}
	if err != nil {
		return object.Info{}, nil, err
	}
	return i, body, nil
}

// getNothing is Get of a range that has no bytes, which HTTP cannot ask for.
func (b *Bucket) getNothing(ctx context.Context, key string, r object.Range) (object.Info, io.ReadCloser, error) {
	i, err := b.Head(ctx, key)
	switch {
	case err != nil:
		return object.Info{}, nil, err
	case r.IfMatch != "" && i.ETag != r.IfMatch:
		return object.Info{}, nil, fmt.Errorf("get %q: %w", key, object.ErrPrecondition)
	case r.Off > i.Size || r.Length > 0:
		return object.Info{}, nil, fmt.Errorf("get %q: from byte %d on of %d: %w", key, r.Off, i.Size, io.ErrUnexpectedEOF)
	}
	return i, http.NoBody, nil
}

// reader is the body of an object from off up to end. It opens a further connection when one
// breaks.
type reader struct {
	b        *Bucket
	ctx      context.Context
	key      string
	off, end int64  // end is -1 until the length is known
	etag     string // or empty
	closed   bool

	// The connection that is open, if body is not nil.
	body   io.ReadCloser
	now    *attempt
	cancel context.CancelFunc
	idle   *time.Timer

	// For how long Read has waited for how many bytes, since there were enough of them.
	waited time.Duration
	got    int64
	breaks int
}

// enough is how many bytes must come within Config.Patience.
const enough = 64 << 10

var errBeyond = errors.New("the range lies beyond the object")

// open asks for what is left.
func (r *reader) open() (i object.Info, err error) {
	in := &s3.GetObjectInput{Bucket: &r.b.c.Bucket, Key: &r.key}
	if !r.b.c.ReadOnly { // or nobody has found out how the server wants it; fits compares the ETag, too
		in.IfMatch = r.b.condition(r.etag)
	}
	switch {
	case r.end >= 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", r.off, r.end-1))
	case r.off > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", r.off))
	}
	_, err = r.b.try(r.ctx, "get", r.key, r.b.c.Patience, func(context.Context) error {
		var err error
		i, err = r.attempt(in)
		return err
	})
	if status, _ := statusOf(err); status == http.StatusRequestedRangeNotSatisfiable {
		return i, errBeyond
	}
	return i, r.b.fail("get", r.key, err)
}

// attempt is bounded until the answer has begun, and then for each time that nothing comes.
func (r *reader) attempt(in *s3.GetObjectInput) (i object.Info, err error) {
	ctx, cancel := context.WithCancel(r.ctx)
	a := &attempt{streamed: true}
	timer := time.AfterFunc(r.b.c.AnswerTimeout, cancel)
	out, err := r.b.api.GetObject(a.with(ctx), in)
	stopped := timer.Stop()
	if err != nil || !stopped {
		cancel()
		if err == nil {
			_ = out.Body.Close()
		}
		return i, a.ended(r.b, err, !stopped && r.ctx.Err() == nil, r.b.c.AnswerTimeout)
	}
	i = object.Info{
		Key: r.key, Size: aws.ToInt64(out.ContentLength), ETag: unquoted(out.ETag), Modified: aws.ToTime(out.LastModified),
		Header: out.Metadata[headerName], ContentType: aws.ToString(out.ContentType),
	}
	if err := r.fits(in, out, &i); err != nil {
		cancel()
		_ = out.Body.Close()
		return i, err
	}
	r.body, r.now, r.cancel, r.idle, r.etag = out.Body, a, cancel, timer, i.ETag
	return i, nil
}

// fits compares what the server says of its answer with what was asked, and sets the size of the
// object in i, and the end.
func (r *reader) fits(in *s3.GetObjectInput, out *s3.GetObjectOutput, i *object.Info) error {
	if err := checked(*i, out.ContentLength == nil); err != nil {
		return err
	}
	if r.etag != "" && i.ETag != r.etag {
		return object.ErrPrecondition // which the server has not compared
	}
	length := i.Size
	if in.Range != nil {
		first, last, total, ok := parseRange(aws.ToString(out.ContentRange))
		switch {
		case !ok || first != r.off || last-first+1 != length:
			return fmt.Errorf("%w: asked for %s, it has %q and %d bytes", errAnswer, *in.Range, aws.ToString(out.ContentRange), length)
		case r.end >= 0 && last+1 < r.end && last+1 == total:
			return errBeyond
		}
		i.Size = total
		length = last + 1
	}
	if r.end >= 0 && length != r.end {
		return fmt.Errorf("%w: it ends at byte %d, not %d", errAnswer, length, r.end)
	}
	r.end = length
	return nil
}

func parseRange(s string) (first, last, total int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes ")
	span, all, slash := strings.Cut(s, "/")
	from, to, dash := strings.Cut(span, "-")
	number := func(s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		ok = ok && err == nil && n >= 0
		return n
	}
	ok = ok && slash && dash
	first, last, total = number(from), number(to), number(all)
	return first, last, total, ok && first <= last && last < total
}

func (r *reader) Read(p []byte) (int, error) {
	for {
		switch {
		case r.closed:
			return 0, fmt.Errorf("get %q: %w", r.key, os.ErrClosed)
		case len(p) == 0:
			return 0, nil
		case r.off == r.end:
			return 0, io.EOF
		}
		if r.body == nil {
			if err := r.reopen(); err != nil {
				return 0, err
			}
		}
		n, err := r.readOnce(p)
		switch {
		case r.waited > r.b.c.Patience && r.off < r.end:
			r.drop()
			return n, r.late(err)
		case n > 0:
			return n, nil
		case r.ctx.Err() != nil:
			return 0, r.b.fail("get", r.key, r.ctx.Err())
		}
	}
}

// late says that too little came.
func (r *reader) late(err error) error {
	if err == nil {
		err = errSlow
	}
	return fmt.Errorf("get %q: %d bytes came within %v, up to byte %d of %d: %w: %w",
		r.key, r.got, r.waited.Round(time.Millisecond), r.off, r.end, io.ErrUnexpectedEOF, err)
}

var errSlow = errors.New("the server is too slow")

// wait counts the time until the function that it returns is called. Only the time in which the
// caller waits for bytes counts, not the one in which he does other things.
func (r *reader) wait() func() {
	began := time.Now()
	return func() { r.waited += time.Since(began) }
}

// reopen opens a further connection, after a pause that grows.
func (r *reader) reopen() error {
	defer r.wait()()
	if err := pause(r.ctx, min(time.Duration(r.breaks*r.breaks)*10*time.Millisecond, time.Second)); err != nil {
		return r.b.fail("get", r.key, err)
	}
	r.breaks++
	_, err := r.open()
	if errors.Is(err, errBeyond) { // there is a shorter one in its place
		err = fmt.Errorf("get %q: from byte %d on: %w", r.key, r.off, object.ErrPrecondition)
	}
	return err
}

// readOnce reads from the connection that is open, and gives it up if it breaks or is silent.
func (r *reader) readOnce(p []byte) (n int, err error) {
	done := r.wait()
	r.idle.Reset(r.b.c.AnswerTimeout)
	n, err = r.body.Read(p[:min(int64(len(p)), r.end-r.off)])
	silent := !r.idle.Stop()
	done()
	r.off += int64(n)
	if r.got += int64(n); r.got >= enough {
		r.waited, r.got, r.breaks = 0, 0, 0
	}
	if err != nil {
		if silent && r.now.through != nil && r.ctx.Err() == nil {
			r.b.gateways.silent(r.now.through, r.b.c.AnswerTimeout/2)
		}
		r.drop()
	}
	return n, err
}

// drop gives a connection up.
func (r *reader) drop() {
	if r.body != nil {
		r.cancel()
		_ = r.body.Close()
		r.body = nil
	}
}

// Close gives the rest up. One that was read to its end leaves its connection to others.
func (r *reader) Close() error {
	r.closed = true
	r.drop()
	return nil
}
