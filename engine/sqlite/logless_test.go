package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// noLogs is the file system as one sees it who can make no log.
type noLogs struct {
	vfs.VFSFilename
	why sqlite3.ErrorCode
}

func (v noLogs) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if flags&vfs.OPEN_WAL != 0 {
		return nil, flags, v.why
	}
	return v.VFSFilename.OpenFilename(name, flags)
}

func init() {
	system := vfs.Find("os").(vfs.VFSFilename)
	vfs.Register("nologs", noLogs{system, sqlite3.CANTOPEN})
	vfs.Register("fulldisk", noLogs{system, sqlite3.FULL})
}

// withoutLog are the options of a reader that can make no log.
func withoutLog(o sqlite.Options) *sqlite.Options {
	o.ReadOnly = true
	return o.On("nologs")
}

// generation is a value of n bytes that all tell the same number, which readGeneration returns.
func generation(i uint32, n int) []byte {
	return bytes.Repeat([]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}, n/4)
}

func readGeneration(t *testing.T, value []byte) uint32 {
	t.Helper()
	if len(value) < 4 {
		t.Fatalf("a value of %d bytes", len(value))
	}
	i := uint32(value[0])<<24 | uint32(value[1])<<16 | uint32(value[2])<<8 | uint32(value[3])
	if !bytes.Equal(value, generation(i, len(value))) {
		t.Errorf("a torn value: it begins with generation %d", i)
	}
	return i
}

// A reader without a log beside writers that come and go: what it reads without an error is of one
// state, and not of an earlier one than the last that was committed when it began.
func TestReaderWithoutLogBesideWriters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "v.kv")
	const size = 1_200_000 // more than is read at once
	var committed atomic.Uint32
	write := func(i uint32, o *sqlite.Options) error {
		s, err := sqlite.Open(t.Context(), path, o)
		if err != nil {
			return err
		}
		var ops []engine.Op
		for _, key := range []string{"a", "b"} {
			ops = append(ops, engine.Op{Kind: engine.Put, Key: key, Value: generation(i, size)})
		}
		if _, err = s.Apply(t.Context(), ops); err == nil {
			committed.Store(i)
		}
		return errors.Join(err, s.Close())
	}
	if err := write(1, nil); err != nil {
		t.Fatal(err)
	}
	last := uint32(50)
	written := make(chan error, 1)
	s := open(t, path, withoutLog(sqlite.Options{BusyTimeout: 200 * time.Millisecond}))
	go func() {
		var err error
		for i := uint32(2); i <= last && err == nil; i++ {
			time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
			err = write(i, &sqlite.Options{DisableWAL: i%8 == 7, BusyTimeout: time.Minute})
		}
		written <- err
	}()
	good, refused := 0, 0
	for done := false; !done; {
		select {
		case err := <-written:
			if err != nil {
				t.Fatal(err)
			}
			done = true // and once more, when nothing is in the way
		default:
		}
		for name, read := range readPairs(t) {
			least := committed.Load()
			a, b, err := read(s)
			switch {
			case err != nil && (done || !errors.Is(err, engine.ErrBusy) && !errors.Is(err, engine.ErrReadOnly)):
				t.Errorf("%s: %v", name, err)
			case err != nil:
				refused++
			case a != b || a < least:
				t.Errorf("%s: generations %d and %d, after %d was committed", name, a, b, least)
			default:
				good++
			}
		}
	}
	t.Logf("%d reads, %d refused", good, refused)
}

