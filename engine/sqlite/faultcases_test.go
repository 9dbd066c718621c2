package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// faultCase is an operation on the store of fillForFaults. It returns what has changed in the
// contents if it succeeds.
type faultCase struct {
	name string
	run  func(t *testing.T, s *Store) error
	then func(want map[string][]byte)
	// churn has a value replaced and a large one removed beforehand, without faults, so that there
	// is something to tidy up.
	churn bool
}

func applying(ops ...engine.Op) func(t *testing.T, s *Store) error {
	return func(t *testing.T, s *Store) error { _, err := s.Apply(t.Context(), ops); return err }
}

var faultCases = []faultCase{
	{"put", applying(engine.Op{Kind: engine.Put, Key: "k1", Value: filled('n', 5000)}),
		func(want map[string][]byte) { want["k1"] = filled('n', 5000) }, false},
	{"long", applying(engine.Op{Kind: engine.Put, Key: "k1", Value: filled('l', 150_000)}),
		func(want map[string][]byte) { want["k1"] = filled('l', 150_000) }, false},
	{"stream", streamInto, func(want map[string][]byte) { want["large"] = filled('s', 20000) }, false},
	{"upload", uploadInto, func(want map[string][]byte) { want["large"] = filled('u', 20000) }, false},
	{"flush", flushMany, func(want map[string][]byte) {
		for i := range 20 {
			want[fmt.Sprint("f", i)] = filled('f', 100*i)
		}
		delete(want, "k2")
	}, false},
	{"delete", applying(engine.Op{Kind: engine.Delete, Key: "large"}, engine.Op{Kind: engine.Delete, Key: "k1"}),
		func(want map[string][]byte) { delete(want, "large"); delete(want, "k1") }, false},
	{"append", appendToArray, func(want map[string][]byte) {
		want[arrayKey] = slices.Concat(want[arrayKey], filled('a', 6000))
		want["k1"] = filled('m', 10)
	}, false},
	{"rename", applying(engine.Op{Kind: engine.Rename, Key: "large", To: "k2"}), func(want map[string][]byte) {
		want["k2"] = want["large"]
		delete(want, "large")
	}, false},
	{"copy", applying(engine.Op{Kind: engine.Copy, Key: "large", To: "k2"}, engine.Op{Kind: engine.Delete, Key: "large"}), func(want map[string][]byte) {
		want["k2"] = want["large"]
		delete(want, "large")
	}, false},
	{"metadata", applying(engine.Op{Kind: engine.SetMeta, Key: "k1"}, engine.Op{Kind: engine.SetMeta, Key: "large"}), func(map[string][]byte) {}, false},
	{"checkpoint", func(t *testing.T, s *Store) error {
		return s.onWriter(t.Context(), func(c *driver.Conn) error { _, _, err := c.Checkpoint(true); return err })
	}, func(map[string][]byte) {}, true},
	{"shrink", func(t *testing.T, s *Store) error { _, err := s.Shrink(t.Context(), time.Minute); return err }, func(map[string][]byte) {}, true},
	{"vacuum", func(t *testing.T, s *Store) error { return s.Optimize(t.Context(), nil) }, func(map[string][]byte) {}, true},
}

// arrayKey stands for the array among the contents.
const arrayKey = "\x00array"

func filled(c byte, n int) []byte { return bytes.Repeat([]byte{c}, n) }

// churn replaces a value and removes a large one, and waits until its chunks have been swept.
func churn(t *testing.T, s *Store, want map[string][]byte) {
	t.Helper()
	apply(t, s, engine.Op{Kind: engine.Put, Key: "k1", Value: filled('c', 7000)}, engine.Op{Kind: engine.Delete, Key: "large"})
	want["k1"] = filled('c', 7000)
	delete(want, "large")
	if err := s.writer.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func streamInto(t *testing.T, s *Store) error {
	st, err := s.Stage(t.Context(), engine.StageOptions{ChunkSize: 8192, Size: -1})
	if err != nil {
		return err
	}
	defer st.Abort()
	for p := range slices.Chunk(filled('s', 20000), 8192) {
		if err := st.WriteChunk(t.Context(), p); err != nil {
			return err
		}
	}
	_, err = s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "large", Staged: st}})
	return err
}

// uploadInto writes parts out of order, some of them across chunks, and publishes them. A part that
// was written stays, whatever fails after it.
func uploadInto(t *testing.T, s *Store) error {
	o := engine.UploadOptions{Key: "large", Size: -1, ChunkSize: 8192, Expires: time.Hour}
	u, err := s.NewUpload(t.Context(), o)
	if err != nil {
		return err
	}
	var written engine.Extents
	for _, part := range []engine.Extent{{Start: 12000, End: 20000}, {End: 5000}, {Start: 4000, End: 12000}} {
		if err = u.WriteAt(t.Context(), filled('u', int(part.End-part.Start)), part.Start); err != nil {
			break
		}
		written = written.Add(part)
	}
	if err == nil {
		if _, err = s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "large", Upload: u}}); err == nil {
			return nil
		}
	}
	for _, part := range written {
		p := make([]byte, part.End-part.Start)
		_, failed := u.ReadAt(t.Context(), p, part.Start)
		if errors.Is(failed, engine.ErrNoUpload) && len(written) == 1 {
			continue // the publishing has come through, although it was refused
		}
		if failed == nil && !bytes.Equal(p, filled('u', len(p))) {
			t.Errorf("after %v: the part %v is not as it was acknowledged", err, part)
		}
	}
	return err
}

