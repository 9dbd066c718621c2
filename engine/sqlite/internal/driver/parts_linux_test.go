package driver

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// checkpointedFile makes a file and opens a snapshot of it that needs nothing of its log.
func checkpointedFile(t *testing.T, cfg Config) *CheckpointedFile {
	t.Helper()
	c, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Exec(`PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES(randomblob(300000))`); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Checkpoint(false); err != nil {
		t.Fatal(err)
	}
	if err := c.Begin(false); err != nil {
		t.Fatal(err)
	}
	if st, err := c.Prepare(`SELECT count(*) FROM t`); err != nil {
		t.Fatal(err)
	} else if _, err := st.Step(); err != nil {
		t.Fatal(err)
	} else {
		st.Reset()
	}
	r := c.CheckpointedFile()
	if r == nil {
		t.Skip("the latest commit cannot be told here")
	}
	return r
}

// What is read in parts is what the file holds, up to its end.
func TestReadParts(t *testing.T) {
	for _, mapped := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "v.db")
		f, ok := checkpointedFile(t, Config{Path: path, Create: true, Mapped: mapped}).ReaderAt.(partsFile)
		if !ok {
			t.Fatalf("mapped %t: the file cannot be read in parts", mapped)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		a, b, c := make([]byte, 4), make([]byte, 100_000), make([]byte, 7)
		parts := [][]byte{a, b, nil, c}
		if n, err := f.ReadPartsAt(parts, 8192); err != nil || !bytes.Equal(bytes.Join(parts, nil), data[8192:8192+n]) || n != 100_011 {
			t.Errorf("mapped %t: %d bytes read, or others than the file has (%v)", mapped, n, err)
		}
		if n, err := f.ReadPartsAt(parts, int64(len(data)-50)); n != 50 || err != nil {
			t.Errorf("mapped %t: at the end %d bytes, %v", mapped, n, err)
		}
		if _, err := f.ReadPartsAt(parts, -1); err == nil {
			t.Errorf("mapped %t: read before the file", mapped)
		}
	}
}

func TestReadPartsOfClosedFile(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := (partsFile{raw: raw}).ReadPartsAt([][]byte{make([]byte, 1)}, 0); err == nil {
		t.Error("no error")
	}
}
