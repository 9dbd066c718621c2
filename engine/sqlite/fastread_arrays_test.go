package sqlite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

const fastArrayChunk = 1 << 20

// inArrayTx runs fn in a transaction and keeps what it did.
func inArrayTx(t testing.TB, s *Store, write bool, fn func(x *tx) error) error {
	begun, err := s.Begin(t.Context(), write)
	if err != nil {
		return err
	}
	defer begun.Rollback()
	if err := fn(begun.(*tx)); err != nil || !write {
		return err
	}
	return begun.Commit(t.Context())
}

// newFastArray makes an array of some chunks that hold data.
func newFastArray(t testing.TB, s *Store, data []byte) (id int64) {
	t.Helper()
	err := inArrayTx(t, s, true, func(x *tx) error {
		a, err := x.CreateArray(t.Context(), engine.Array{Name: "a", Type: "i64", ElemSize: 8, MinChunk: fastArrayChunk, MaxChunk: fastArrayChunk})
		if err != nil {
			return err
		}
		id = a.ID
		for i := range int64(len(data) / fastArrayChunk) {
			if err := x.ResizeChunk(t.Context(), id, i, fastArrayChunk); err != nil {
				return err
			}
		}
		return writeFastArray(t, x, id, data)
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func writeFastArray(t testing.TB, x *tx, id int64, data []byte) error {
	for i := range int64(len(data) / fastArrayChunk) {
		if err := x.WriteChunk(t.Context(), id, i, 0, data[i*fastArrayChunk:][:fastArrayChunk]); err != nil {
			return err
		}
	}
	return nil
}

// readChunk reads a part of a chunk, and says whether that was a fast read.
func readChunk(t testing.TB, x *tx, id, chunk, off int64, p []byte) (fast bool, err error) {
	if x.ses.fastChunk(id, chunk, off, p) {
		return true, nil
	}
	return false, x.ReadChunk(t.Context(), id, chunk, off, p)
}

// Fast reads go on within a chunk from one transaction to the next, unless somebody commits.
func TestFastChunksAcrossTransactions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	s := openFast(t, path, Options{})
	id := newFastArray(t, s, pattern(1, 2*fastArrayChunk))
	checkpoint := func() {
		t.Helper()
		if err := s.writer.passive(); err != nil {
			t.Fatal(err)
		}
	}
	read := func(version uint64, chunk, off int64, n int, want bool) {
		t.Helper()
		p := make([]byte, n)
		err := inArrayTx(t, s, false, func(x *tx) error {
			fast, err := readChunk(t, x, id, chunk, off, p)
			if want = want && canTell(s); err == nil && fast != want {
				t.Errorf("%d bytes at %d of chunk %d were read fast: %t, want %t", n, off, chunk, !want, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := pattern(version, 2*fastArrayChunk)[int(chunk)*fastArrayChunk+int(off):][:n]; !bytes.Equal(p, want) {
			t.Errorf("%d bytes at %d of chunk %d are not of version %d", n, off, chunk, version)
		}
	}
	checkpoint()
	read(1, 0, 0, 100_000, true)
	read(1, 0, 100_000, 400_000, true)
	read(1, 0, 500_000, fastArrayChunk-500_000, true)
	read(1, 1, 0, 40_000, true)
	read(1, 1, 50_000, 40_000, false) // nobody was there
	read(1, 1, 0, 40_000, true)
	if err := inArrayTx(t, s, true, func(x *tx) error { return writeFastArray(t, x, id, pattern(2, 2*fastArrayChunk)) }); err != nil {
		t.Fatal(err)
	}
	read(2, 1, 40_000, 40_000, false)
	checkpoint()
	read(2, 1, 80_000, 40_000, false) // what was known was of version 1
	read(2, 1, 0, 40_000, true)
	putFast(t, s, "k", []byte("another table"))
	checkpoint()
	read(2, 1, 40_000, 40_000, false)
}

// What is not there is reported as ever.
func TestFastChunkErrors(t *testing.T) {
	s := openFast(t, filepath.Join(t.TempDir(), "v.db"), Options{})
	id := newFastArray(t, s, pattern(1, fastArrayChunk))
	if err := s.writer.passive(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id, chunk, off int64
		n              int
		want           error
	}{
		{id, 0, 0, fastArrayChunk + 1, engine.ErrInvalid},
		{id, 0, fastArrayChunk - 10, fastPiece, engine.ErrInvalid},
		{id, 0, -1, fastPiece, engine.ErrInvalid},
		{id, 1, 0, fastPiece, engine.ErrNotFound},
		{id + 1, 0, 0, fastPiece, engine.ErrNotFound},
	} {
		err := inArrayTx(t, s, false, func(x *tx) error {
			if err := x.ReadChunk(t.Context(), id, 0, 0, make([]byte, fastPiece)); err != nil {
				t.Error(err)
			}
			return x.ReadChunk(t.Context(), c.id, c.chunk, c.off, make([]byte, c.n))
		})
		if !errors.Is(err, c.want) {
			t.Errorf("%d bytes at %d of chunk %d of array %d: %v, want %v", c.n, c.off, c.chunk, c.id, err, c.want)
		}
	}
}

// A transaction that goes on where another stopped sees its own version, whoever writes and copies
// the log into the file meanwhile.
func TestFastChunksAmongWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	s, other := openFast(t, path, Options{}), openFast(t, path, Options{})
	id := newFastArray(t, s, pattern(1, 2*fastArrayChunk))
	var version atomic.Uint64
	version.Store(1)
	var past atomic.Int64
	amongWriters(t, []*Store{s, other}, &past, func(in *Store) error {
		data := pattern(version.Add(1), 2*fastArrayChunk)
		return inArrayTx(t, in, true, func(x *tx) error { return writeFastArray(t, x, id, data) })
	}, func() error {
		var errs []error
		for off := int64(0); off < fastArrayChunk; off += fastArrayChunk / 4 {
			errs = append(errs, inArrayTx(t, s, false, func(x *tx) error {
				fast, err := readOneArrayVersion(t, x, id, off)
				if fast {
					past.Add(1)
				}
				return err
			}))
		}
		return errors.Join(errs...)
	})
	t.Logf("%d versions, %d quarters read fast", version.Load(), past.Load())
}

// readOneArrayVersion reads a few bytes of the second chunk through SQLite and then a quarter of
// the first: both are to be of one version.
func readOneArrayVersion(t testing.TB, x *tx, id, off int64) (fast bool, err error) {
	short, p := make([]byte, 8), make([]byte, fastArrayChunk/4)
	if err := x.ReadChunk(t.Context(), id, 1, 0, short); err != nil {
		return false, err
	}
	if fast, err = readChunk(t, x, id, 0, off, p); err != nil {
		return false, err
	}
	version := func(b []byte, at int64) uint64 {
		return binary.LittleEndian.Uint64(b) ^ uint64(at/8)*0xbf58476d1ce4e5b9
	}
	want := version(short, fastArrayChunk)
	for at := int64(0); at < int64(len(p)); at += 8 {
		if version(p[at:], off+at) != want {
			return fast, fmt.Errorf("the array is of two versions from byte %d on", off+at)
		}
	}
	return fast, nil
}