func flushMany(t *testing.T, s *Store) error {
	ops := []engine.Op{{Kind: engine.Delete, Key: "k2"}}
	for i := range 20 {
		ops = append(ops, engine.Op{Kind: engine.Put, Key: fmt.Sprint("f", i), Value: filled('f', 100*i)})
	}
	_, err := s.Apply(t.Context(), ops)
	return err
}

// appendToArray adds to the array and puts a value in one transaction.
func appendToArray(t *testing.T, s *Store) error {
	ctx := t.Context()
	x, err := s.Begin(ctx, true)
	if err != nil {
		return err
	}
	defer x.Rollback()
	arrays := x.(engine.Arrays)
	a, err := arrays.Array(ctx, "array")
	if err != nil {
		return err
	}
	size, err := arrays.ChunkSize(ctx, a.ID, 0)
	if err == nil {
		err = arrays.ResizeChunk(ctx, a.ID, 0, size+6000)
	}
	if err == nil {
		err = arrays.WriteChunk(ctx, a.ID, 0, size, filled('a', 6000))
	}
	if err == nil {
		err = arrays.SetArrayLength(ctx, a.ID, size+6000)
	}
	if err == nil {
		_, err = x.Apply(ctx, []engine.Op{{Kind: engine.Put, Key: "k1", Value: filled('m', 10)}})
	}
	if err != nil {
		return err
	}
	return x.Commit(ctx)
}

// fillForFaults makes the vault that every fault meets, and returns its contents.
func fillForFaults(t *testing.T, path string, o Options, layout int) map[string][]byte {
	t.Helper()
	if layout == 1 {
		makeWith(t, path, fmt.Sprintf("PRAGMA page_size=%d; PRAGMA auto_vacuum=INCREMENTAL; %s", o.PageSize, Layout1))
	}
	s, err := Open(t.Context(), path, &o)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"k1": filled('1', 3000), "k2": filled('2', 30), "k3": {}, "large": filled('l', 12000), arrayKey: filled('x', 2000)}
	for key, value := range want {
		if key != arrayKey {
			meta := engine.Meta{ContentType: "of " + key, User: map[string]string{"key": key}}
			apply(t, s, engine.Op{Kind: engine.Put, Key: key, Value: value, Meta: meta})
		}
	}
	x := begin(t, s)
	arrays := x.(engine.Arrays)
	a, err := arrays.CreateArray(t.Context(), engine.Array{Name: "array", Type: "bytes:1", ElemSize: 1, MinChunk: 1024, MaxChunk: 1 << 20})
	err = errors.Join(err, arrays.ResizeChunk(t.Context(), a.ID, 0, 2000), arrays.WriteChunk(t.Context(), a.ID, 0, 0, want[arrayKey]),
		arrays.SetArrayLength(t.Context(), a.ID, 2000), x.Commit(t.Context()), s.Close())
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// contents reads all that a store holds and checks it.
func contents(t *testing.T, s *Store) map[string][]byte {
	t.Helper()
	ctx := t.Context()
	if err := s.Check(ctx, func(p engine.Problem) { t.Errorf("check: %q: %v", p.Key, p.Err) }, nil); err != nil {
		t.Errorf("check: %v", err)
	}
	x, err := s.Begin(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Rollback()
	page, err := x.List(ctx, engine.Query{Limit: 1000, Values: true})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]byte{}
	for _, item := range page.Items {
		got[item.Key] = item.Value
	}
	arrays := x.(engine.Arrays)
	a, err := arrays.Array(ctx, "array")
	if err != nil {
		t.Fatal(err)
	}
	got[arrayKey] = make([]byte, a.Length)
	if err := arrays.ReadChunk(ctx, a.ID, 0, 0, got[arrayKey]); err != nil {
		t.Error(err)
	}
	return got
}

func expect(t *testing.T, s *Store, when string, want map[string][]byte) {
	t.Helper()
	if got := contents(t, s); !maps.EqualFunc(got, want, bytes.Equal) {
		for key := range want {
			if !bytes.Equal(got[key], want[key]) {
				t.Errorf("%s: %q has %d bytes, want %d", when, key, len(got[key]), len(want[key]))
			}
		}
		t.Errorf("%s: %d keys, want %d", when, len(got), len(want))
	}
}