// readPairs are ways to read the generations of both keys at one moment.
func readPairs(t *testing.T) map[string]func(*sqlite.Store) (a, b uint32, err error) {
	ctx := t.Context()
	return map[string]func(*sqlite.Store) (a, b uint32, err error){
		"transaction": func(s *sqlite.Store) (uint32, uint32, error) {
			tx, err := s.Begin(ctx, false)
			if err != nil {
				return 0, 0, err
			}
			defer tx.Rollback()
			a, err := tx.Get(ctx, "a")
			if err != nil {
				return 0, 0, err
			}
			time.Sleep(5 * time.Millisecond)
			b, err := tx.Get(ctx, "b")
			if err != nil {
				return 0, 0, err
			}
			return readGeneration(t, a), readGeneration(t, b), nil
		},
		"list": func(s *sqlite.Store) (uint32, uint32, error) {
			page, err := s.List(ctx, engine.Query{Limit: 10, Values: true})
			if err != nil {
				return 0, 0, err
			}
			return readGeneration(t, page.Items[0].Value), readGeneration(t, page.Items[1].Value), nil
		},
		"get": func(s *sqlite.Store) (uint32, uint32, error) {
			a, err := s.Get(ctx, "a")
			if err != nil {
				return 0, 0, err
			}
			i := readGeneration(t, a)
			return i, i, nil
		},
		"stream": func(s *sqlite.Store) (uint32, uint32, error) {
			b, err := s.Open(ctx, "b")
			if err != nil {
				return 0, 0, err
			}
			defer b.Close()
			value := make([]byte, b.Entry().Size)
			for off := 0; off < len(value); off += 300_000 {
				if _, err := b.ReadAt(ctx, value[off:off+300_000], int64(off)); err != nil {
					return 0, 0, err
				}
				time.Sleep(time.Millisecond)
			}
			i := readGeneration(t, value)
			return i, i, nil
		},
	}
}

// A reader without a log sees each change that is complete, and says what is in the way of those
// that are not.
func TestReaderWithoutLogFollows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	write := func(value string) *sqlite.Store {
		s := must[*sqlite.Store](t)(sqlite.Open(t.Context(), path, nil))
		put(t, s, "k", []byte(value))
		return s
	}
	closeIt := func(s *sqlite.Store) {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	closeIt(write("one"))
	ro := open(t, path, withoutLog(sqlite.Options{BusyTimeout: -1}))
	want := func(value string) {
		t.Helper()
		if got := must[[]byte](t)(ro.Get(t.Context(), "k")); string(got) != value {
			t.Errorf("%q, want %q", got, value)
		}
	}
	want("one")
	closeIt(write("two"))
	want("two")
	s := write("three") // whose log holds it
	for name, read := range readsOfAll(t, func([]byte) error { return nil }) {
		if name == "open" || name == "transaction" { // of keys that are not there
			continue
		}
		if err := read(ro); name == "get" && (!errors.Is(err, engine.ErrReadOnly) || !strings.Contains(err.Error(), path+"-wal")) || err == nil {
			t.Errorf("%s: %v, want ErrReadOnly that names the log", name, err)
		}
	}
	if _, err := sqlite.Open(t.Context(), path, withoutLog(sqlite.Options{BusyTimeout: -1})); !errors.Is(err, engine.ErrReadOnly) {
		t.Errorf("opened beside a log that cannot be used: %v", err)
	}
	closeIt(s)
	want("three")
}

// What keeps to one state for several reads fails once the file changes, and stays so.
func TestSnapshotWithoutLogFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	rw := open(t, path, nil)
	for _, key := range []string{"a", "b"} {
		put(t, rw, key, noise(2<<20)) // large enough not to be read whole when it is opened
	}
	if err := rw.Close(); err != nil {
		t.Fatal(err)
	}
	ro := open(t, path, withoutLog(sqlite.Options{}))
	tx := must[engine.Tx](t)(ro.Begin(t.Context(), false))
	defer tx.Rollback()
	must[[]byte](t)(tx.Get(t.Context(), "a"))
	b := must[engine.Blob](t)(ro.Open(t.Context(), "a"))
	defer b.Close()
	rw = open(t, path, nil)
	put(t, rw, "b", []byte("new"))
	if err := rw.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := tx.Get(t.Context(), "b"); !errors.Is(err, engine.ErrBusy) {
			t.Errorf("transaction: %v, want ErrBusy", err)
		}
		if _, err := b.ReadAt(t.Context(), make([]byte, 1000), 0); !errors.Is(err, engine.ErrBusy) {
			t.Errorf("stream: %v, want ErrBusy", err)
		}
	}
	if got := must[[]byte](t)(ro.Get(t.Context(), "b")); string(got) != "new" {
		t.Errorf("%q", got)
	}
}

