package s3_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
	"github.com/kohakuvault/kvault/engine/s3/internal/object/memory"
)

// stuck is a bucket that answers no part while it is silent.
type stuck struct {
	*memory.Bucket
	silent *atomic.Bool
}

func (b stuck) Begin(ctx context.Context, key string) (object.Multipart, error) {
	m, err := b.Bucket.Begin(ctx, key)
	return stuckParts{m, b.silent}, err
}

type stuckParts struct {
	object.Multipart
	silent *atomic.Bool
}

func (m stuckParts) Part(ctx context.Context, n int, p []byte) error {
	if !m.silent.Load() {
		return m.Multipart.Part(ctx, n, p)
	}
	<-ctx.Done()
	return ctx.Err()
}

// TestAbortWithPartsUnderWay: Abort does not wait for a server that does not answer.
func TestAbortWithPartsUnderWay(t *testing.T) {
	var silent atomic.Bool
	silent.Store(true)
	b := stuck{memory.New(), &silent}
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

// TestCanceledWithPartsUnderWay: an op whose context ends does not wait for a server that does not
// answer, and the stage is as good as before.
func TestCanceledWithPartsUnderWay(t *testing.T) {
	var silent atomic.Bool
	silent.Store(true)
	b := stuck{memory.New(), &silent}
	s := s3.NewTinyStore(b, "v/", 100)
	t.Cleanup(func() { _ = s.Close() })
	st, err := s.Stage(t.Context(), engine.StageOptions{ChunkSize: 50, Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	value := bytes.Repeat([]byte("0123456789"), 25)
	for p := range slices.Chunk(value, 50) {
		if err := st.WriteChunk(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	op := engine.Op{Kind: engine.Put, Key: "k", Staged: st}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	applied := make(chan error, 1)
	go func() {
		_, err := s.Apply(ctx, []engine.Op{op})
		applied <- err
	}()
	select {
	case err := <-applied:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Apply: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Apply waits for parts, although its context has ended")
	}
	silent.Store(false)
	do(t, s, op)
	if got, err := s.Get(t.Context(), "k"); err != nil || !bytes.Equal(got, value) {
		t.Errorf("Get: %d bytes, %v", len(got), err)
	}
}

// slow is a bucket that answers no request for a value's data.
type slow struct{ *memory.Bucket }

func (b slow) Get(ctx context.Context, key string, r object.Range) (object.Info, io.ReadCloser, error) {
	i, body, err := b.Bucket.Get(ctx, key, r)
	if strings.HasPrefix(key, "v/.d/") {
		body = slowBody{body, ctx}
	}
	return i, body, err
}

type slowBody struct {
	io.ReadCloser
	ctx context.Context
}

func (b slowBody) Read([]byte) (int, error) {
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}

// TestCloseEndsReadOn: Close does not wait for a server that does not answer a reader. A shorter value
// would be read by Open.
func TestCloseEndsReadOn(t *testing.T) {
	b := memory.New()
	s := s3.NewTinyStore(b, "v/", 1000)
	do(t, s, engine.Op{Kind: engine.Put, Key: "k", Value: make([]byte, 300_000)})
	stuck := s3.NewTinyStore(slow{b}, "v/", 1000)
	t.Cleanup(func() { _ = stuck.Close() })
	blob, err := stuck.Open(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := blob.(engine.Verifier).ReadOn(t.Context(), make([]byte, 100), 0)
		read <- err
	}()
	time.Sleep(20 * time.Millisecond) // ReadOn waits by now, or fails at once
	closed := make(chan error, 1)
	go func() { closed <- blob.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Errorf("Close: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Close waits for ReadOn")
	}
	if err := <-read; !errors.Is(err, engine.ErrClosed) {
		t.Errorf("ReadOn: %v, want ErrClosed", err)
	}
}
