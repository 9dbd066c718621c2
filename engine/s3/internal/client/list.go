package client

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// mostListed is how many objects a server lists in an answer.
const mostListed = 1000

// List is that of object.Bucket. Each answer is asked for by the last key of the one before, so a
// server cannot lead it in circles.
func (b *Bucket) List(ctx context.Context, q object.Query) (p object.Page, err error) {
	after, p := q.After, object.Page{More: true}
	for p.More && len(p.Objects) < q.Limit {
		var some []object.Info
		err := b.repeat(ctx, "list", q.Prefix, func(ctx context.Context) (err error) {
			some, p.More, err = b.listOnce(ctx, q.Prefix, after, min(q.Limit-len(p.Objects), mostListed))
			return err
		})
		if err != nil {
			return object.Page{}, err
		}
		if p.Objects = append(p.Objects, some...); len(some) > 0 {
			after = some[len(some)-1].Key
		}
	}
	return p, nil
}

func (b *Bucket) listOnce(ctx context.Context, prefix, after string, limit int) (list []object.Info, more bool, err error) {
	in := &s3.ListObjectsV2Input{
		Bucket: &b.c.Bucket, MaxKeys: aws.Int32(int32(limit)), EncodingType: types.EncodingTypeUrl,
	}
	if prefix != "" {
		in.Prefix = &prefix
	}
	if after != "" {
		in.StartAfter = &after
	}
	out, err := b.api.ListObjectsV2(ctx, in)
	if err != nil {
		return nil, false, err
	}
	// The SDK takes any XML, and none at all, for an empty listing. Who believes one deletes too much.
	if n := len(out.Contents) + len(out.CommonPrefixes); out.Name == nil || out.KeyCount != nil && int(*out.KeyCount) != n {
		return nil, false, fmt.Errorf("%w: it is no listing, or one of %d keys that names %d", errAnswer, aws.ToInt32(out.KeyCount), n)
	}
	more = aws.ToBool(out.IsTruncated)
	list = make([]object.Info, 0, len(out.Contents))
	for _, o := range out.Contents {
		key := aws.ToString(o.Key)
		if out.EncodingType == types.EncodingTypeUrl {
			if key, err = url.QueryUnescape(key); err != nil {
				return nil, false, fmt.Errorf("%w: key %q is not encoded as it says", errAnswer, aws.ToString(o.Key))
			}
		}
		if !strings.HasPrefix(key, prefix) || key <= after {
			return nil, false, fmt.Errorf("%w: it lists %q, which has not prefix %q or comes not behind %q", errAnswer, key, prefix, after)
		}
		after = key
		i := object.Info{Key: key, Size: aws.ToInt64(o.Size), ETag: unquoted(o.ETag), Modified: aws.ToTime(o.LastModified)}
		if err := checked(i, o.Size == nil); err != nil {
			return nil, false, err
		}
		list = append(list, i)
	}
	if more && len(list) == 0 || len(list) > limit {
		return nil, false, fmt.Errorf("%w: a listing of %d of at most %d keys, more to come: %v", errAnswer, len(list), limit, more)
	}
	return list, more, nil
}
