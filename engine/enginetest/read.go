package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault/engine"
)

func readTests() []targetTest {
	return []targetTest{
		{"MissingKey", testMissingKey},
		{"EmptyKey", testEmptyKey},
		{"LongKey", testLongKey},
		{"ValuesOfAllSizes", testSizes},
		{"ValuesThatLookLikeHeaders", testLookalikes},
		{"BinaryKeys", testBinaryKeys},
		{"GetReturnsACopy", testGetCopies},
		{"Meta", testMeta},
		{"MetaOfNothingKnown", testZeroMeta},
		{"MetaIsReplacedWithTheValue", testMetaReplaced},
		{"UserMetaThatIsNotText", testUserBytes},
		{"BlobReads", testBlobReads},
		{"BlobStaysAsItWas", testBlobStable},
		{"BlobAfterClose", testBlobClosed},
		{"CanceledReads", testCanceledReads},
	}
}

func testMissingKey(t *testing.T, x target) {
	put(t, x, "a", "1", "c", "3")
	for _, key := range []string{"b", "a\x00", "A", "c/", "\xff"} {
		lacks(t, x, key)
		_, err := x.Stat(t.Context(), key)
		wantErr(t, "Stat", err, engine.ErrNotFound)
		_, err = x.Open(t.Context(), key)
		wantErr(t, "Open", err, engine.ErrNotFound)
		wantErr(t, "Open", err, fs.ErrNotExist)
	}
}

func testEmptyKey(t *testing.T, x target) {
	put(t, x, "a", "1")
	if _, err := x.Get(t.Context(), ""); err == nil {
		t.Error("Get of the empty key succeeded")
	}
	applyFails(t, x, engine.ErrInvalid, 0, putOp("", "1"))
	applyFails(t, x, engine.ErrInvalid, 1, putOp("b", "1"), deleteOp(""))
	applyFails(t, x, engine.ErrInvalid, 0, renameOp("a", ""))
	has(t, x, "a", "1")
}

func testSizes(t *testing.T, x target) {
	for _, size := range []int{0, 1, 9, 10, 11, 1000, 4096, 65536, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3_000_000} {
		value := noise(size)
		key := fmt.Sprint("size", size)
		op := engine.Op{Kind: engine.Put, Key: key, Value: value, Meta: newMeta()}
		if size == 0 {
			op.Value = nil
		}
		res := apply(t, x, op)[0]
		got, err := x.Get(t.Context(), key)
		if err != nil || got == nil || !bytes.Equal(got, value) {
			t.Fatalf("Get of %d bytes: %d bytes (nil %v), error %v", size, len(got), got == nil, err)
		}
		if a, ok := x.(engine.ValueAppender); ok {
			for _, dst := range [][]byte{nil, []byte("head"), make([]byte, 4, size+10)} {
				got, err := a.AppendValue(t.Context(), dst, key)
				if err != nil || !bytes.Equal(got, append(bytes.Clone(dst), value...)) {
					t.Fatalf("AppendValue of %d bytes to %d: %d bytes, error %v", size, len(dst), len(got), err)
				}
				if len(dst) > 0 && cap(dst) >= len(got) && &got[0] != &dst[0] {
					t.Errorf("AppendValue of %d bytes left the memory that had room", size)
				}
			}
		}
		e := stat(t, x, key)
		if e.Size != int64(size) || !e.Meta.HasSum || e.Meta.Sum != sumOf(value) {
			t.Errorf("Stat of %d bytes: %+v, want sum %d", size, e, sumOf(value))
		}
		if diff := cmp.Diff(e, res.Entry); diff != "" {
			t.Errorf("Result.Entry of %d bytes (-Stat +Result):\n%s", size, diff)
		}
		blobHolds(t, openBlob(t, x, key), value)
	}
}

