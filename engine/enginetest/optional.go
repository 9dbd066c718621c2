package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

// runOptional tests what the store can do beyond engine.Store. probe tells what that is.
func runOptional(t *testing.T, probe engine.Store, opened func(t *testing.T) engine.Store) {
	run := func(name string, test func(t *testing.T, s engine.Store)) {
		t.Run(name, func(t *testing.T) { test(t, opened(t)) })
	}
	if _, ok := probe.(engine.RangeReader); ok {
		run("ReadRange", testReadRange)
	}
	if _, ok := probe.(engine.Statser); ok {
		run("Stats", testStats)
	}
	if _, ok := probe.(engine.Checker); ok {
		run("Check", testCheck)
	}
	if _, ok := probe.(engine.Uploader); ok {
		t.Run("Uploads", func(t *testing.T) { runUploads(t, opened) })
	}
	if _, ok := probe.(engine.Backuper); ok {
		run("Backup", testBackup)
	}
	if _, ok := probe.(engine.Optimizer); ok {
		run("Optimize", testOptimize)
		run("Shrink", testShrink)
	}
	if _, ok := probe.(engine.Layouter); ok {
		run("Relayout", testRelayout)
		run("RelayoutWhileWriting", testRelayoutWhileWriting)
	}
}

// fill stores values of many kinds, and returns what they are.
func fill(t *testing.T, s engine.Store) map[string][]byte {
	t.Helper()
	want := map[string][]byte{}
	var ops []engine.Op
	for i, key := range binaryKeys {
		want[key] = noise(i * i * 100)
		ops = append(ops, engine.Op{Kind: engine.Put, Key: key, Value: want[key], Meta: newMeta()})
	}
	for _, size := range []int{0, 10, 100_005, largeSize} {
		key := fmt.Sprint("staged ", size)
		want[key] = noise(size)
		ops = append(ops, stagedOp(key, stage(t, s, 50_000, want[key])))
	}
	apply(t, s, ops...)
	return want
}

// filled checks that s holds just that.
func filled(t *testing.T, s engine.Reader, want map[string][]byte) {
	t.Helper()
	if n, err := s.Count(t.Context(), engine.Range{}); n != int64(len(want)) || err != nil {
		t.Errorf("Count: %d, %v; want %d", n, err, len(want))
	}
	for key, value := range want {
		holds(t, s, key, value)
		if e := stat(t, s, key); e.Meta.Sum != sumOf(value) || e.Meta.Tag == "" {
			t.Errorf("Stat(%q): %+v, want sum %d and a tag", key, e, sumOf(value))
		}
	}
}

// eventually polls until ok: a store may tidy up in the background.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after 30 s", what)
		}
	}
}

func staged(t *testing.T, s engine.Store) int64 {
	t.Helper()
	st, err := s.(engine.Statser).Stats(t.Context())
	if err != nil {
		t.Fatalf("Stats: %v", err)
	}
	return st.Staged
}

func testStats(t *testing.T, s engine.Store) {
	fill(t, s)
	st, err := s.(engine.Statser).Stats(t.Context())
	if err != nil {
		t.Fatalf("Stats: %v", err)
	}
	if st.Engine == "" || st.FileBytes < 0 || st.LogBytes < 0 || st.FreeBytes < 0 || st.FreeBytes > st.FileBytes {
		t.Errorf("Stats: %+v", st)
	}
	if st.OddKeys != 0 {
		t.Errorf("Stats: %d odd keys", st.OddKeys)
	}
	eventually(t, "no staged value", func() bool { return staged(t, s) == 0 })
	first, second := stage(t, s, 10, noise(10)), stage(t, s, 10, noise(25))
	if n := staged(t, s); n != 2 {
		t.Errorf("Staged with two stages: %d", n)
	}
	apply(t, s, stagedOp("k", first))
	if err := second.Abort(); err != nil {
		t.Errorf("Abort: %v", err)
	}
	eventually(t, "no staged value after Apply and Abort", func() bool { return staged(t, s) == 0 })
	_, err = s.(engine.Statser).Stats(canceled(t))
	wantErr(t, "Stats", err, context.Canceled)
}

func testCheck(t *testing.T, s engine.Store) {
	c := s.(engine.Checker)
	want := fill(t, s)
	report := func(p engine.Problem) { t.Errorf("problem with %q: %v", p.Key, p.Err) }
	if err := c.Check(t.Context(), report, nil); err != nil {
		t.Errorf("Check: %v", err)
	}
	last, total := int64(0), int64(0)
	progress := func(done, of int64) {
		if done < last || done > of {
			t.Errorf("progress went from %d to %d of %d", last, done, of)
		}
		last, total = done, of
	}
	if err := c.Check(t.Context(), report, progress); err != nil {
		t.Errorf("Check: %v", err)
	}
	if last != int64(len(want)) || total != int64(len(want)) {
		t.Errorf("progress ended at %d of %d, want %d", last, total, len(want))
	}
	wantErr(t, "Check", c.Check(canceled(t), report, nil), context.Canceled)
	filled(t, s, want)
}

