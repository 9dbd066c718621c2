package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Streams of both sides have parts of this size, so many at once.
const (
	partSize      = 8 << 20
	partsParallel = 4
)

// plain is the SDK's client, used as its documentation has it, but for two things that the vault has
// too: its connections go to the gateways in turn, and enough of them stay open.
type plain struct {
	client *s3.Client
	bucket string
}

func newPlain(s settings, gateways []string) *plain {
	var turn atomic.Uint64
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost, transport.DisableCompression = 64, true
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, gateways[turn.Add(1)%uint64(len(gateways))])
	}
	return &plain{s3.New(s3.Options{
		BaseEndpoint: &s.endpoints[0], UsePathStyle: true, Region: os.Getenv("AWS_REGION"),
		HTTPClient:                 &http.Client{Transport: transport},
		Credentials:                credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}), s.bucket}
}

// name keeps what the plain client writes apart from the vault.
func (p *plain) name(key string) *string { return aws.String("plain/" + key) }

func (p *plain) put(ctx context.Context, key string, value []byte) error {
	_, err := p.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &p.bucket, Key: p.name(key), Body: bytes.NewReader(value)})
	return err
}

// conditional is the plain client that sends the condition of a vault with each put, so that what the
// condition costs and what the vault costs are told apart.
type conditional struct{ *plain }

func (c conditional) put(ctx context.Context, key string, value []byte) error {
	_, err := c.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &c.bucket, Key: c.name(key), Body: bytes.NewReader(value), IfNoneMatch: aws.String("*"),
	})
	return err
}

func (p *plain) get(ctx context.Context, key string) ([]byte, error) {
	o, err := p.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &p.bucket, Key: p.name(key)})
	if err != nil {
		return nil, err
	}
	defer func() { _ = o.Body.Close() }()
	value := make([]byte, *o.ContentLength)
	_, err = io.ReadFull(o.Body, value)
	return value, err
}

func (p *plain) streamIn(ctx context.Context, key string, r io.Reader) error {
	manager := transfermanager.New(p.client, func(o *transfermanager.Options) {
		o.PartSizeBytes, o.Concurrency = partSize, partsParallel
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	})
	_, err := manager.UploadObject(ctx, &transfermanager.UploadObjectInput{Bucket: &p.bucket, Key: p.name(key), Body: r})
	return err
}

func (p *plain) streamOut(ctx context.Context, key string, w io.Writer) error {
	o, err := p.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &p.bucket, Key: p.name(key)})
	if err != nil {
		return err
	}
	defer func() { _ = o.Body.Close() }()
	_, err = io.CopyBuffer(w, o.Body, make([]byte, 1<<20))
	return err
}

func (p *plain) list(ctx context.Context, prefix string, page func([]types.Object) error) error {
	pages := s3.NewListObjectsV2Paginator(p.client, &s3.ListObjectsV2Input{Bucket: &p.bucket, Prefix: p.name(prefix)})
	for pages.HasMorePages() {
		o, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		if err := page(o.Contents); err != nil {
			return err
		}
	}
	return nil
}

func (p *plain) keys(ctx context.Context, prefix string) (n int, err error) {
	err = p.list(ctx, prefix, func(objects []types.Object) error { n += len(objects); return nil })
	return n, err
}

// entries lists, and asks for each object besides, 32 at once.
func (p *plain) entries(ctx context.Context, prefix string) (n int, err error) {
	err = p.list(ctx, prefix, func(objects []types.Object) error {
		keys := make([]string, len(objects))
		for i, o := range objects {
			keys[i] = *o.Key
		}
		n += len(keys)
		return each(ctx, keys, 32, func(ctx context.Context, key string) error {
			_, err := p.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &p.bucket, Key: &key})
			return err
		})
	})
	return n, err
}

// putAll puts one after another.
func (p *plain) putAll(ctx context.Context, keys []string, value []byte) error {
	return each(ctx, keys, 1, func(ctx context.Context, key string) error { return p.put(ctx, key, value) })
}

func (p *plain) clear(ctx context.Context, prefix string) error {
	return p.list(ctx, prefix, func(objects []types.Object) error {
		if len(objects) == 0 {
			return nil
		}
		ids := make([]types.ObjectIdentifier, len(objects))
		for i, o := range objects {
			ids[i].Key = o.Key
		}
		_, err := p.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &p.bucket, Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)}})
		return err
	})
}