// testLookalikes stores bytes that begin like the headers of the vault format: they are values like
// any other.
func testLookalikes(t *testing.T, x target) {
	want := map[string][]byte{}
	var ops []engine.Op
	for enc := range 256 {
		head := []byte{0x89, 0x4B, 0x01, byte(enc), 0, 0, 0, 0, 0x56, 0x4B}
		for n, tail := range [][]byte{nil, noise(30), make([]byte, 54)} {
			key := fmt.Sprint(enc, "/", n)
			want[key] = append(bytes.Clone(head), tail...)
			ops = append(ops, engine.Op{Kind: engine.Put, Key: key, Value: want[key], Meta: newMeta()})
		}
	}
	apply(t, x, ops...)
	for key, value := range want {
		holds(t, x, key, value)
		if e := stat(t, x, key); e.Size != int64(len(value)) {
			t.Errorf("Size of %q is %d, want %d", key, e.Size, len(value))
		}
	}
}

// binaryKeys are in ascending order.
var binaryKeys = []string{
	"\x00", "\x00\x00", "\x00a", "\x01", "\n", " ", "%", "'", "*", "A", "[", "_", "a", "a\x00", "a\x00\x00b", "a ", "a/", "a/b", "a0", "aa", "a\xff",
	"a\xff\xff", "b", "\x7f", "\x80", "\xc3", "\xc3\x28", "é", "\xc3\xff", "日本", "\xed\xa0\x80", "🗝", "\xf0\x9f", "\xfe", "\xff", "\xff\x00", "\xff\xff",
}

func testBinaryKeys(t *testing.T, x target) {
	var pairs []string
	for _, key := range sortedKeys(binaryKeys) {
		pairs = append(pairs, key, "value of "+key)
	}
	put(t, x, pairs...)
	has(t, x, pairs...)
	for i := 0; i < len(pairs); i += 2 {
		holds(t, x, pairs[i], []byte(pairs[i+1]))
		if e := stat(t, x, pairs[i]); e.Key != pairs[i] {
			t.Errorf("Stat(%q) is of %q", pairs[i], e.Key)
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		if res := apply(t, x, deleteOp(pairs[i])); !res[0].Found {
			t.Errorf("Delete did not find %q", pairs[i])
		}
		lacks(t, x, pairs[i])
	}
	has(t, x)
}

func testGetCopies(t *testing.T, x target) {
	op := putOp("k", "value")
	apply(t, x, op)
	if string(op.Value) != "value" {
		t.Errorf("Apply changed op.Value to %q", op.Value)
	}
	op.Value[0] = 'X'
	holds(t, x, "k", []byte("value"))
	got, _ := x.Get(t.Context(), "k")
	got[0] = 'Y'
	holds(t, x, "k", []byte("value"))
	page, err := x.List(t.Context(), engine.Query{Limit: 1, Values: true})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("List: %+v, %v", page, err)
	}
	page.Items[0].Value[0] = 'Z'
	holds(t, x, "k", []byte("value"))
}

func testMeta(t *testing.T, x target) {
	utc := time.UTC
	metas := []engine.Meta{
		{Tag: "0123456789abcdef", ModTime: time.Date(2024, 2, 29, 12, 34, 56, 123456789, utc)},
		{Tag: "ffffffffffffffff", ModTime: time.Date(2024, 2, 29, 12, 34, 56, 1, time.FixedZone("odd", 3600+17)), ContentType: "text/plain; charset=utf-8"},
		{Tag: "0000000000000001", ModTime: time.Unix(0, 0), ContentType: "x/é"},
		{Tag: "8000000000000000", ModTime: time.Date(1901, 1, 1, 0, 0, 0, 999999999, utc), User: map[string]string{"a": "b"}},
		{Tag: "7fffffffffffffff", ModTime: time.Date(2200, 1, 1, 0, 0, 0, 0, utc), User: map[string]string{
			"": "empty key", "empty value": "", "ключ": "значение", "🗝": "\U0010FFFF", "nul\x00": "\x00", "quote\"'`\\": "line\nbreak\r\t",
			"<a href='x'>&amp;": "\u2028\u2029\ufffd\ufeff", "e\u0301": "é",
		}},
		{Tag: "7ffffffffffffffe", ModTime: time.Unix(1, 0), User: map[string]string{}},
	}
	for i, meta := range metas {
		key := fmt.Sprint("k", i)
		res := apply(t, x, engine.Op{Kind: engine.Put, Key: key, Value: []byte("value"), Meta: meta})[0]
		want := engine.Entry{Key: key, Size: 5, Meta: meta}
		want.Meta.Sum, want.Meta.HasSum = sumOf([]byte("value")), true
		want.Meta.Tag = res.Entry.Meta.Tag // a store may assign its own
		if len(meta.User) == 0 {
			want.Meta.User = nil
		}
		if want.Meta.Tag == "" {
			t.Errorf("%s has no tag", key)
		}
		b := openBlob(t, x, key)
		page, err := x.List(t.Context(), engine.Query{Range: engine.Range{Start: key}, Limit: 1})
		if err != nil || len(page.Items) != 1 {
			t.Fatalf("List: %+v, %v", page, err)
		}
		for how, got := range map[string]engine.Entry{
			"Result": res.Entry, "Stat": stat(t, x, key), "List": page.Items[0].Entry, "Blob": b.Entry(),
		} {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("entry %d by %s (-want +got):\n%s", i, how, diff)
			}
		}
	}
}

