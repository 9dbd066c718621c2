package columns_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/columns"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
	"github.com/kohakuvault/kvault/engine/s3/internal/object/memory"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func begin(t *testing.T, c *columns.Columns) engine.ArrayTx {
	t.Helper()
	x, err := c.Begin(t.Context(), true)
	must(t, err)
	return x
}

const chunkBytes = 4096

func newArray(t *testing.T, c *columns.Columns, name string, chunks ...int64) int64 {
	t.Helper()
	x := begin(t, c)
	a, err := x.CreateArray(t.Context(), engine.Array{Name: name, Type: "i64", ElemSize: 8, MinChunk: 8, MaxChunk: 1 << 20})
	must(t, err)
	for i, size := range chunks {
		must(t, x.ResizeChunk(t.Context(), a.ID, int64(i), size))
		must(t, x.WriteChunk(t.Context(), a.ID, int64(i), 0, bytes.Repeat([]byte{byte(i + 1)}, int(size))))
	}
	must(t, x.Commit(t.Context(), ""))
	return a.ID
}

// appendElement adds a number to the array "a" as package column does, in a transaction.
func appendElement(ctx context.Context, c *columns.Columns, name string, n uint64, id string) error {
	x, err := c.Begin(ctx, true)
	if err != nil {
		return err
	}
	defer x.Rollback()
	a, err := x.Array(ctx, name)
	if err != nil {
		return err
	}
	off := a.Length * 8
	if off%chunkBytes == 0 {
		if err := x.ResizeChunk(ctx, a.ID, off/chunkBytes, chunkBytes); err != nil {
			return err
		}
	}
	if err := x.WriteChunk(ctx, a.ID, off/chunkBytes, off%chunkBytes, binary.LittleEndian.AppendUint64(nil, n)); err != nil {
		return err
	}
	if err := x.SetArrayLength(ctx, a.ID, a.Length+1); err != nil {
		return err
	}
	return x.Commit(ctx, id)
}

func elements(t *testing.T, c *columns.Columns, name string) (list []uint64) {
	t.Helper()
	x := begin(t, c)
	a, err := x.Array(t.Context(), name)
	must(t, err)
	p := make([]byte, 8)
	for i := range a.Length {
		must(t, x.ReadChunk(t.Context(), a.ID, i*8/chunkBytes, i*8%chunkBytes, p))
		list = append(list, binary.LittleEndian.Uint64(p))
	}
	return list
}

func TestRequests(t *testing.T) {
	b := memory.New()
	c := columns.New(b, "p/", columns.Options{})
	id := newArray(t, c, "a", slices.Repeat([]int64{1 << 20}, 8)...)
	var calls []string
	var mu sync.Mutex
	b.Fault = func(call, key string) memory.Fault {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, call+" "+strings.TrimRight(key, "0123456789abcdef"))
		return memory.None
	}
	want := func(what string, list ...string) {
		t.Helper()
		for i := range list {
			list[i] = strings.Replace(list[i], " ", " p/.c/", 1)
		}
		for i := range calls { // "head" ends in letters of hexadecimal numbers
			calls[i] = strings.Replace(calls[i], ".c/h", ".c/head", 1)
		}
		if !slices.Equal(calls, list) {
			t.Errorf("%s sent %q, want %q", what, calls, list)
		}
		calls = nil
	}
	x := begin(t, c)
	must(t, x.WriteChunk(t.Context(), id, 7, 8, make([]byte, 8)))
	must(t, x.SetArrayLength(t.Context(), id, 1))
	must(t, x.Commit(t.Context(), ""))
	want("a small write", "get head", "put head")

	c = columns.New(b, "p/", columns.Options{})
	x = begin(t, c)
	must(t, x.ReadChunk(t.Context(), id, 3, 500_000, make([]byte, 8)))
	want("a random read", "get head", "get d/")
	must(t, x.ReadChunk(t.Context(), id, 3, 500_016, make([]byte, 8)))
	want("one beside it")
	must(t, x.Commit(t.Context(), ""))
	want("a commit of nothing")

	x = begin(t, c)
	for range 100 {
		must(t, x.WriteChunk(t.Context(), id, 2, 0, make([]byte, 1<<20)))
	}
	must(t, x.Commit(t.Context(), ""))
	if n := len(calls); n > 2+100/16+1 {
		t.Errorf("100 MiB over one chunk sent %d requests", n)
	}
	calls = nil
	x = begin(t, c)
	p := make([]byte, 1<<20)
	for i := range int64(8) {
		must(t, x.ReadChunk(t.Context(), id, i, 0, p))
	}
	want("a scan", append([]string{"get head"}, slices.Repeat([]string{"get d/"}, 8)...)...)
}

