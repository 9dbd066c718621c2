package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// partPatience is how many times as long a part is tried again: everything that was sent before
// would be lost with it.
const partPatience = 10

type multipart struct {
	b       *Bucket
	key, id string

	mu    sync.Mutex
	parts map[int]part
}

type part struct {
	etag string
	size int
}

// Begin is that of object.Bucket. If an answer is lost, an upload without parts is left, which
// Unfinished lists.
func (b *Bucket) Begin(ctx context.Context, key string) (object.Multipart, error) {
	if err := b.writable("begin", key); err != nil {
		return nil, err
	}
	m := &multipart{b: b, key: key, parts: map[int]part{}}
	err := b.repeat(ctx, "begin", key, func(ctx context.Context) error {
		out, err := b.api.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &b.c.Bucket, Key: &key})
		if err != nil {
			return err
		}
		if m.id = aws.ToString(out.UploadId); m.id == "" {
			return fmt.Errorf("%w: it names no upload", errAnswer)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (m *multipart) ID() string { return m.id }

func (m *multipart) Part(ctx context.Context, n int, p []byte) error {
	var etag string
	_, err := m.b.try(ctx, "put part", m.key, partPatience*m.b.c.Patience, m.b.bounded(len(p), func(ctx context.Context) error {
		out, err := m.b.api.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &m.b.c.Bucket, Key: &m.key, UploadId: &m.id, PartNumber: aws.Int32(int32(n)),
			Body: bytes.NewReader(p), ContentLength: aws.Int64(int64(len(p))),
		})
		if err != nil {
			return err
		}
		if etag = unquoted(out.ETag); etag == "" {
			return fmt.Errorf("%w: the part has no ETag", errAnswer)
		}
		return nil
	}))
	if err != nil {
		return m.b.fail("put part", m.key, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parts[n] = part{etag, len(p)}
	return nil
}

// list is what Complete sends: the parts in order. It returns their length, too.
func (m *multipart) list() (parts []types.CompletedPart, size int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range slices.Sorted(maps.Keys(m.parts)) {
		p := m.parts[n]
		parts = append(parts, types.CompletedPart{ETag: &p.etag, PartNumber: aws.Int32(int32(n))})
		size += int64(p.size)
	}
	return parts, size
}

func (m *multipart) Complete(ctx context.Context) (etag string, err error) {
	parts, size := m.list()
	// A server puts long objects together for as long as it likes.
	attempt := m.b.bounded(int(min(size/64, 1<<30)), func(ctx context.Context) error {
		out, err := m.b.api.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &m.b.c.Bucket, Key: &m.key, UploadId: &m.id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		})
		if err != nil {
			return err
		}
		if etag = unquoted(out.ETag); etag == "" {
			return fmt.Errorf("%w: it gives no ETag", errAnswer) // as Ceph 16 does at times
		}
		return nil
	})
	unknown, err := m.b.try(ctx, "complete", m.key, partPatience*m.b.c.Patience, func(ctx context.Context) error {
		err := attempt(ctx)
		if k := kindOf(err); err != nil && (k == unanswered || k == garbled) {
			if made, known := m.look(ctx, fmt.Sprintf("-%d", len(parts)), size); known {
				etag, err = made, nil
				if made == "" {
					err = errNoUpload
				}
			}
		}
		return err
	})
	switch {
	case err == nil:
		return etag, nil
	case errors.Is(err, errNoUpload):
		return "", fmt.Errorf("complete %q: %w", m.key, errNoUpload)
	case unknown:
		return "", fmt.Errorf("complete %q: %w: %w", m.key, object.ErrUnknown, err)
	}
	return "", m.b.fail("complete", m.key, err)
}

// look finds out what became of an upload whose completion was not answered. If it is still there,
// known is false: completing it again finds out. If it is gone, the object of its parts is there,
// or there is no ETag. Asking to complete what is gone would not do: Ceph 16 answers with 500 then,
// as if the completion were under way.
func (m *multipart) look(ctx context.Context, suffix string, size int64) (etag string, known bool) {
	err := m.b.bounded(0, func(ctx context.Context) error {
		_, err := m.b.api.ListParts(ctx, &s3.ListPartsInput{
			Bucket: &m.b.c.Bucket, Key: &m.key, UploadId: &m.id, MaxParts: aws.Int32(1),
		})
		return err
	})(ctx)
	// Ceph 16 says NoSuchKey.
	if _, code := statusOf(err); code != "NoSuchUpload" && code != "NoSuchKey" {
		return "", false
	}
	i, err := m.b.Head(ctx, m.key)
	switch {
	case errors.Is(err, object.ErrNotFound):
		return "", true
	case err != nil:
		return "", false
	case i.Size == size && strings.HasSuffix(i.ETag, suffix):
		return i.ETag, true
	}
	return "", true // it is another's
}

func (m *multipart) Abort(ctx context.Context) error { return m.b.Abort(ctx, m.key, m.id) }

// Abort is that of object.Bucket.
func (b *Bucket) Abort(ctx context.Context, key, id string) error {
	if err := b.writable("abort", key); err != nil {
		return err
	}
	err := b.repeat(ctx, "abort", key, func(ctx context.Context) error {
		_, err := b.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &b.c.Bucket, Key: &key, UploadId: &id})
		return err
	})
	if errors.Is(err, object.ErrNotFound) {
		return nil
	}
	return err
}

// mostUnfinished bounds a listing of uploads: what lies behind is found once these are gone.
const mostUnfinished = 100_000

// Unfinished is that of object.Bucket.
func (b *Bucket) Unfinished(ctx context.Context, prefix string) (list []object.Unfinished, err error) {
	in := &s3.ListMultipartUploadsInput{Bucket: &b.c.Bucket, Prefix: &prefix}
	for {
		var out *s3.ListMultipartUploadsOutput
		err := b.repeat(ctx, "list uploads", prefix, func(ctx context.Context) (err error) {
			if out, err = b.api.ListMultipartUploads(ctx, in); err == nil && out.Bucket == nil {
				err = fmt.Errorf("%w: it is no listing of uploads", errAnswer) // but any XML, which the SDK takes for an empty one
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, u := range out.Uploads {
			if !strings.HasPrefix(aws.ToString(u.Key), prefix) || aws.ToString(u.UploadId) == "" {
				return nil, fmt.Errorf("list uploads %q: %w: it lists upload %q of %q", prefix, errAnswer, aws.ToString(u.UploadId), aws.ToString(u.Key))
			}
			list = append(list, object.Unfinished{Key: aws.ToString(u.Key), ID: aws.ToString(u.UploadId), Begun: aws.ToTime(u.Initiated)})
		}
		if !aws.ToBool(out.IsTruncated) || len(list) >= mostUnfinished {
			return list, nil
		}
		if len(out.Uploads) == 0 || aws.ToString(out.NextKeyMarker) <= aws.ToString(in.KeyMarker) &&
			aws.ToString(out.NextUploadIdMarker) == aws.ToString(in.UploadIdMarker) {
			return nil, fmt.Errorf("list uploads %q: %w: it is without an end", prefix, errAnswer)
		}
		in.KeyMarker, in.UploadIdMarker = out.NextKeyMarker, out.NextUploadIdMarker
	}
}
