package s3_test

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// TestSweepOfACopiedVault: a tool of S3 may copy a vault below another prefix. Its references name
// the old one. A sweep keeps what pointers name nevertheless, and removes what they do not.
func TestSweepOfACopiedVault(t *testing.T) {
	for _, to := range []string{"b/new/", "", "a/"} {
		c := newClocked()
		old := s3.NewTinyStore(c, "a/old/", 100)
		do(t, old, engine.Op{Kind: engine.Put, Key: "dir/kept", Value: large(0)})
		do(t, old, engine.Op{Kind: engine.Put, Key: "dir/gone", Value: large(1)})
		copyObjects(t, c, "a/old/", to)
		s := s3.NewTinyStore(c, to, 100)
		do(t, s, engine.Op{Kind: engine.Delete, Key: "dir/gone"})
		for range 3 {
			c.pass(25 * time.Hour)
			optimize(t, s)
		}
		if got, err := s.Get(t.Context(), "dir/kept"); err != nil || !bytes.Equal(got, large(0)) {
			t.Errorf("copied to %q: Get after sweeps: %d bytes, %v; want %d", to, len(got), err, len(large(0)))
		}
		if n := c.count(t, to+".d/"); n != 1 {
			t.Errorf("copied to %q: %d data objects are left, want 1", to, n)
		}
	}
}

func copyObjects(t *testing.T, b object.Bucket, from, to string) {
	t.Helper()
	p, err := b.List(t.Context(), object.Query{Prefix: from, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range p.Objects {
		i, body, err := b.Get(t.Context(), o.Key, object.Range{Length: -1})
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(body)
		if err == nil {
			_, err = b.Put(t.Context(), to+o.Key[len(from):], content, object.PutOptions{Header: i.Header})
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = body.Close()
	}
}
