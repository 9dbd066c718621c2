package enginetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault/engine"
)

func runUploads(t *testing.T, opened func(t *testing.T) engine.Store) {
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, s engine.Uploader)
	}{
		{"Sizes", testUploadSizes},
		{"AnyOrder", testUploadAnyOrder},
		{"Replaces", testUploadReplaces},
		{"Gaps", testUploadGaps},
		{"Size", testUploadSize},
		{"Arguments", testUploadArguments},
		{"Ids", testUploadIDs},
		{"Metadata", testUploadMetadata},
		{"Reads", testUploadReads},
		{"List", testUploadList},
		{"Conditions", testUploadConditions},
		{"UsedUp", testUploadUsedUp},
		{"Abort", testUploadAbort},
		{"Expiry", testUploadExpiry},
		{"Parallel", testUploadParallel},
		{"SameRange", testUploadSameRange},
		{"Contexts", testUploadContexts},
		{"InTransactions", testUploadInTx},
		{"Maintenance", testUploadMaintenance},
		{"Closed", testUploadClosed},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, opened(t).(engine.Uploader)) })
	}
}

// newUpload starts an upload of the key "k".
func newUpload(t *testing.T, s engine.Uploader, chunk int, size int64) engine.Upload {
	t.Helper()
	o := engine.UploadOptions{Key: "k", Size: size, ChunkSize: chunk, Expires: time.Hour}
	u, err := s.NewUpload(t.Context(), o)
	if err != nil {
		t.Fatalf("NewUpload: %v", err)
	}
	return u
}

func writeAt(t *testing.T, u engine.Upload, p []byte, off int64) {
	t.Helper()
	if err := u.WriteAt(t.Context(), p, off); err != nil {
		t.Fatalf("WriteAt(%d bytes, %d): %v", len(p), off, err)
	}
}

func info(t *testing.T, u engine.Upload) engine.UploadInfo {
	t.Helper()
	i, err := u.Info(t.Context())
	if err != nil {
		t.Fatalf("Info: %v", err)
	}
	return i
}

func uploadOp(key string, u engine.Upload) engine.Op {
	return engine.Op{Kind: engine.Put, Key: key, Upload: u, Meta: newMeta()}
}

// published publishes u, which must hold want then.
func published(t *testing.T, s engine.Uploader, u engine.Upload, want []byte) {
	t.Helper()
	res := apply(t, s, uploadOp(u.Key(), u))[0]
	m := res.Entry.Meta
	if res.Entry.Size != int64(len(want)) || m.Sum != sumOf(want) || !m.HasSum {
		t.Errorf("published %d bytes with sum %d, want %d with %d", res.Entry.Size, m.Sum, len(want), sumOf(want))
	}
	if e := stat(t, s, u.Key()); cmp.Diff(e, res.Entry) != "" {
		t.Errorf("Stat %+v, want %+v", e, res.Entry)
	}
	holds(t, s, u.Key(), want)
	blobHolds(t, openBlob(t, s, u.Key()), want)
	if c, ok := s.(engine.Checker); ok {
		err := c.Check(t.Context(), func(p engine.Problem) { t.Errorf("problem with %q: %v", p.Key, p.Err) }, nil)
		if err != nil {
			t.Errorf("Check: %v", err)
		}
	}
}

func wantExtents(t *testing.T, u engine.Upload, want ...engine.Extent) {
	t.Helper()
	if diff := cmp.Diff(engine.Extents(want), info(t, u).Written); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
}

func testUploadSizes(t *testing.T, s engine.Uploader) {
	for _, tt := range []struct{ chunk, size, step int }{
		{1, 0, 1}, {1, 1, 1}, {1, 20, 3}, {10, 42, 42}, {10, 100, 10}, {10, 95, 7}, {4096, 100_000, 9999},
		{65536, 65536, 65536}, {65536, largeSize, 65536}, {1 << 20, 1 << 20, 1 << 20}, {1 << 20, 5<<20 + 5, 5<<20 + 5},
	} {
		for _, size := range []int64{-1, int64(tt.size)} {
			if size > largeSize {
				break
			}
			u, value := newUpload(t, s, tt.chunk, size), noise(tt.size)
			for off := 0; off < len(value); off += tt.step {
				writeAt(t, u, value[off:min(off+tt.step, len(value))], int64(off))
			}
			published(t, s, u, value)
		}
	}
}

