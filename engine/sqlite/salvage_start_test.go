package sqlite_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// film is a vault that begins with a large value, so that no page of a tree is among the first
// megabytes but the roots.
func film(t *testing.T, page int) (data []byte, keys []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &sqlite.Options{PageSize: page})
	put(t, s, "film", noise(3<<20))
	var ops []engine.Op
	for i := range 800 {
		key := fmt.Sprintf("key%03d", i)
		keys = append(keys, key)
		ops = append(ops, engine.Op{Kind: engine.Put, Key: key, Value: bytes.Repeat(valueOf(key), 20)})
	}
	must[[]engine.Result](t)(s.Apply(t.Context(), ops))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return must[[]byte](t)(os.ReadFile(path)), keys
}

// wantBack fails unless every one of the keys comes back with its value, except the film.
func wantBack(t *testing.T, name string, data []byte, keys []string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "hurt.kv"), data)
	_, err := sqlite.Salvage(t.Context(), filepath.Join(dir, "hurt.kv"), filepath.Join(dir, "new.kv"), nil)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	s := open(t, filepath.Join(dir, "new.kv"), nil)
	defer s.Close()
	missing := 0
	for _, key := range keys {
		if got, err := s.Get(t.Context(), key); err != nil || !bytes.Equal(got, bytes.Repeat(valueOf(key), 20)) {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%s: %d of %d values are not there", name, missing, len(keys))
	}
}

// The start of the file is lost, with or without its first page: zeros or anything else stand
// there.
func TestSalvageStartLost(t *testing.T) {
	for _, page := range []int{512, 8192, 65536} {
		data, keys := film(t, page)
		for _, from := range []int{0, page} {
			for _, n := range []int{128 << 10, 2 << 20} {
				for _, fill := range [][]byte{make([]byte, n), noise(n + 1)[:n]} {
					hurt := bytes.Clone(data)
					copy(hurt[from:], fill)
					wantBack(t, fmt.Sprintf("pages of %d, %d bytes from %d, first %d", page, n, from, fill[0]), hurt, keys)
				}
			}
		}
	}
}

// A header that lies is not believed against the pages.
func TestSalvageHeaderLies(t *testing.T) {
	data, keys := film(t, 4096)
	for _, size := range []uint16{512, 2048, 8192, 1, 3} {
		hurt := bytes.Clone(data)
		binary.BigEndian.PutUint16(hurt[16:], size)
		wantBack(t, fmt.Sprintf("page size %d", size), hurt, keys)
	}
	for _, reserved := range []byte{1, 64, 255} {
		hurt := bytes.Clone(data)
		hurt[20] = reserved
		wantBack(t, fmt.Sprintf("%d bytes reserved", reserved), hurt, keys)
	}
}

// badSectors is a file some of whose sectors cannot be read.
type badSectors struct {
	io.ReaderAt
	bad func(sector int64) bool
}

const sector = 512

func (b badSectors) ReadAt(p []byte, off int64) (int, error) {
	for at := off - off%sector; at < off+int64(len(p)); at += sector {
		if b.bad(at / sector) {
			n, _ := b.ReaderAt.ReadAt(p[:max(at-off, 0)], off)
			return n, &os.PathError{Op: "read", Path: "hurt.kv", Err: syscall.EIO}
		}
	}
	return b.ReaderAt.ReadAt(p, off)
}

// Each sector in turn cannot be read, the first among them.
func TestSalvageUnreadableSector(t *testing.T) {
	v := makeOriginal(t, sqlite.Options{PageSize: 1024, OneRowLimit: 3000})
	var sum tally
	sectors := len(v.data) / sector
	for no := 0; no < sectors; no += stride(sectors) {
		v.through = func(r io.ReaderAt) io.ReaderAt {
			return badSectors{r, func(sector int64) bool { return sector == int64(no) }}
		}
		sum.add(v, v.salvage(t, fmt.Sprintf("sector %d", no), true, func(data []byte) []byte { return data }))
	}
	sum.log(t)
	if sum.failed > 0 || sum.worst > 20 {
		t.Errorf("one sector of %d took too much", sectors)
	}
}

// A file that was cut off is called so, wherever something is missing for it.
func TestSalvageCutOff(t *testing.T) {
	data, _ := film(t, 1024)
	path := filepath.Join(t.TempDir(), "cut.kv")
	write(t, path, data[:len(data)*9/10])
	_, report, losses := salvaged(t, path, sqlite.SalvageOptions{})
	if len(losses) == 0 || report.Keys == 0 {
		t.Errorf("%+v, %q", report, losses)
	}
	for _, l := range losses {
		if !strings.Contains(l, "cut off") {
			t.Errorf("told: %s", l)
		}
	}
}