func testBackup(t *testing.T, s engine.Store) {
	b := s.(engine.Backuper)
	want := fill(t, s)
	dir := t.TempDir()
	path := filepath.Join(dir, "backup")
	last, total := int64(-1), int64(-1)
	if err := b.Backup(t.Context(), path, func(done, of int64) { last, total = done, of }); err != nil {
		t.Fatalf("Backup: %v", err)
	}
	if last != total || last <= 0 {
		t.Errorf("progress ended at %d of %d", last, total)
	}
	before, err := os.ReadFile(path)
	if err != nil || len(before) == 0 {
		t.Errorf("the backup has %d bytes, %v", len(before), err)
	}
	if err := b.Backup(t.Context(), path, nil); err == nil {
		t.Error("Backup onto an existing file succeeded")
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("a refused backup changed the file that was there: %v", err)
	}
	wantErr(t, "Backup", b.Backup(canceled(t), filepath.Join(dir, "none"), nil), context.Canceled)
	if err := b.Backup(t.Context(), filepath.Join(dir, "no", "such", "folder"), nil); err == nil {
		t.Error("Backup into a missing folder succeeded")
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("left after failed backups: %v, %v", names, err)
	}
	filled(t, s, want)
}

func testOptimize(t *testing.T, s engine.Store) {
	o := s.(engine.Optimizer)
	want := fill(t, s)
	apply(t, s, engine.Op{Kind: engine.Put, Key: "gone", Value: noise(1 << 20), Meta: newMeta()})
	apply(t, s, deleteOp("gone"))
	entry := stat(t, s, "a")
	for range 2 {
		if err := o.Optimize(t.Context(), nil); err != nil {
			t.Fatalf("Optimize: %v", err)
		}
	}
	filled(t, s, want)
	if got := stat(t, s, "a"); got.Meta.Tag != entry.Meta.Tag {
		t.Errorf("Optimize changed the tag %s to %s", entry.Meta.Tag, got.Meta.Tag)
	}
	put(t, s, "k", "v")
	holds(t, s, "k", []byte("v"))
	wantErr(t, "Optimize", o.Optimize(canceled(t), nil), context.Canceled)
}

func testShrink(t *testing.T, s engine.Store) {
	o := s.(engine.Optimizer)
	want := fill(t, s)
	apply(t, s, engine.Op{Kind: engine.Put, Key: "gone", Value: noise(largeSize), Meta: newMeta()})
	apply(t, s, deleteOp("gone"))
	n, err := o.Shrink(t.Context(), 10*time.Second)
	if err != nil && !errors.Is(err, engine.ErrUnsupported) || n < 0 {
		t.Errorf("Shrink: %d, %v", n, err)
	}
	filled(t, s, want)
	if err == nil {
		_, err = o.Shrink(canceled(t), time.Second)
		wantErr(t, "Shrink", err, context.Canceled)
	}
}

// testReadRange reads parts of values of every layout, of the version that is named and no other.
func testReadRange(t *testing.T, s engine.Store) {
	want, x := fill(t, s), s.(engine.RangeReader)
	for key, value := range want {
		tag := stat(t, s, key).Meta.Tag
		for _, off := range []int{0, 1, len(value) / 2, len(value) - 1, len(value), len(value) + 1} {
			for _, n := range []int{0, 1, 100, 60_000, len(value), len(value) + 1} {
				if off < 0 {
					continue
				}
				rest := value[min(off, len(value)):]
				p := make([]byte, n)
				got, err := x.ReadRange(t.Context(), key, tag, p, int64(off))
				wanted := rest[:min(n, len(rest))]
				if !bytes.Equal(p[:got], wanted) || got < n && err != io.EOF || got == n && err != nil {
					t.Fatalf("%d bytes at %d of the %d of %q: %d, %v", n, off, len(value), key, got, err)
				}
			}
		}
		p := make([]byte, 1)
		_, err := x.ReadRange(t.Context(), key, tag, p, -1)
		wantErr(t, "a negative offset", err, engine.ErrInvalid)
		apply(t, s, putOp(key, "another version"))
		_, err = x.ReadRange(t.Context(), key, tag, p, 0)
		wantErr(t, "a version that was replaced", err, engine.ErrTagMismatch)
		apply(t, s, engine.Op{Kind: engine.Delete, Key: key})
		_, err = x.ReadRange(t.Context(), key, tag, p, 0)
		wantErr(t, "a key that was removed", err, engine.ErrNotFound)
	}
	_, err := x.ReadRange(t.Context(), "", "", nil, 0)
	wantErr(t, "an empty key", err, engine.ErrInvalid)
}
