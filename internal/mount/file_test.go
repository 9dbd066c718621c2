//go:build fuse && (linux || darwin)

package mount

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault"
)

// small makes what is otherwise of large values true of values of some MiB: chunks.
var small = &kvault.Options{ChunkSize: 256 << 10, OneRowLimit: 1 << 20}

func random(seed uint64, n int) []byte {
	var key [32]byte
	key[0] = byte(seed)
	value := make([]byte, n)
	rand.NewChaCha8(key).Read(value)
	return value
}

// Whatever part of a file is read, by whomever, is that part of the value.
func TestRandomReads(t *testing.T) {
	v := open(t, filepath.Join(t.TempDir(), "v.kv"), small)
	sizes := []int{
		0, 1, 4095, 4096, 4097, 128 << 10, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3<<20 + 5, 8 << 20,
	}
	values := map[string][]byte{}
	for i, size := range sizes {
		key := fmt.Sprint("f/", size)
		values[key] = random(uint64(i), size)
		if _, err := v.PutReader(t.Context(), key, bytes.NewReader(values[key]), nil); err != nil {
			t.Fatal(err)
		}
	}
	s := serve(t, v)
	var all sync.WaitGroup
	for key, value := range values {
		f, err := os.Open(s.path(key))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for reader := range 4 {
			all.Go(func() { readRandomly(t, f, value, uint64(reader)) })
		}
		all.Go(func() {
			if got, err := os.ReadFile(s.path(key)); err != nil || !bytes.Equal(got, value) {
				t.Errorf("%s: %d bytes, %v", key, len(got), err)
			}
		})
	}
	all.Wait()
	if failed := s.failures(); failed != nil {
		t.Errorf("reported: %v", failed)
	}
}

func readRandomly(t *testing.T, f *os.File, value []byte, seed uint64) {
	r := rand.New(rand.NewPCG(seed, uint64(len(value))))
	for range 60 {
		off := r.IntN(len(value) + 5000)
		p := make([]byte, 1+r.IntN(1<<r.IntN(20)))
		n, err := f.ReadAt(p, int64(off))
		want := value[min(off, len(value)):min(off+len(p), len(value))]
		if !bytes.Equal(p[:n], want) || (err == io.EOF) != (n < len(p)) || err != nil && err != io.EOF {
			t.Errorf("%s at %d: %d bytes of %d, %v", f.Name(), off, n, len(want), err)
		}
	}
}

// versions are values of one letter each, whose length tells which letter that is.
func version(i int) string { return strings.Repeat(string(rune('a'+i)), 300_000*(i+1)+i) }

// checkVersion fails unless value is wholly one version.
func checkVersion(t *testing.T, value []byte) {
	t.Helper()
	if i := len(value) / 300_000; i == 0 || string(value) != version(i-1) {
		t.Errorf("%d bytes are no version: they begin with %.3q and end with %.3q", len(value),
			value, value[max(len(value)-3, 0):])
	}
}

// An open file whose value is replaced gives the old bytes or ESTALE, and a new one the new bytes
// at once, with their size, even though the kernel still has the old name, size and pages.
func TestReplacedWhileOpen(t *testing.T) {
	v := open(t, filepath.Join(t.TempDir(), "v.kv"), small)
	s := serve(t, v)
	for from := range 4 {
		for to := range 4 {
			put(t, v, "k", version(from))
			old, err := os.Open(s.path("k"))
			if err != nil {
				t.Fatal(err)
			}
			defer old.Close()
			read := make([]byte, 100)
			if _, err := io.ReadFull(old, read); err != nil {
				t.Fatal(err)
			}
			put(t, v, "k", version(to))
			if got, err := os.ReadFile(s.path("k")); err != nil || string(got) != version(to) {
				t.Errorf("from %d to %d: %d bytes, %v", from, to, len(got), err)
			}
			if info, err := os.Stat(s.path("k")); err != nil || info.Size() != int64(len(version(to))) {
				t.Errorf("from %d to %d: %v %v", from, to, info, err)
			}
			if info, err := old.Stat(); err != nil || info.Size() != int64(len(version(from))) {
				t.Errorf("from %d to %d: the old file is %v %v", from, to, info, err)
			}
			rest, err := io.ReadAll(old)
			prefix := version(from)[:100+len(rest)]
			if string(append(read, rest...)) != prefix || !errors.Is(err, syscall.ESTALE) {
				t.Errorf("from %d to %d: the old file gives %d more bytes, %v", from, to, len(rest), err)
			}
		}
	}
	if failed := s.failures(); failed != nil {
		t.Errorf("reported: %v", failed)
	}
}

