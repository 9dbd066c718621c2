package client_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/client"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
	"github.com/kohakuvault/kvault/engine/s3/internal/objecttest"
	"github.com/kohakuvault/kvault/engine/s3/internal/s3test"
)

const secret = "a-secret-of-the-test"

// settings are those of a client of a bucket on servers, with the time that a busy machine needs.
func settings(s ...*s3test.Server) client.Config {
	c := client.Config{Bucket: s3test.Bucket, Prefix: "v/", Region: "us-east-1",
		AnswerTimeout: time.Minute, Patience: time.Minute}
	for _, s := range s {
		c.Endpoints = append(c.Endpoints, s.URL)
	}
	return c
}

func environment(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "access-of-the-test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
}

func open(t *testing.T, c client.Config) *client.Bucket {
	t.Helper()
	environment(t)
	b, err := client.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// TestReadOnly: nothing is written, whatever is called.
func TestReadOnly(t *testing.T) {
	s := s3test.New(t)
	if _, err := s.Memory.Put(t.Context(), "v/k", []byte("value"), object.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	s.SetFault(func(r *http.Request) s3test.Fault {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		return s3test.Fault{}
	})
	c := settings(s)
	c.ReadOnly = true
	b := open(t, c)
	i, err := b.Head(t.Context(), "v/k")
	if err != nil {
		t.Fatal(err)
	}
	if _, body, err := b.Get(t.Context(), "v/k", object.Range{Off: 1, Length: 3, IfMatch: i.ETag}); err != nil {
		t.Error(err)
	} else if got, err := io.ReadAll(body); string(got) != "alu" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, _, err := b.Get(t.Context(), "v/k", object.Range{Length: -1, IfMatch: "another"}); !errors.Is(err, object.ErrPrecondition) {
		t.Errorf("another version: %v", err)
	}
	_, putErr := b.Put(t.Context(), "v/k", nil, object.PutOptions{IfMatch: i.ETag})
	_, beginErr := b.Begin(t.Context(), "v/k")
	for _, err := range []error{
		putErr, beginErr, b.Abort(t.Context(), "v/k", "id"), b.Delete(t.Context(), "v/k", object.DeleteOptions{}), b.DeleteAll(t.Context(), []string{"v/k"}),
	} {
		if !errors.Is(err, engine.ErrReadOnly) {
			t.Errorf("%v, want %v", err, engine.ErrReadOnly)
		}
	}
	c.Bucket = "missing"
	if _, err := client.Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), `bucket "missing" does not exist`) {
		t.Errorf("a bucket that is missing: %v", err)
	}
}

func TestConformance(t *testing.T) {
	objecttest.Run(t, func(t *testing.T) object.Bucket {
		return open(t, settings(s3test.New(t)))
	})
}
