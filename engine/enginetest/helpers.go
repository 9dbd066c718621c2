package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault/engine"
)

// largeSize is more than an engine is likely to handle in one piece.
const largeSize = 1<<20 + 77_777

// newTag is a version tag as the vault makes them.
func newTag() string { return fmt.Sprintf("%016x", rand.Uint64()) }

func newMeta() engine.Meta {
	return engine.Meta{Tag: newTag(), ModTime: time.Unix(1700000000, 123456789)}
}

func sumOf(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// noise is n bytes without a pattern, the same for the same n.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)})
	_, _ = r.Read(b)
	return b
}

func putOp(key, value string) engine.Op {
	return engine.Op{Kind: engine.Put, Key: key, Value: []byte(value), Meta: newMeta()}
}

func deleteOp(key string) engine.Op { return engine.Op{Kind: engine.Delete, Key: key} }

func takeOp(key string) engine.Op { return engine.Op{Kind: engine.Delete, Key: key, Take: true} }

func renameOp(from, to string) engine.Op { return engine.Op{Kind: engine.Rename, Key: from, To: to} }

func rangeOp(start, end string) engine.Op {
	return engine.Op{Kind: engine.DeleteRange, Range: engine.Range{Start: start, End: end}}
}

// single reports whether x makes one change at a time.
func single(x target) bool {
	_, ok := x.(engine.EachApplier)
	return ok
}

// apply performs ops, which must succeed; one after another if x makes one change at a time.
func apply(t *testing.T, x target, ops ...engine.Op) []engine.Result {
	t.Helper()
	var results []engine.Result
	var err error
	if e, ok := x.(engine.EachApplier); ok {
		results, err = applyOneByOne(t.Context(), e, ops)
	} else {
		results, err = x.Apply(t.Context(), ops)
	}
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	if len(results) != len(ops) {
		t.Fatalf("Apply gave %d results for %d ops", len(results), len(ops))
	}
	return results
}

// applyOneByOne performs ops in order, or at once where the order does not matter.
func applyOneByOne(
	ctx context.Context, x engine.EachApplier, ops []engine.Op,
) ([]engine.Result, error) {
	if areDistinctPuts(ops) {
		results, errs := x.ApplyEach(ctx, ops)
		return results, errors.Join(errs...)
	}
	var all []engine.Result
	for i := range ops {
		results, err := x.Apply(ctx, ops[i:i+1])
		if err != nil {
			return nil, fmt.Errorf("op %d: %w", i, err)
		}
		all = append(all, results...)
	}
	return all, nil
}

// areDistinctPuts reports whether ops are several puts of different keys.
func areDistinctPuts(ops []engine.Op) bool {
	keys := map[string]bool{}
	for _, op := range ops {
		if op.Kind != engine.Put || keys[op.Key] {
			return false
		}
		keys[op.Key] = true
	}
	return len(ops) > 1
}

// foundByPut checks Found of the result of a put, which a store that makes one change at a time
// need not know.
func foundByPut(t *testing.T, x target, res engine.Result, want bool) {
	t.Helper()
	if res.Found != want && (res.Found || !single(x)) {
		t.Errorf("Found of a put of %q is %v, want %v", res.Entry.Key, res.Found, want)
	}
}

// put stores key/value pairs.
func put(t *testing.T, x target, pairs ...string) {
	t.Helper()
	var ops []engine.Op
	for i := 0; i < len(pairs); i += 2 {
		ops = append(ops, putOp(pairs[i], pairs[i+1]))
	}
	apply(t, x, ops...)
}

