package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// A copy with the name of the vault's own log would be played into the vault, or removed.
func TestBackupNamedAsFileOfVault(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "v.kv")
	s := open(t, path, &sqlite.Options{DisableWAL: true})
	put(t, s, "k", []byte("v"))
	link := filepath.Join(t.TempDir(), "link.kv")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	linked := open(t, link, &sqlite.Options{ReadOnly: true})
	for _, suffix := range []string{"-wal", "-shm", "-journal", "-JOURNAL"} {
		for _, s := range []*sqlite.Store{s, linked} {
			if err := s.Backup(t.Context(), path+suffix, nil); !errors.Is(err, engine.ErrInvalid) {
				t.Errorf("%s: %v, want ErrInvalid", suffix, err)
			}
		}
	}
	if err := s.Backup(t.Context(), filepath.Join(t.TempDir(), "v.kv-wal"), nil); err != nil {
		t.Errorf("in another folder: %v", err)
	}
}

func TestBackupTo(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "v.kv"), nil)
	want := noise(3 << 20)
	put(t, s, "k", want)
	var b bytes.Buffer
	if err := s.BackupTo(t.Context(), &b, nil); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "copy.kv")
	writeFile(t, copied, b.Bytes())
	expectOnly(t, open(t, copied, nil), "k", want)

	restored := filepath.Join(t.TempDir(), "new.kv")
	if err := sqlite.RestoreFrom(t.Context(), restored, bytes.NewReader(b.Bytes()), nil); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]io.Reader{
		"cut off": bytes.NewReader(b.Bytes()[:1<<20]), "nothing": bytes.NewReader(nil), "failing": iotest.ErrReader(engine.ErrCorrupt),
	} {
		if err := sqlite.RestoreFrom(t.Context(), restored, r, nil); !errors.Is(err, engine.ErrCorrupt) || strings.Contains(err.Error(), "partial") {
			t.Errorf("%s: %v, want ErrCorrupt that names the stream", name, err)
		}
	}
	expectFiles(t, filepath.Dir(restored), "new.kv")
	expectOnly(t, open(t, restored, nil), "k", want)

	broken := errors.New("broken pipe")
	if err := s.BackupTo(t.Context(), failing{broken}, nil); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
	ctx, cancel := context.WithCancel(t.Context())
	b.Reset()
	if err := s.BackupTo(ctx, &b, func(int64, int64) { cancel() }); !errors.Is(err, context.Canceled) || b.Len() > 0 {
		t.Errorf("cancelled: %v, %d bytes written", err, b.Len())
	}
	expectFiles(t, temp)
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// A backup removes what backups that were killed left in its folder, and nothing else.
func TestBackupSweepsPartials(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "v.kv"), nil)
	put(t, s, "k", []byte("v"))
	var mine string
	if err := s.Backup(t.Context(), filepath.Join(dir, "a.kv"), func(int64, int64) {
		if found, _ := filepath.Glob(filepath.Join(dir, "a.kv.*.partial")); len(found) == 1 {
			mine = filepath.Base(found[0])
		}
	}); err != nil {
		t.Fatal(err)
	}
	var pid int
	var host, token, n string
	if _, err := fmt.Sscanf(mine, "a.kv.%d-%8s-%8s.%s", &pid, &host, &token, &n); err != nil {
		t.Fatalf("the partial file is named %q: %v", mine, err)
	}
	const gone = 1<<22 + 1 // more than a process id can be on Linux
	kept := []string{"notes.partial", fmt.Sprintf("d.kv.%d-%s-%s.123.partial", pid, "00000000", token), mine}
	swept := []string{
		fmt.Sprintf("b.kv.%d-%s-%s.123.partial", gone, host, token),
		fmt.Sprintf("b.kv.%d-%s-%s.123.partial-journal", gone, host, token),
		fmt.Sprintf("c.kv.%d-%s-%s.123.partial", pid, host, "00000000"),
	}
	for _, name := range append(kept, swept...) {
		writeFile(t, filepath.Join(dir, name), []byte("x"))
	}
	if err := s.Backup(t.Context(), filepath.Join(dir, "b.kv"), nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range kept {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%v: it may be in use", err)
		}
	}
	for _, name := range swept {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there", name)
		}
	}
}