func testZeroMeta(t *testing.T, x target) {
	apply(t, x, engine.Op{Kind: engine.Put, Key: "k", Value: []byte("v")})
	e := stat(t, x, "k")
	if e.Size != 1 || e.Meta.ContentType != "" || e.Meta.User != nil || !e.Meta.HasSum || e.Meta.Sum != sumOf([]byte("v")) {
		t.Errorf("entry of a put without metadata: %+v", e)
	}
}

func testMetaReplaced(t *testing.T, x target) {
	rich := newMeta()
	rich.ContentType, rich.User = "text/plain", map[string]string{"a": "b"}
	first := apply(t, x, engine.Op{Kind: engine.Put, Key: "k", Value: []byte("1"), Meta: rich})[0].Entry
	plain := engine.Meta{Tag: newTag(), ModTime: time.Unix(5, 5)}
	second := apply(t, x, engine.Op{Kind: engine.Put, Key: "k", Value: []byte("1"), Meta: plain})[0].Entry
	if first.Meta.Tag == second.Meta.Tag {
		t.Errorf("two versions have the tag %s", first.Meta.Tag)
	}
	e := stat(t, x, "k")
	if e.Meta.ContentType != "" || e.Meta.User != nil || !e.Meta.ModTime.Equal(plain.ModTime) || e.Meta.Tag != second.Meta.Tag {
		t.Errorf("metadata after an overwrite: %+v, want none of the old version", e.Meta)
	}
	apply(t, x, deleteOp("k"))
	apply(t, x, engine.Op{Kind: engine.Put, Key: "k", Value: []byte("1"), Meta: plain})
	if e := stat(t, x, "k"); e.Meta.User != nil || e.Meta.ContentType != "" {
		t.Errorf("metadata after delete and put: %+v", e.Meta)
	}
}

// testUserBytes: a store may refuse user metadata that is not UTF-8, but not alter it.
func testUserBytes(t *testing.T, x target) {
	for _, user := range []map[string]string{{"\xff": "v"}, {"k": "a\xc3"}, {"k": "\xed\xa0\x80"}} {
		op := putOp("k", "v")
		op.Meta.User = user
		_, err := x.Apply(t.Context(), []engine.Op{op})
		if err != nil {
			wantErr(t, "Apply", err, engine.ErrInvalid)
		} else if diff := cmp.Diff(user, stat(t, x, "k").Meta.User); diff != "" {
			t.Errorf("user metadata (-want +got):\n%s", diff)
		}
	}
}