// testUploadAnyOrder writes parts of random lengths in random order, several times over, and holds
// what is there against a simple model.
func testUploadAnyOrder(t *testing.T, s engine.Uploader) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 7))
		size, chunk := r.IntN(3000), []int{1, 7, 100, 512, 5000}[r.IntN(5)]
		if chunk == 1 {
			size %= 200
		}
		declared := int64(-1)
		if r.IntN(2) == 0 {
			declared = int64(size)
		}
		u := newUpload(t, s, chunk, declared)
		value, there := make([]byte, size), make([]bool, size)
		write := func(start, end int) {
			for i := start; i < end; i++ {
				value[i], there[i] = byte(r.Uint32()), true
			}
			writeAt(t, u, value[start:end], int64(start))
		}
		for range r.IntN(25) {
			start := r.IntN(size + 1)
			write(start, start+r.IntN(size-start+1))
		}
		wantExtents(t, u, extentsOf(there)...)
		for _, i := range r.Perm(size/50 + 1) {
			write(i*50, min(i*50+50, size))
		}
		published(t, s, u, value)
		if t.Failed() {
			t.Fatalf("seed %d: %d bytes in chunks of %d", seed, size, chunk)
		}
	}
}

func extentsOf(there []bool) (x []engine.Extent) {
	for i, is := range there {
		switch {
		case is && len(x) > 0 && x[len(x)-1].End == int64(i):
			x[len(x)-1].End++
		case is:
			x = append(x, engine.Extent{Start: int64(i), End: int64(i) + 1})
		}
	}
	return x
}

func testUploadReplaces(t *testing.T, s engine.Uploader) {
	put(t, s, "k", "old")
	u := newUpload(t, s, 10, -1)
	value := noise(47)
	writeAt(t, u, noise(33), 10)
	writeAt(t, u, value[40:43], 40) // a short tail
	writeAt(t, u, value[40:45], 40) // and a longer one
	writeAt(t, u, value[44:], 44)
	writeAt(t, u, value[:40], 0)
	has(t, s, "k", "old")
	wantExtents(t, u, engine.Extent{End: 47})
	published(t, s, u, value)
}

func testUploadGaps(t *testing.T, s engine.Uploader) {
	u := newUpload(t, s, 10, 50)
	fails := func(gap string) {
		t.Helper()
		applyFails(t, s, engine.ErrInvalid, 1, putOp("other", "v"), uploadOp("k", u))
		_, err := s.Apply(t.Context(), []engine.Op{uploadOp("k", u)})
		if err == nil || !strings.Contains(err.Error(), "bytes "+gap+" of") {
			t.Errorf("error %v, want one that names %s", err, gap)
		}
	}
	fails("0 to 49")
	writeAt(t, u, noise(5), 12)
	fails("0 to 11")
	writeAt(t, u, noise(12), 0)
	fails("17 to 49")
	writeAt(t, u, noise(5), 45)
	fails("17 to 44")
	writeAt(t, u, noise(1), 43)
	fails("17 to 42")
	has(t, s)
	writeAt(t, u, noise(50), 0)
	published(t, s, u, noise(50))
}

func testUploadSize(t *testing.T, s engine.Uploader) {
	u := newUpload(t, s, 10, 25)
	wantErr(t, "a write across the size", u.WriteAt(t.Context(), noise(6), 20), engine.ErrInvalid)
	wantErr(t, "a write behind the size", u.WriteAt(t.Context(), noise(1), 25), engine.ErrInvalid)
	wantExtents(t, u)
	set := func(size int64) error {
		return u.Update(t.Context(), func(i *engine.UploadInfo) error { i.Size = size; return nil })
	}
	writeAt(t, u, noise(25), 0)
	wantErr(t, "a size below what is written", set(24), engine.ErrInvalid)
	wantErr(t, "a negative size", set(-2), engine.ErrInvalid)
	if err := set(-1); err != nil {
		t.Errorf("Update to an unknown size: %v", err)
	}
	writeAt(t, u, noise(3), 25)
	if err := set(28); err != nil {
		t.Errorf("Update to the size: %v", err)
	}
	wantErr(t, "a write behind the new size", u.WriteAt(t.Context(), noise(1), 28), engine.ErrInvalid)
	published(t, s, u, append(noise(25), noise(3)...))
}