// faulty makes some calls fail, before or after they take effect.
func faulty(r *rand.Rand, percent int) func(call, key string) memory.Fault {
	var mu sync.Mutex
	return func(call, _ string) memory.Fault {
		mu.Lock()
		defer mu.Unlock()
		switch n := r.IntN(100); {
		case n < percent:
			return memory.Before
		case n < 2*percent && call == "put":
			return memory.After
		}
		return memory.None
	}
}

func TestModel(t *testing.T) {
	for seed := range uint64(4) {
		synctest.Test(t, func(t *testing.T) { runModel(t, seed) })
	}
}

func runModel(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	b := memory.New()
	c := columns.New(b, "p/", columns.Options{SpillBytes: 50_000, CacheBytes: 1 << int(10+r.IntN(14))})
	id := newArray(t, c, "a")
	var kept [][]byte
	commits, failed := 0, 0
	for n := 0; n < 30 || (commits == 0 || failed == 0) && n < 1000; n++ { // the order of requests varies
		b.Fault = faulty(r, 3)
		now, err := change(t.Context(), c, r, id, kept)
		b.Fault = nil
		if err != nil {
			failed++
		} else {
			kept = now
			commits++
		}
		holds(t, columns.New(b, "p/", columns.Options{}), id, kept)
		if t.Failed() {
			t.Fatalf("seed %d after %d commits, last error %v", seed, commits, err)
		}
	}
	if commits == 0 || failed == 0 {
		t.Errorf("%d commits, %d failures", commits, failed)
	}
	time.Sleep(7 * time.Hour)
	_, err := c.Sweep(t.Context(), time.Now(), goOn)
	must(t, err)
	holds(t, columns.New(b, "p/", columns.Options{}), id, kept)
	must(t, c.Check(t.Context(), func(err error) error { return err }))
}

// change makes some random changes and returns what the chunks hold then, if they were committed.
func change(ctx context.Context, c *columns.Columns, r *rand.Rand, id int64, kept [][]byte) ([][]byte, error) {
	x, err := c.Begin(ctx, true)
	if err != nil {
		return nil, err
	}
	defer x.Rollback()
	now := make([][]byte, len(kept))
	for i := range kept {
		now[i] = bytes.Clone(kept[i])
	}
	for range 1 + r.IntN(30) {
		i := r.IntN(len(now) + 1)
		switch k := r.IntN(20); {
		case k == 0:
			err = x.TruncateChunks(ctx, id, int64(i))
			now = now[:i]
		case k < 4 || i == len(now):
			size := r.IntN(100_000)
			if r.IntN(20) == 0 {
				size = 1<<20 + r.IntN(2<<20)
			}
			err = x.ResizeChunk(ctx, id, int64(i), int64(size))
			if i == len(now) {
				now = append(now, nil)
			}
			now[i] = append(now[i], make([]byte, max(0, size-len(now[i])))...)[:size:size]
		default:
			off := r.IntN(len(now[i]) + 1)
			p := make([]byte, r.IntN(min(len(now[i])-off, 1<<r.IntN(18))+1))
			for j := range p {
				p[j] = byte(j*off + i)
			}
			err = x.WriteChunk(ctx, id, int64(i), int64(off), p)
			copy(now[i][off:], p)
		}
		if err != nil {
			return nil, err
		}
	}
	return now, x.Commit(ctx, "")
}

func holds(t *testing.T, c *columns.Columns, id int64, want [][]byte) {
	t.Helper()
	x := begin(t, c)
	if n, err := x.Chunks(t.Context(), id); err != nil || n != int64(len(want)) {
		t.Errorf("%d chunks, %v; want %d", n, err, len(want))
		return
	}
	for i := range want {
		size, err := x.ChunkSize(t.Context(), id, int64(i))
		if err != nil || size != int64(len(want[i])) {
			t.Errorf("chunk %d has %d bytes, %v; want %d", i, size, err, len(want[i]))
			return
		}
		got := make([]byte, size)
		must(t, x.ReadChunk(t.Context(), id, int64(i), 0, got))
		if !bytes.Equal(got, want[i]) {
			t.Errorf("chunk %d of %d bytes differs", i, size)
		}
	}
}

