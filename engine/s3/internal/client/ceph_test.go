//go:build ceph

package client_test

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/kohakuvault/kvault/engine/s3/internal/client"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
	"github.com/kohakuvault/kvault/engine/s3/internal/objecttest"
)

// newBucket makes a bucket on the cluster of the environment, and removes it with the test.
func newBucket(t *testing.T) client.Config {
	t.Helper()
	gateways := os.Getenv("S3_GATEWAYS")
	if gateways == "" {
		t.Fatal("no S3_GATEWAYS: start a cluster with .ci/ceph up DIR, and set what .ci/ceph env DIR prints")
	}
	c := client.Config{Bucket: "t-" + strings.ToLower(rand.Text())}
	for g := range strings.SplitSeq(gateways, ",") {
		c.Endpoints = append(c.Endpoints, "http://"+g)
	}
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	api := s3.NewFromConfig(cfg, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = aws.String(c.Endpoints[0]), true })
	if _, err := api.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &c.Bucket}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		for {
			list, err := api.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &c.Bucket})
			if err != nil {
				t.Error(err)
				return
			}
			for _, o := range list.Contents {
				if _, err := api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &c.Bucket, Key: o.Key}); err != nil {
					t.Error(err)
					return
				}
			}
			if len(list.Contents) == 0 {
				break
			}
		}
		if _, err := api.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &c.Bucket}); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestCephConformance(t *testing.T) {
	objecttest.Run(t, func(t *testing.T) object.Bucket {
		b, err := client.Open(t.Context(), newBucket(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		if can := b.Abilities(); !can.DeleteIfUnmodified {
			t.Errorf("%+v: Ceph deletes under the condition of a time", can)
		}
		return b
	})
}
