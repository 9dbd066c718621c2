package s3_test

import (
	"context"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
	"github.com/kohakuvault/kvault/engine/s3/internal/object/memory"
)

// stuck is a bucket that answers no part.
type stuck struct{ *memory.Bucket }

func (b stuck) Begin(ctx context.Context, key string) (object.Multipart, error) {
	m, err := b.Bucket.Begin(ctx, key)
	return stuckParts{m}, err
}

type stuckParts struct{ object.Multipart }

func (stuckParts) Part(ctx context.Context, _ int, _ []byte) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestAbortWithPartsUnderWay: Abort does not wait for a server that does not answer.
func TestAbortWithPartsUnderWay(t *testing.T) {
	b := stuck{memory.New()}
	s := s3.NewTinyStore(b, "v/", 100)
	t.Cleanup(func() { _ = s.Close() })
	st, err := s.Stage(t.Context(), engine.StageOptions{ChunkSize: 50, Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := st.WriteChunk(t.Context(), make([]byte, 50)); err != nil {
			t.Fatal(err)
		}
	}
	aborted := make(chan error, 1)
	go func() { aborted <- st.Abort() }()
	select {
	case err := <-aborted:
		if err != nil {
			t.Errorf("Abort: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Abort waits for parts that nobody needs")
	}
	list, err := b.Unfinished(t.Context(), "v/")
	if err != nil || len(list) != 0 {
		t.Errorf("uploads after Abort: %v, %v; want none", list, err)
	}
}