// applyFails performs ops, of which number index must fail with want. A store that makes one change
// at a time gets that alone.
func applyFails(t *testing.T, x target, want error, index int, ops ...engine.Op) {
	t.Helper()
	if single(x) {
		ops, index = ops[index:index+1], 0
	}
	results, err := x.Apply(t.Context(), ops)
	wantErr(t, "Apply", err, want)
	var oe *engine.OpError
	switch {
	case results != nil:
		t.Errorf("a failed Apply gave results %+v", results)
	case !errors.As(err, &oe):
		t.Errorf("error of Apply is a %T, want an *engine.OpError: %v", err, err)
	case oe.Index != index || oe.Key != ops[index].Key:
		t.Errorf("error names op %d on %q, want %d on %q", oe.Index, oe.Key, index, ops[index].Key)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// has checks that r holds just these key/value pairs, given in ascending order.
func has(t *testing.T, r engine.Reader, pairs ...string) {
	t.Helper()
	got := []string{}
	for _, it := range listAll(t, r, engine.Query{Limit: 100, Values: true}) {
		got = append(got, it.Key, string(it.Value))
	}
	if diff := cmp.Diff(append([]string{}, pairs...), got); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
}

// holds checks the value of one key.
func holds(t *testing.T, r engine.Reader, key string, want []byte) {
	t.Helper()
	got, err := r.Get(t.Context(), key)
	if err != nil {
		t.Errorf("Get(%q): %v", key, err)
	} else if !bytes.Equal(got, want) {
		t.Errorf("Get(%q): %d bytes %.40q, want %d bytes %.40q", key, len(got), got, len(want), want)
	}
}

func lacks(t *testing.T, r engine.Reader, key string) {
	t.Helper()
	_, err := r.Get(t.Context(), key)
	wantErr(t, fmt.Sprintf("Get(%q)", key), err, engine.ErrNotFound)
}

func stat(t *testing.T, r engine.Reader, key string) engine.Entry {
	t.Helper()
	e, err := r.Stat(t.Context(), key)
	if err != nil {
		t.Fatalf("Stat(%q): %v", key, err)
	}
	return e
}

// listAll reads the whole answer to a query, page by page.
func listAll(t *testing.T, r engine.Reader, q engine.Query) []engine.Item {
	t.Helper()
	var items []engine.Item
	for {
		page, err := r.List(t.Context(), q)
		if err != nil {
			t.Fatalf("List(%s): %v", show(q), err)
		}
		if len(page.Items) > q.Limit {
			t.Fatalf("List(%s): %d items", show(q), len(page.Items))
		}
		items = append(items, page.Items...)
		if !page.More {
			return items
		}
		if len(page.Items) == 0 {
			t.Fatalf("List(%s): no items, but more", show(q))
		}
		if q.Range = q.After(page.Items[len(page.Items)-1].Key, q.Reverse); q.Empty() {
			return items
		}
	}
}

// show makes a query readable, whatever bytes its keys hold.
func show(q engine.Query) string {
	return fmt.Sprintf("%q to %q, reverse %v, limit %d, values %v, max %d bytes", q.Start, q.End, q.Reverse, q.Limit, q.Values, q.MaxBytes)
}

func keysOf(items []engine.Item) []string {
	keys := []string{}
	for _, it := range items {
		keys = append(keys, it.Key)
	}
	return keys
}

func openBlob(t *testing.T, r engine.Reader, key string) engine.Blob {
	t.Helper()
	b, err := r.Open(t.Context(), key)
	if err != nil {
		t.Fatalf("Open(%q): %v", key, err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// readerAt is an io.ReaderAt made of the method of a blob.
type readerAt struct {
	ctx  context.Context
	read func(ctx context.Context, p []byte, off int64) (int, error)
}

func (r readerAt) ReadAt(p []byte, off int64) (int, error) { return r.read(r.ctx, p, off) }

// blobHolds checks the whole content of a blob, read in parts, and in order if it can be verified
// so.
func blobHolds(t *testing.T, b engine.Blob, want []byte) {
	t.Helper()
	if size := b.Entry().Size; size != int64(len(want)) {
		t.Errorf("blob of %q: %d bytes, want %d", b.Entry().Key, size, len(want))
		return
	}
	from := []readerAt{{t.Context(), b.ReadAt}}
	if v, ok := b.(engine.Verifier); ok {
		from = append(from, readerAt{t.Context(), v.ReadOn})
	}
	for _, r := range from {
		var got bytes.Buffer
		src := io.NewSectionReader(r, 0, int64(len(want)))
		if _, err := io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{src}, make([]byte, 65_521)); err != nil {
			t.Errorf("blob of %q: %v", b.Entry().Key, err)
		} else if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("blob of %q reads other bytes than were stored", b.Entry().Key)
		}
	}
}

// blobHoldsOrGone is blobHolds for a blob of r whose version is gone since: a store that makes one
// change at a time may then say so, in place of any bytes.
func blobHoldsOrGone(t *testing.T, r target, b engine.Blob, want []byte) {
	t.Helper()
	if single(r) {
		if _, err := b.ReadAt(t.Context(), make([]byte, 1), 0); errors.Is(err, engine.ErrTagMismatch) {
			return
		}
	}
	blobHolds(t, b, want)
}

// stage writes value into a new stage, chunk by chunk.
func stage(t *testing.T, x target, chunk int, value []byte) engine.Stage {
	t.Helper()
	st, err := x.Stage(t.Context(), engine.StageOptions{ChunkSize: chunk, Size: int64(len(value))})
	if err != nil {
		t.Fatalf("Stage: %v", err)
	}
	t.Cleanup(func() { _ = st.Abort() })
	for len(value) > 0 {
		n := min(chunk, len(value))
		if err := st.WriteChunk(t.Context(), value[:n]); err != nil {
			t.Fatalf("WriteChunk: %v", err)
		}
		value = value[n:]
	}
	return st
}

func stagedOp(key string, st engine.Stage) engine.Op {
	return engine.Op{Kind: engine.Put, Key: key, Staged: st, Meta: newMeta()}
}

// begin starts a transaction, which is rolled back at the end of the test if it is still open then.
func begin(t *testing.T, s engine.Transactor, writable bool) engine.Tx {
	t.Helper()
	tx, err := s.Begin(t.Context(), writable)
	if err != nil {
		t.Fatalf("Begin(%v): %v", writable, err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	return tx
}

func commit(t *testing.T, tx engine.Tx) {
	t.Helper()
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatalf("Commit: %v", err)
	}
}

func rollback(t *testing.T, tx engine.Tx) {
	t.Helper()
	if err := tx.Rollback(); err != nil {
		t.Fatalf("Rollback: %v", err)
	}
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
