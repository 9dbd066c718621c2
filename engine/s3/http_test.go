//go:build ceph || reliability

package s3_test

import (
	"fmt"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/enginetest"
	"github.com/kohakuvault/kvault/engine/s3"
	"github.com/kohakuvault/kvault/engine/s3/internal/s3test"
)

// TestConformanceOverHTTP is TestConformance by way of the client and a server of S3's protocol.
func TestConformanceOverHTTP(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	server, n := s3test.New(t), 0
	enginetest.Run(t, func(t *testing.T) engine.Store {
		n++
		s, err := s3.Open(t.Context(), fmt.Sprintf("s3://%s/vault %d?endpoint=%s", s3test.Bucket, n, server.URL), nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}, enginetest.ShortKeys)
}