func TestAppenders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const writers, each = 4, 300
		b := memory.New()
		newArray(t, columns.New(b, "p/", columns.Options{}), "a")
		b.Fault = faulty(rand.New(rand.NewPCG(1, 2)), 15)
		var all sync.WaitGroup
		for w := range uint64(writers) {
			all.Go(func() {
				c := columns.New(b, "p/", columns.Options{})
				for i := uint64(0); i < each; {
					// Every error but ErrUnknown says that nothing took effect.
					switch err := appendElement(t.Context(), c, "a", w<<32|i, ""); {
					case err == nil:
						i++
					case errors.Is(err, engine.ErrUnknown):
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		b.Fault = nil
		var next [writers]uint64
		list := elements(t, columns.New(b, "p/", columns.Options{}), "a")
		for _, n := range list {
			if w, i := n>>32, n&(1<<32-1); i != next[w] {
				t.Fatalf("writer %d: element %d, want %d", w, i, next[w])
			} else {
				next[w]++
			}
		}
		if len(list) != writers*each {
			t.Errorf("%d elements, want %d", len(list), writers*each)
		}
	})
}

func TestCommitIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New()
		c := columns.New(b, "p/", columns.Options{})
		newArray(t, c, "a")
		must(t, appendElement(t.Context(), c, "a", 7, "mine"))
		stale := begin(t, c)
		must(t, appendElement(t.Context(), c, "a", 7, "mine"))
		for range 1100 {
			must(t, appendElement(t.Context(), c, "a", 1, ""))
		}
		time.Sleep(10 * time.Minute)
		must(t, appendElement(t.Context(), c, "a", 2, ""))
		must(t, appendElement(t.Context(), c, "a", 7, "mine"))
		a, err := stale.Array(t.Context(), "a")
		must(t, err)
		must(t, stale.SetArrayLength(t.Context(), a.ID, 0))
		must(t, stale.Commit(t.Context(), "mine"))
		if list := elements(t, c, "a"); len(list) != 1102 || list[0] != 7 || list[1] != 1 {
			t.Errorf("%d elements", len(list))
		}
		time.Sleep(10 * time.Minute)
		must(t, appendElement(t.Context(), c, "a", 2, ""))
		must(t, appendElement(t.Context(), c, "a", 2, "")) // knows when the last one was
		must(t, appendElement(t.Context(), c, "a", 7, "mine"))
		if list := elements(t, c, "a"); len(list) != 1105 {
			t.Errorf("%d elements: the id is remembered for good", len(list))
		}
	})
}

// lost is a bucket whose answers to puts of the head get lost, and which then answers nothing.
type lost struct {
	object.Bucket
	gone bool
}

func (l *lost) Put(ctx context.Context, key string, p []byte, o object.PutOptions) (string, error) {
	if strings.HasSuffix(key, "head") {
		l.gone = true
		return "", object.ErrUnknown
	}
	return l.Bucket.Put(ctx, key, p, o)
}

func (l *lost) Get(ctx context.Context, key string, r object.Range) (object.Info, io.ReadCloser, error) {
	if l.gone {
		return object.Info{}, nil, errors.New("no answer")
	}
	return l.Bucket.Get(ctx, key, r)
}

func TestUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New()
		newArray(t, columns.New(b, "p/", columns.Options{}), "a")
		start := time.Now()
		err := appendElement(t.Context(), columns.New(&lost{Bucket: b}, "p/", columns.Options{}), "a", 1, "")
		if took := time.Since(start); !errors.Is(err, engine.ErrUnknown) || took < 30*time.Second || took > time.Minute {
			t.Errorf("after %v: %v", took, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = appendElement(ctx, columns.New(&lost{Bucket: b}, "p/", columns.Options{}), "a", 1, "")
		if !errors.Is(err, context.DeadlineExceeded) { // which says as much of an outcome as ErrUnknown
			t.Errorf("after the deadline: %v", err)
		}
	})
}