func testUploadArguments(t *testing.T, s engine.Uploader) {
	good := engine.UploadOptions{Key: "k", Size: -1, ChunkSize: 10, Expires: time.Hour}
	for what, tt := range map[string]struct {
		change func(o *engine.UploadOptions)
		want   error
	}{
		"no key":           {func(o *engine.UploadOptions) { o.Key = "" }, engine.ErrInvalid},
		"a long key":       {func(o *engine.UploadOptions) { o.Key = strings.Repeat("k", engine.MaxKey+1) }, engine.ErrTooLarge},
		"size -2":          {func(o *engine.UploadOptions) { o.Size = -2 }, engine.ErrInvalid},
		"chunks of 0":      {func(o *engine.UploadOptions) { o.ChunkSize = 0 }, engine.ErrInvalid},
		"chunks of -1":     {func(o *engine.UploadOptions) { o.ChunkSize = -1 }, engine.ErrInvalid},
		"no expiry":        {func(o *engine.UploadOptions) { o.Expires = 0 }, engine.ErrInvalid},
		"an early expiry":  {func(o *engine.UploadOptions) { o.Expires = -time.Hour }, engine.ErrInvalid},
		"a distant expiry": {func(o *engine.UploadOptions) { o.Expires = math.MaxInt64 }, engine.ErrInvalid},
		"metadata":         {func(o *engine.UploadOptions) { o.Meta.User = map[string]string{"a": "\xff"} }, engine.ErrInvalid},
		"time":             {func(o *engine.UploadOptions) { o.Meta.ModTime = time.Unix(1<<40, 0) }, engine.ErrInvalid},
	} {
		o := good
		tt.change(&o)
		_, err := s.NewUpload(t.Context(), o)
		wantErr(t, "NewUpload with "+what, err, tt.want)
	}
	u := newUpload(t, s, 10, -1)
	for _, off := range []int64{-1, math.MinInt64} {
		wantErr(t, "WriteAt", u.WriteAt(t.Context(), []byte("x"), off), engine.ErrInvalid)
		_, err := u.ReadAt(t.Context(), make([]byte, 1), off)
		wantErr(t, "ReadAt", err, engine.ErrInvalid)
	}
	wantErr(t, "WriteAt", u.WriteAt(t.Context(), []byte("xy"), math.MaxInt64-1), engine.ErrTooLarge)
	writeAt(t, u, nil, 5)
	wantExtents(t, u)
	_, err := s.Uploads(t.Context(), engine.UploadQuery{})
	wantErr(t, "Uploads without a limit", err, engine.ErrInvalid)
	applyFails(t, s, engine.ErrInvalid, 0, engine.Op{Kind: engine.Put, Key: "k", Upload: foreignUpload{u}})
}

// foreignUpload is an upload that no engine made.
type foreignUpload struct{ engine.Upload }

func testUploadIDs(t *testing.T, s engine.Uploader) {
	_, err := s.OpenUpload(t.Context(), "0000000000000001")
	wantErr(t, "OpenUpload where there never was one", err, engine.ErrNoUpload)
	u := newUpload(t, s, 10, -1)
	writeAt(t, u, noise(15), 0)
	id := u.ID()
	if len(id) > 64 || strings.ContainsAny(id, " /?#%&=\"'\n") || id == "" {
		t.Errorf("id %q", id)
	}
	if newUpload(t, s, 10, -1).ID() == id {
		t.Error("two uploads have one id")
	}
	for _, bad := range []string{"", " ", id + " ", " " + id, id + "0", id[1:], id[:len(id)-1], strings.ToUpper(id) + "X", "-" + id,
		"+" + id, "1", "-1", "0x1", "../" + id, id + "\x00", "' OR 1=1 --", "%", "\xff\xfe", "9223372036854775808", strings.Repeat("9", 1<<16)} {
		_, err := s.OpenUpload(t.Context(), bad)
		wantErr(t, fmt.Sprintf("OpenUpload(%.80q)", bad), err, engine.ErrNoUpload)
	}
	again, err := s.OpenUpload(t.Context(), id)
	if err != nil {
		t.Fatalf("OpenUpload: %v", err)
	}
	if again.ID() != id || again.Key() != "k" || again.ChunkSize() != 10 {
		t.Errorf("opened %q of key %q with chunks of %d", again.ID(), again.Key(), again.ChunkSize())
	}
	writeAt(t, again, noise(20), 5)
	published(t, s, u, append(noise(15)[:5], noise(20)...))
	_, err = again.Info(t.Context())
	wantErr(t, "Info through the other handle", err, engine.ErrNoUpload)
}