func testBlobReads(t *testing.T, x target) {
	put(t, x, "k", "0123456789")
	b := openBlob(t, x, "k")
	tests := []struct {
		off  int64
		n    int
		want string
		eof  bool
	}{
		{0, 1, "0", false},
		{0, 10, "0123456789", false},
		{0, 11, "0123456789", true},
		{3, 4, "3456", false},
		{9, 1, "9", false},
		{9, 2, "9", true},
		{10, 1, "", true},
		{11, 1, "", true},
		{1 << 40, 1, "", true},
	}
	for _, tt := range tests {
		p := make([]byte, tt.n)
		n, err := b.ReadAt(t.Context(), p, tt.off)
		atEnd := tt.off+int64(tt.n) == 10 && err == io.EOF // io.ReaderAt leaves that open
		if string(p[:n]) != tt.want || !atEnd && (err == io.EOF) != tt.eof || err != nil && err != io.EOF {
			t.Errorf("ReadAt %d bytes at %d: %q, %v; want %q, EOF %v", tt.n, tt.off, p[:n], err, tt.want, tt.eof)
		}
	}
	if n, err := b.ReadAt(t.Context(), make([]byte, 1), -1); n != 0 || err == nil || err == io.EOF {
		t.Errorf("ReadAt a negative offset: %d, %v", n, err)
	}
	for name, value := range map[string][]byte{"small": []byte("0123456789"), "large": noise(100_000)} {
		apply(t, x, engine.Op{Kind: engine.Put, Key: name, Value: value, Meta: newMeta()})
		src := io.NewSectionReader(readerAt{t.Context(), openBlob(t, x, name).ReadAt}, 0, int64(len(value)))
		if err := iotest.TestReader(src, value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func testBlobStable(t *testing.T, x target) {
	changes := map[string]engine.Op{
		"overwrite": putOp("k", "new"), "delete": deleteOp("k"), "delete range": rangeOp("", ""), "rename": renameOp("k", "l"),
		"rename onto": renameOp("other", "k"), "copy onto": copyOp("other", "k"), "set metadata": metaOp("k"),
	}
	for _, size := range []int{0, 10, 5000, largeSize} {
		for how, op := range changes {
			value := noise(size)
			apply(t, x, rangeOp("", ""), putOp("other", "other"))
			apply(t, x, engine.Op{Kind: engine.Put, Key: "k", Value: value, Meta: newMeta()})
			before := stat(t, x, "k")
			b := openBlob(t, x, "k")
			apply(t, x, op)
			apply(t, x, putOp("k", "newest"))
			blobHoldsOrGone(t, x, b, value)
			if diff := cmp.Diff(before, b.Entry()); diff != "" {
				t.Errorf("%d bytes, %s: entry of the blob changed (-before +after):\n%s", size, how, diff)
			}
			if err := b.Close(); err != nil {
				t.Errorf("Close of a blob: %v", err)
			}
		}
	}
}

func testBlobClosed(t *testing.T, x target) {
	for _, size := range []int{10, largeSize} {
		apply(t, x, engine.Op{Kind: engine.Put, Key: "k", Value: noise(size), Meta: newMeta()})
		b := openBlob(t, x, "k")
		for range 2 {
			if err := b.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		if n, err := b.ReadAt(t.Context(), make([]byte, 1), 0); err == nil || err == io.EOF || n != 0 {
			t.Errorf("ReadAt after Close: %d, %v", n, err)
		}
	}
}

func testCanceledReads(t *testing.T, x target) {
	put(t, x, "k", "value")
	b := openBlob(t, x, "k")
	ctx := canceled(t)
	for what, call := range readCalls(ctx, x, "k") {
		wantErr(t, what, call(), context.Canceled)
	}
	n, err := b.ReadAt(ctx, make([]byte, 1), 0)
	wantErr(t, "ReadAt", err, context.Canceled)
	if n != 0 || errors.Is(err, io.EOF) {
		t.Errorf("canceled ReadAt: %d, %v", n, err)
	}
	holds(t, x, "k", []byte("value"))
}

// readCalls is one call of each method of engine.Reader.
func readCalls(ctx context.Context, r engine.Reader, key string) map[string]func() error {
	return map[string]func() error{
		"Get":   func() error { _, err := r.Get(ctx, key); return err },
		"Stat":  func() error { _, err := r.Stat(ctx, key); return err },
		"Open":  func() error { return ended(r.Open(ctx, key))(engine.Blob.Close) },
		"List":  func() error { _, err := r.List(ctx, engine.Query{Limit: 1}); return err },
		"Count": func() error { _, err := r.Count(ctx, engine.Range{}); return err },
	}
}