// The same for one that is removed, renamed or has other metadata.
func TestGoneWhileOpen(t *testing.T) {
	v := open(t, ":memory:", nil)
	s := serve(t, v)
	for name, change := range map[string]func() error{
		"delete": func() error { _, err := v.Delete(t.Context(), "k"); return err },
		"rename": func() error { return v.Rename(t.Context(), "k", "l", nil) },
		"metadata": func() error {
			_, err := v.SetMetadata(t.Context(), "k", &kvault.MetadataOptions{})
			return err
		},
	} {
		put(t, v, "k", version(3))
		f, err := os.Open(s.path("k"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(f); len(got) != 0 || !errors.Is(err, syscall.ESTALE) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		got, err := os.ReadFile(s.path("k"))
		kept := name == "metadata"
		if kept && string(got) != version(3) || !kept && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: opened again: %d bytes, %v", name, len(got), err)
		}
	}
}

// While a value is replaced over and over, every reader gets one version or ESTALE.
func TestReplacedAllTheTime(t *testing.T) {
	v := open(t, filepath.Join(t.TempDir(), "v.kv"), small)
	put(t, v, "k", version(0))
	s := serve(t, v)
	var writer, readers sync.WaitGroup
	stop := make(chan struct{})
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				put(t, v, "k", version(i%4))
			}
		}
	})
	for range 4 {
		readers.Go(func() {
			for range 50 {
				value, err := os.ReadFile(s.path("k"))
				if err == nil {
					checkVersion(t, value)
				} else if !errors.Is(err, syscall.ESTALE) {
					t.Error(err)
				}
			}
		})
	}
	readers.Wait()
	close(stop)
	writer.Wait()
}

// foreign changes the file of a vault as another program would.
func foreign(t *testing.T, path, statement string) {
	t.Helper()
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// A value of another program has no tag. A file of it goes on with the bytes that it was opened
// for.
func TestForeignValue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	v := open(t, path, nil)
	put(t, v, "other", "")
	s := serve(t, v)
	set := func(letter string) {
		foreign(t, path, `INSERT INTO kvault (key, value)
			VALUES (CAST('k' AS BLOB), CAST(replace(hex(zeroblob(1500000)), '00', '`+letter+`') AS BLOB))
			ON CONFLICT (key) DO UPDATE SET value = excluded.value`)
	}
	set("a")
	old, err := os.Open(s.path("k"))
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	read := make([]byte, 100)
	if _, err := io.ReadFull(old, read); err != nil {
		t.Fatal(err)
	}
	set("b") // of the same size
	got, err := os.ReadFile(s.path("k"))
	if err != nil || string(got) != strings.Repeat("b", 1_500_000) {
		t.Errorf("new: %d bytes, %v", len(got), err)
	}
	rest, err := io.ReadAll(old)
	if err != nil || string(append(read, rest...)) != strings.Repeat("a", 1_500_000) {
		t.Errorf("old: %d more bytes, %v", len(rest), err)
	}
	if info, err := os.Stat(s.path("k")); err != nil || info.ModTime().Unix() != 0 {
		t.Errorf("%v %v", info, err)
	}
}

// A damaged value fails with EIO however often it is read, and the reason is reported.
func TestDamagedValue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	v, err := kvault.Open(t.Context(), path, small)
	if err != nil {
		t.Fatal(err)
	}
	sizes := []int{100, 500_000, 900_000, 3_000_000}
	for _, size := range sizes {
		put(t, v, fmt.Sprint(size), strings.Repeat("x", size/2)+"DAMAGED"+strings.Repeat("y", size/2))
	}
	put(t, v, "whole", "value")
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.ReplaceAll(data, []byte("DAMAGED"), []byte("damaged"))
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	s := serve(t, open(t, path, &kvault.Options{ReadOnly: true}))
	for range 2 {
		for _, size := range sizes {
			if got, err := os.ReadFile(s.path(fmt.Sprint(size))); !errors.Is(err, syscall.EIO) {
				t.Errorf("size %d: %d bytes, %v", size, len(got), err)
			}
			failed := s.failures()
			if len(failed) == 0 || !errors.Is(failed[0], kvault.ErrCorrupt) {
				t.Errorf("size %d: reported %v", size, failed)
			}
		}
	}
	if got, err := os.ReadFile(s.path("whole")); err != nil || string(got) != "value" {
		t.Errorf("%q %v", got, err)
	}
}