func TestConflicts(t *testing.T) {
	ctx := t.Context()
	for _, tt := range []struct {
		name string
		do   func(x engine.ArrayTx, a, b int64) error
		want error
	}{
		{"another array", func(x engine.ArrayTx, _, b int64) error { return x.SetArrayLength(ctx, b, 5) }, nil},
		{"the same array", func(x engine.ArrayTx, a, _ int64) error { return x.SetArrayLength(ctx, a, 5) }, engine.ErrConflict},
		{"reads it", func(x engine.ArrayTx, a, b int64) error {
			_, err := x.Chunks(ctx, a)
			return errors.Join(err, x.SetArrayLength(ctx, b, 5))
		}, engine.ErrConflict},
		{"lists", func(x engine.ArrayTx, _, b int64) error {
			_, err := x.Arrays(ctx)
			return errors.Join(err, x.SetArrayLength(ctx, b, 5))
		}, engine.ErrConflict},
		{"drops", func(x engine.ArrayTx, _, b int64) error { return x.DropArray(ctx, b) }, engine.ErrConflict},
		{"renames", func(x engine.ArrayTx, _, b int64) error { return x.RenameArray(ctx, b, "c") }, engine.ErrConflict},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := columns.New(memory.New(), "p/", columns.Options{})
			a, b := newArray(t, c, "a"), newArray(t, c, "b")
			x := begin(t, c)
			must(t, tt.do(x, a, b))
			must(t, appendElement(ctx, c, "a", 1, ""))
			if err := x.Commit(ctx, ""); !errors.Is(err, tt.want) {
				t.Errorf("Commit: %v, want %v", err, tt.want)
			}
			if n := len(elements(t, c, "a")); n != 1 {
				t.Errorf("%d elements of the other's", n)
			}
			list, err := begin(t, c).Arrays(ctx)
			must(t, err)
			if want := int64(5); tt.want == nil && (len(list) != 2 || list[1].Length != want) {
				t.Errorf("arrays are %+v", list)
			}
		})
	}
}

func TestManifests(t *testing.T) {
	b := memory.New()
	c := columns.New(b, "p/", columns.Options{})
	id := newArray(t, c, "a")
	var want [][]byte
	x := begin(t, c)
	for i := range 5000 {
		must(t, x.ResizeChunk(t.Context(), id, int64(i), 8))
		want = append(want, make([]byte, 8))
		if i%10 == 0 {
			want[i] = fmt.Appendf(nil, "%08d", i)
			must(t, x.WriteChunk(t.Context(), id, int64(i), 0, want[i]))
		}
	}
	must(t, x.Commit(t.Context(), ""))
	holds(t, columns.New(b, "p/", columns.Options{}), id, want)
	for n := range 3 { // each time a manifest has chunks of old behind the end
		x = begin(t, c)
		must(t, x.TruncateChunks(t.Context(), id, int64(4500-n*1000)))
		want = want[:4500-n*1000]
		for i := len(want); i < 4900; i++ {
			must(t, x.ResizeChunk(t.Context(), id, int64(i), int64(n)))
			want = append(want, make([]byte, n))
		}
		must(t, x.Commit(t.Context(), ""))
		holds(t, columns.New(b, "p/", columns.Options{}), id, want)
	}
	must(t, c.Check(t.Context(), func(err error) error { return err }))
	page, err := b.List(t.Context(), object.Query{Prefix: "p/.c/m/", Limit: 100})
	must(t, err)
	if len(page.Objects) < 4 {
		t.Errorf("%d manifests", len(page.Objects))
	}
}

func goOn(int) error { return nil }

