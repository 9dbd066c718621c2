package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// headerName is the user metadata that an object's header is.
const headerName = "kvault"

// Put is that of object.Bucket.
func (b *Bucket) Put(ctx context.Context, key string, p []byte, o object.PutOptions) (etag string, err error) {
	if err := b.writable("put", key); err != nil {
		return "", err
	}
	in := &s3.PutObjectInput{Bucket: &b.c.Bucket, Key: &key, ContentLength: aws.Int64(int64(len(p)))}
	if o.IfAbsent {
		in.IfNoneMatch = aws.String("*")
	}
	in.IfMatch = b.condition(o.IfMatch)
	if o.Header != "" {
		in.Metadata = map[string]string{headerName: o.Header}
	}
	if o.ContentType != "" {
		in.ContentType = &o.ContentType
	}
	unknown, err := b.try(ctx, "put", key, b.c.Patience, b.bounded(len(p), func(ctx context.Context) error {
		in.Body = bytes.NewReader(p)
		out, err := b.api.PutObject(ctx, in)
		if err != nil {
			return err
		}
		if etag = unquoted(out.ETag); etag == "" {
			return fmt.Errorf("%w: the object has no ETag", errAnswer)
		}
		return nil
	}))
	switch {
	case err == nil:
		return etag, nil
	case unknown:
		// Even a condition that does not hold may not hold because of an attempt before.
		return "", fmt.Errorf("put %q: %w: %w", key, object.ErrUnknown, err)
	}
	err = b.fail("put", key, err)
	if o.IfMatch != "" && errors.Is(err, object.ErrNotFound) { // so AWS says that the key is missing
		err = fmt.Errorf("put %q: %w", key, object.ErrPrecondition)
	}
	return "", err
}

// condition is an ETag as the server wants it in If-Match. Without quotes, unless the probe found
// that it wants them: Ceph 16 finds none matching that has them.
func (b *Bucket) condition(etag string) *string {
	switch {
	case etag == "":
		return nil
	case b.quoted:
		etag = `"` + etag + `"`
	}
	return &etag
}

func unquoted(etag *string) string { return string(bytes.Trim([]byte(aws.ToString(etag)), `"`)) }

// Head is that of object.Bucket.
func (b *Bucket) Head(ctx context.Context, key string) (i object.Info, err error) {
	err = b.repeat(ctx, "head", key, func(ctx context.Context) error {
		out, err := b.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.c.Bucket, Key: &key})
		if err != nil {
			return err
		}
		i = object.Info{
			Key: key, Size: aws.ToInt64(out.ContentLength), ETag: unquoted(out.ETag), Modified: aws.ToTime(out.LastModified),
			Header: out.Metadata[headerName], ContentType: aws.ToString(out.ContentType),
		}
		return checked(i, out.ContentLength == nil)
	})
	return i, err
}

// Delete is that of object.Bucket.
func (b *Bucket) Delete(ctx context.Context, key string, o object.DeleteOptions) error {
	if err := b.writable("delete", key); err != nil {
		return err
	}
	in := &s3.DeleteObjectInput{Bucket: &b.c.Bucket, Key: &key}
	if b.can.DeleteIfMatch {
		in.IfMatch = b.condition(o.IfMatch)
	}
	var options []func(*s3.Options)
	if !o.UnmodifiedSince.IsZero() && b.can.DeleteIfUnmodified {
		options = append(options, unmodifiedSince(o.UnmodifiedSince))
	}
	unknown, err := b.try(ctx, "delete", key, b.c.Patience, b.bounded(0, func(ctx context.Context) error {
		_, err := b.api.DeleteObject(ctx, in, options...)
		return err
	}))
	raw := err
	switch err = b.fail("delete", key, err); {
	case errors.Is(err, object.ErrNotFound):
		return nil
	case err != nil && unknown:
		return fmt.Errorf("delete %q: %w: %w", key, object.ErrUnknown, raw)
	}
	return err
}

// unmodifiedSince is a condition that Ceph knows and AWS does not. Ceph refuses dates as HTTP has
// them.
func unmodifiedSince(t time.Time) func(*s3.Options) {
	return s3.WithAPIOptions(smithyhttp.SetHeaderValue("x-amz-delete-if-unmodified-since", t.UTC().Format(time.DateTime)))
}

// deleters is how many objects are deleted at once.
const deleters = 16

// DeleteAll is that of object.Bucket. It makes a request for each key: DeleteObjects takes as long
// in a gateway of Ceph, which deletes them one after another.
func (b *Bucket) DeleteAll(ctx context.Context, keys []string) error {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		all    sync.WaitGroup
		once   sync.Once
		failed error
	)
	next := make(chan string)
	for range min(deleters, len(keys)) {
		all.Go(func() {
			for key := range next {
				if err := b.Delete(within, key, object.DeleteOptions{}); err != nil {
					once.Do(func() { failed = err })
					cancel()
				}
			}
		})
	}
	for _, key := range keys {
		if within.Err() != nil {
			break
		}
		select {
		case next <- key:
		case <-within.Done():
		}
	}
	close(next)
	all.Wait()
	if failed != nil {
		return failed
	}
	return ctx.Err()
}
