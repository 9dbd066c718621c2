package sqlite

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/faultfs"
	"github.com/kohakuvault/kvault/internal/race"
)

// readsFastBlob says whether the last read of a blob was a fast one.
func readsFastBlob(b engine.Blob) bool {
	cu := b.(*blob).cursor
	return cu != nil && cu.fast != nil && cu.fast.row >= 0
}

// Fast reads of values are right, whatever the pages, the rows and the pieces in which they are
// read.
func TestFastValues(t *testing.T) {
	t.Parallel()
	for _, page := range Some(2, []int{512, 1024, 8192, 65536}) {
		for _, rows := range []int64{100_000, 64 << 20} {
			t.Run(fmt.Sprintf("page=%d/rows=%d", page, rows), func(t *testing.T) { readFastValues(t, page, rows) })
		}
	}
}

func readFastValues(t *testing.T, page int, rows int64) {
	path := filepath.Join(t.TempDir(), "v.db")
	o := Options{PageSize: page, OneRowLimit: rows}
	s := openFast(t, path, o)
	values := map[string][]byte{}
	for i, n := range []int{fastValue - 1, fastValue, 1<<20 + 1, 1<<20 - 1, 3<<20 + 12345} {
		for _, key := range []string{fmt.Sprint("k", i), fmt.Sprint(string(bytes.Repeat([]byte("long"), 5000)), i)} {
			values[key] = pattern(uint64(len(values)), n)
			putFast(t, s, key, values[key])
		}
		putFast(t, s, "gone", pattern(0, n)) // so that the pages of values do not always lie in a row
	}
	swept(t, s) // sweeping is a change, after which the log is not empty
	s.Close()
	s = openFast(t, path, o)
	for key, value := range values {
		got, err := s.Get(context.Background(), key)
		if err != nil || !bytes.Equal(got, value) {
			t.Errorf("get of %d bytes: %d, %v", len(value), len(got), err)
		}
		pieces := []int{1000, fastPiece, 40_001, 1 << 20, len(value)}
		if race.Slowdown > 1 {
			pieces = pieces[rand.IntN(len(pieces)):][:1]
		}
		for _, piece := range pieces {
			readPieces(t, s, key, value, piece)
		}
	}
}