// A vault on a full disk can be read and copied to another.
func TestReadOnFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	rw := open(t, path, nil)
	for _, key := range []string{"a", "b", "c"} {
		put(t, rw, key, bytes.Repeat([]byte("A"), 2<<20))
	}
	if err := rw.Close(); err != nil {
		t.Fatal(err)
	}
	for name, read := range readsOfAll(t, wantOnly("A")) {
		if err := read(open(t, path, (&sqlite.Options{ReadOnly: true}).On("fulldisk"))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Someone who may not write in the vault's folder reads it as it is, and leaves nothing there.
func TestReadOnlyFolder(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "v.kv")
	s := open(t, path, nil)
	for i := range 10 {
		put(t, s, strconv.Itoa(i), []byte(fmt.Sprint("value ", i)))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	readOnlyFolder(t, dir)
	ro := open(t, path, &sqlite.Options{ReadOnly: true})
	for i := range 10 {
		if got := must[[]byte](t)(ro.Get(t.Context(), strconv.Itoa(i))); string(got) != fmt.Sprint("value ", i) {
			t.Errorf("%q", got)
		}
	}
	if err := ro.Check(t.Context(), func(p engine.Problem) { t.Errorf("%+v", p) }, nil); err != nil {
		t.Error(err)
	}
	if files := must[[]fs.DirEntry](t)(os.ReadDir(dir)); len(files) != 1 {
		t.Errorf("%d files in the folder", len(files))
	}
}

// While another program has the vault open, its log can be read by those who may not write it.
func TestReadOnlyFolderOfWriter(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "v.kv")
	s := open(t, path, nil)
	write := func(i uint32) {
		t.Helper()
		var ops []engine.Op
		for _, key := range []string{"a", "b"} {
			ops = append(ops, engine.Op{Kind: engine.Put, Key: key, Value: generation(i, 1_200_000)})
		}
		must[[]engine.Result](t)(s.Apply(t.Context(), ops))
	}
	write(1)
	readOnlyFolder(t, dir)
	ro := open(t, path, &sqlite.Options{ReadOnly: true})
	for i := uint32(1); i < 40; i++ {
		for name, read := range readPairs(t) {
			if a, b, err := read(ro); err != nil || a != i || b != i {
				t.Errorf("%s: generations %d and %d, want %d: %v", name, a, b, i, err)
			}
		}
		write(i + 1)
	}
}

// The log of a program that was killed is read too, if its shared memory is still there to be
// locked; otherwise the vault is refused.
func TestReadOnlyFolderWithLeftoverLog(t *testing.T) {
	if os.Getuid() > 0 {
		t.Skip("what a writer does later needs rights that the reader has not")
	}
	from := filepath.Join(t.TempDir(), "from.kv")
	put(t, open(t, from, nil), "k", []byte("in the log"))
	files := map[string][]byte{}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		files[suffix] = must[[]byte](t)(os.ReadFile(from + suffix))
	}
	t.Run("with shared memory", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "v.kv")
		writeFiles(t, path, files)
		readOnlyFolder(t, filepath.Dir(path))
		ro := open(t, path, &sqlite.Options{ReadOnly: true})
		want := func(value string) {
			t.Helper()
			if got := must[[]byte](t)(ro.Get(t.Context(), "k")); string(got) != value {
				t.Errorf("%q, want %q", got, value)
			}
		}
		want("in the log")
		for i := range 5 {
			value := fmt.Sprint("written later ", i)
			done := make(chan error)
			go func() { // as root
				s, err := sqlite.Open(t.Context(), path, nil)
				if err == nil {
					_, err = s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "k", Value: []byte(value)}})
					err = errors.Join(err, s.Close())
				}
				done <- err
			}()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			want(value)
		}
	})
	t.Run("without", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "v.kv")
		writeFiles(t, path, map[string][]byte{"": files[""], "-wal": files["-wal"]})
		readOnlyFolder(t, filepath.Dir(path))
		s, err := sqlite.Open(t.Context(), path, &sqlite.Options{ReadOnly: true, BusyTimeout: -1})
		if err == nil {
			s.Close()
		}
		if !errors.Is(err, engine.ErrReadOnly) || !strings.Contains(err.Error(), path+"-wal") {
			t.Errorf("%v, want ErrReadOnly that names the log", err)
		}
	})
}