func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		b := memory.New()
		c := columns.New(b, "p/", columns.Options{SpillBytes: 1})
		id := newArray(t, c, "a", 100_000)
		count := func() int {
			page, err := b.List(ctx, object.Query{Prefix: "p/.c/d/", Limit: 100})
			must(t, err)
			return len(page.Objects)
		}
		sweep := func(now time.Time, want int64) {
			t.Helper()
			if n, err := c.Sweep(ctx, now, goOn); err != nil || n.Objects != want {
				t.Errorf("Sweep: %+v, %v; want %d", n, err, want)
			}
		}
		reader, late := begin(t, columns.New(b, "p/", columns.Options{})), begin(t, c)
		must(t, late.WriteChunk(ctx, id, 0, 0, []byte("late"))) // uploads
		x := begin(t, c)
		must(t, x.WriteChunk(ctx, id, 0, 0, []byte("new")))
		time.Sleep(2 * time.Hour)
		sweep(time.Now().Add(100*time.Hour), 0) // the clock of this machine is wrong
		must(t, x.Commit(ctx, ""))
		if n := count(); n != 3 {
			t.Errorf("%d objects", n)
		}
		time.Sleep(5 * time.Hour)
		if err := late.Commit(ctx, ""); !errors.Is(err, engine.ErrSwept) {
			t.Errorf("a late commit: %v", err)
		}
		for pages := range 2 { // the listings of blocks and of manifests
			stop, calls := errors.New("stop"), 0
			n, err := c.Sweep(ctx, time.Now(), func(int) error {
				if calls++; calls > pages {
					return stop
				}
				return nil
			})
			if !errors.Is(err, stop) || n.Objects != 0 || count() != 3 {
				t.Errorf("Sweep that was stopped: %+v, %v", n, err)
			}
		}
		sweep(time.Now(), 2)
		if err := reader.ReadChunk(ctx, id, 0, 0, make([]byte, 9)); !errors.Is(err, engine.ErrSwept) {
			t.Errorf("an old reader: %v", err)
		}
		want := bytes.Repeat([]byte{1}, 100_000)
		copy(want, "new")
		holds(t, columns.New(b, "p/", columns.Options{}), id, [][]byte{want})
		must(t, b.Delete(ctx, "p/.c/head", object.DeleteOptions{}))
		sweep(time.Now(), 0) // without a head
	})
}

func TestDamage(t *testing.T) {
	ctx := t.Context()
	for _, tt := range []struct {
		name, key string
		change    func([]byte) []byte
		want      error
	}{
		{"block flipped", "p/.c/d/", func(p []byte) []byte { p[70_000] ^= 1; return p }, engine.ErrCorrupt},
		{"block short", "p/.c/d/", func(p []byte) []byte { return p[:50_000] }, engine.ErrCorrupt},
		{"block long", "p/.c/d/", func(p []byte) []byte { return append(p, 0) }, engine.ErrCorrupt},
		{"block missing", "p/.c/d/", func([]byte) []byte { return nil }, engine.ErrCorrupt},
		{"head flipped", "p/.c/head", func(p []byte) []byte { p[10] ^= 1; return p }, engine.ErrCorrupt},
		{"head empty", "p/.c/head", func([]byte) []byte { return []byte{} }, engine.ErrCorrupt},
		{"head of HTML", "p/.c/head", func([]byte) []byte { return []byte("<html></html>") }, engine.ErrCorrupt},
		{"head newer", "p/.c/head", func(p []byte) []byte { p[4]++; return p }, engine.ErrUnsupported},
		{"manifest flipped", "p/.c/m/", func(p []byte) []byte { p[10] ^= 1; return p }, engine.ErrCorrupt},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := memory.New()
			id := newArray(t, columns.New(b, "p/", columns.Options{}), "a", append([]int64{100_000}, make([]int64, 80)...)...)
			page, err := b.List(ctx, object.Query{Prefix: tt.key, Limit: 10})
			must(t, err)
			if len(page.Objects) != 1 {
				t.Fatalf("%d objects at %s", len(page.Objects), tt.key)
			}
			key := page.Objects[0].Key
			_, body, err := b.Get(ctx, key, object.Range{Length: -1})
			must(t, err)
			raw, err := io.ReadAll(body)
			must(t, err)
			if raw = tt.change(raw); raw == nil {
				must(t, b.Delete(ctx, key, object.DeleteOptions{}))
			} else {
				_, err = b.Put(ctx, key, raw, object.PutOptions{})
				must(t, err)
			}
			c := columns.New(b, "p/", columns.Options{})
			x, err := c.Begin(ctx, false)
			if err == nil {
				err = x.ReadChunk(ctx, id, 0, 0, make([]byte, 100_000))
			}
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), key) {
				t.Errorf("error %v, want %v that names %s", err, tt.want, key)
			}
			faults := 0
			err = c.Check(ctx, func(error) error { faults++; return nil })
			if newer := errors.Is(tt.want, engine.ErrUnsupported); newer != (err != nil) || newer != (faults == 0) {
				t.Errorf("Check found %d faults, and failed with %v", faults, err)
			}
		})
	}
}