// swept waits until the sweeper has nothing left to do.
func swept(t *testing.T, s *Store) {
	t.Helper()
	waitFor(t, "the sweeper to come to an end", func() bool {
		var left []string
		err := s.read(t.Context(), s.reads, true, func(ses *session) (err error) {
			left, err = texts(ses.c, `SELECT id FROM kvault_orphans`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return len(left) == 0
	})
}

func readPieces(t *testing.T, s *Store, key string, value []byte, piece int) {
	t.Helper()
	b, err := s.Open(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	got, p, past := []byte(nil), make([]byte, piece), false
	for {
		n, err := b.ReadAt(context.Background(), p, int64(len(got)))
		got = append(got, p[:n]...)
		past = past || readsFastBlob(b)
		if err == io.EOF || len(got) == len(value) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, value) {
		t.Errorf("%d bytes in pieces of %d: not what was put", len(value), piece)
	}
	if canTell(s) && len(value) > smallBytes && piece >= fastPiece && !past {
		t.Errorf("%d bytes in pieces of %d was read by SQLite", len(value), piece)
	}
	for range 20 { // at random, which SQLite reads, and fast reads again from the start
		at := rand.IntN(len(value))
		if rand.IntN(3) == 0 {
			at = 0
		}
		n := min(rand.IntN(100_000), len(value)-at)
		if _, err := b.ReadAt(context.Background(), p[:min(n, piece)], int64(at)); err != nil || !bytes.Equal(p[:min(n, piece)], value[at:at+min(n, piece)]) {
			t.Fatalf("%d bytes at %d of %d: %v", n, at, len(value), err)
		}
	}
}

// What lies in the log is read through SQLite, and what was copied into the file from there past
// it.
func TestFastValuesNeedCheckpointedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	s, other := openFast(t, path, Options{}), openFast(t, path, Options{})
	keepLog(s)
	keepLog(other)
	version := uint64(0)
	write := func(in *Store) {
		version++
		putFast(t, in, "k", pattern(version, 2<<20))
	}
	read := func(want bool) {
		t.Helper()
		b, err := s.Open(context.Background(), "k")
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		got := make([]byte, 2<<20)
		if _, err := b.ReadAt(context.Background(), got, 0); err != nil || !bytes.Equal(got, pattern(version, 2<<20)) {
			t.Errorf("version %d is not what was read (%v)", version, err)
		}
		if want = want && canTell(s); readsFastBlob(b) != want {
			t.Errorf("read fast: %t, want %t", !want, want)
		}
	}
	checkpoint := func(in *Store) { // in vain as long as a read keeps the state before
		waitFor(t, "the log to be copied", func() bool {
			if err := in.writer.passive(); err != nil {
				t.Fatal(err)
			}
			return !canTell(in) || backfilled(t, in)
		})
	}
	for range 3 {
		write(s)
		read(false)
		checkpoint(s)
		read(true)
		write(other)
		read(false)
		write(s)
		checkpoint(other)
		read(true)
	}
}

// Readers see one version from its first byte to its last, whoever writes and copies the log into
// the file meanwhile.
func TestFastValuesAmongWriters(t *testing.T) {
	const keys = 3
	path := filepath.Join(t.TempDir(), "v.db")
	o := Options{OneRowLimit: 1_200_000} // one key in chunk rows, two in one row each
	s, other := openFast(t, path, o), openFast(t, path, o)
	sizes := [keys]int{1_300_007, 1_100_001, fastValue + 5}
	version := atomic.Uint64{}
	put := func(in *Store, k int) error {
		_, err := in.Apply(context.Background(), []engine.Op{{Kind: engine.Put, Key: fmt.Sprint(k), Value: pattern(version.Add(1), sizes[k])}})
		return err
	}
	for k := range keys {
		if err := put(s, k); err != nil {
			t.Fatal(err)
		}
	}
	var past atomic.Int64
	amongWriters(t, []*Store{s, other}, &past,
		func(in *Store) error { return put(in, rand.IntN(keys)) },
		func() error {
			k := rand.IntN(keys)
			return readOneVersion(s, fmt.Sprint(k), sizes[k], &past)
		})
	t.Logf("%d versions, %d pieces read fast", version.Load(), past.Load())
}

// amongWriters writes through each store and copies the log into the file again and again, while
// two readers read, for a time and until some read was fast, if there are any.
func amongWriters(t *testing.T, stores []*Store, past *atomic.Int64, write func(in *Store) error, read func() error) {
	t.Helper()
	begin := time.Now()
	going := func() bool {
		took := time.Since(begin)
		return !t.Failed() && (took < Storm || canTell(stores[0]) && past.Load() == 0 && took < time.Minute)
	}
	fail := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	var writing sync.RWMutex
	var all sync.WaitGroup
	for _, in := range stores {
		all.Go(func() {
			for n := 1; going(); n++ {
				writing.RLock()
				fail(write(in))
				writing.RUnlock()
				for range 20 {
					_ = in.writer.passive() // in vain while a reader or the other one is in the way
					time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
				}
				if n%10 == 0 && past.Load() == 0 && canTell(in) {
					untilFast(in, &writing, past, going)
				}
			}
		})
	}
	for range 2 {
		all.Go(func() {
			for going() {
				fail(read())
			}
		})
	}
	all.Wait()
	if canTell(stores[0]) && past.Load() == 0 {
		t.Error("no read was fast")
	}
}

func readOneVersion(s *Store, key string, n int, past *atomic.Int64) error {
	b, err := s.Open(context.Background(), key)
	if err != nil {
		return err
	}
	defer b.Close()
	p := make([]byte, n)
	for at := 0; at < n; {
		k, err := b.ReadAt(context.Background(), p[at:min(at+100_000, n)], int64(at))
		if err != nil {
			return err
		}
		if readsFastBlob(b) {
			past.Add(1)
		}
		at += k
		if rand.IntN(20) == 0 {
			time.Sleep(5 * time.Millisecond)
		}
	}
	first := binary.LittleEndian.Uint64(p)
	for at := 0; at+8 <= n; at += 8 {
		if got := binary.LittleEndian.Uint64(p[at:]); got != first^uint64(at/8)*0xbf58476d1ce4e5b9 {
			return fmt.Errorf("the value of %s is of two versions from byte %d on", key, at)
		}
	}
	return nil
}

// A read that fails is an error or is made good for, never wrong bytes.
func TestFastValuesWithFaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	value := pattern(1, 2<<20)
	s := openFast(t, path, Options{})
	putFast(t, s, "k", value)
	s.Close()
	s = openFast(t, path, Options{vfs: "kvault-faulty"})
	for _, forever := range []bool{false, true} {
		fired := true
		for f := (faultfs.Fault{Op: faultfs.Read, Nth: 1, Forever: forever}); fired; f.Nth += 1 + f.Nth/8 {
			faulty.Arm(f)
			got, err := s.Get(context.Background(), "k")
			if fired = faulty.Disarm(); err == nil && !bytes.Equal(got, value) {
				t.Fatalf("with fault %+v: wrong bytes", f)
			}
			if !fired && err != nil {
				t.Fatal(err)
			}
		}
	}
	readPieces(t, s, "k", value, 1<<20) // which fails if this file system keeps fast reads off
}

// Fast reads of chunks of arrays are right.
func TestFastChunks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	s := openFast(t, path, Options{})
	ctx, data := t.Context(), pattern(7, 3<<20)
	const chunk = 1 << 20
	in := func(s *Store, write bool, fn func(x *tx) error) {
		t.Helper()
		x, err := s.Begin(ctx, write)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Rollback()
		if err = fn(x.(*tx)); err == nil && write {
			err = x.Commit(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	id := int64(0)
	in(s, true, func(x *tx) error {
		a, err := x.CreateArray(ctx, engine.Array{Name: "a", Type: "i64", ElemSize: 8, MinChunk: chunk, MaxChunk: chunk})
		id = a.ID
		for i := int64(0); i < 3 && err == nil; i++ {
			if err = x.ResizeChunk(ctx, id, i, chunk); err == nil {
				err = x.WriteChunk(ctx, id, i, 0, data[i*chunk:(i+1)*chunk])
			}
		}
		return err
	})
	s.Close()
	s = openFast(t, path, Options{})
	for _, piece := range []int{fastPiece, 100_000, 512 << 10, chunk} {
		in(s, false, func(x *tx) error {
			past := false
			for i := range int64(3) {
				for at := 0; at < chunk; at += piece {
					p := make([]byte, min(piece, chunk-at))
					fast, err := readChunk(t, x, id, i, int64(at), p)
					if err != nil {
						return err
					}
					if !bytes.Equal(p, data[int(i)*chunk+at:][:len(p)]) {
						t.Errorf("chunk %d differs from byte %d on, in pieces of %d", i, at, piece)
					}
					past = past || fast
				}
			}
			if canTell(s) && !past {
				t.Errorf("pieces of %d was read by SQLite", piece)
			}
			return nil
		})
	}
}
