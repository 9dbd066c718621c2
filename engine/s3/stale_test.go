package s3_test

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3"
	"github.com/kohakuvault/kvault/engine/s3/internal/object/memory"
)

// TestPutThatTakesDays: a put stores no pointer to data that a sweep may have removed since its
// references were stored.
func TestPutThatTakesDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New()
		s, other := s3.NewTinyStore(b, "v/", 100), s3.NewTinyStore(b, "v/", 100)
		onceBefore(b, "put", "v/=k", func() {
			apply(t, other, engine.Op{Kind: engine.Put, Key: "k", Value: []byte("short")})
			for range 3 {
				time.Sleep(25 * time.Hour)
				optimize(t, other)
			}
		})
		put := engine.Op{Kind: engine.Put, Key: "k", Value: large(0)}
		_, err := s.Apply(t.Context(), []engine.Op{put})
		if !errors.Is(err, engine.ErrSwept) {
			t.Errorf("Put: %v, want ErrSwept", err)
		}
		if got, err := s.Get(t.Context(), "k"); err != nil || !bytes.Equal(got, []byte("short")) {
			t.Errorf("Get after the put: %d bytes, %v; want those of the other writer", len(got), err)
		}
	})
}