func testUploadMetadata(t *testing.T, s engine.Uploader) {
	user := map[string]string{"a": "b"}
	o := engine.UploadOptions{Key: "ключ\x00\xff", Size: 7, ChunkSize: 10, Expires: time.Hour, Meta: engine.Meta{
		ContentType: "text/plain", ModTime: time.Unix(1700000000, 123456789).UTC(), User: user, Tag: "ignored",
	}}
	before := time.Now()
	u, err := s.NewUpload(t.Context(), o)
	if err != nil {
		t.Fatalf("NewUpload: %v", err)
	}
	user["a"] = "changed"
	got := info(t, u)
	if got.Created.Before(before.Add(-time.Second)) || got.Created.After(time.Now().Add(time.Second)) ||
		got.Expires.Sub(got.Created).Round(time.Minute) != time.Hour {
		t.Errorf("created %v, expires %v", got.Created, got.Expires)
	}
	want := engine.UploadInfo{ID: u.ID(), Key: o.Key, Size: 7, ChunkSize: 10, Created: got.Created, Expires: got.Expires,
		Meta: engine.Meta{ContentType: "text/plain", ModTime: o.Meta.ModTime, User: map[string]string{"a": "b"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Info (-want +got):\n%s", diff)
	}
	boom := errors.New("boom")
	wantErr(t, "Update", u.Update(t.Context(), func(i *engine.UploadInfo) error { i.Size = 100; return boom }), boom)
	err = u.Update(t.Context(), func(i *engine.UploadInfo) error { i.Meta.User = map[string]string{"\xff": ""}; return nil })
	wantErr(t, "Update", err, engine.ErrInvalid)
	err = u.Update(t.Context(), func(i *engine.UploadInfo) error {
		if diff := cmp.Diff(want, *i); diff != "" {
			t.Errorf("Update gets (-want +got):\n%s", diff)
		}
		i.Meta = engine.Meta{User: map[string]string{"digest": "abc"}}
		i.Key, i.ChunkSize = "other", 5 // which Update does not look at
		return nil
	})
	if err != nil {
		t.Errorf("Update: %v", err)
	}
	want.Meta = engine.Meta{User: map[string]string{"digest": "abc"}}
	if diff := cmp.Diff(want, info(t, u)); diff != "" {
		t.Errorf("Info after Update (-want +got):\n%s", diff)
	}
	writeAt(t, u, noise(7), 0)
	published(t, s, u, noise(7))
}

func testUploadReads(t *testing.T, s engine.Uploader) {
	u := newUpload(t, s, 10, -1)
	value := noise(100)
	writeAt(t, u, value[3:38], 3)
	writeAt(t, u, value[60:], 60)
	for _, tt := range []struct{ off, n, want int64 }{
		{0, 5, 0}, {2, 1, 0}, {3, 5, 5}, {3, 35, 35}, {3, 36, 35}, {37, 10, 1}, {38, 1, 0}, {60, 40, 40}, {95, 10, 5},
		{100, 1, 0}, {math.MaxInt64, 1, 0}, {9, 2, 2}, {5, 0, 0},
	} {
		p := make([]byte, tt.n)
		n, err := u.ReadAt(t.Context(), p, tt.off)
		if int64(n) != tt.want || (err == io.EOF) != (tt.want < tt.n) || err != nil && err != io.EOF {
			t.Errorf("ReadAt(%d bytes, %d): %d, %v; want %d", tt.n, tt.off, n, err, tt.want)
		} else if n > 0 && !bytes.Equal(p[:n], value[tt.off:tt.off+tt.want]) {
			t.Errorf("ReadAt(%d bytes, %d): other bytes than were written", tt.n, tt.off)
		}
	}
}
