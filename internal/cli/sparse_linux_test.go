package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/kohakuvault/kvault"
)

// A file with holes takes no more room after an import and an export than before, whatever the
// length of its chunks, and one without any is what it was.
func TestSparseExport(t *testing.T) {
	text := bytes.Repeat([]byte("some data "), 50_000)
	values := map[string][]byte{
		"hole/end":    append(bytes.Clone(text), make([]byte, 8<<20+3)...),
		"hole/middle": bytes.Join([][]byte{text, make([]byte, 8<<20), text}, nil),
		"hole/all":    make([]byte, 5<<20),
		"full":        bytes.Repeat(text, 5),
		"small":       make([]byte, smallFile),
	}
	for _, limit := range []int64{0, -1} {
		vault, out := filepath.Join(t.TempDir(), "v.kv"), filepath.Join(t.TempDir(), "out")
		v, err := kvault.Open(t.Context(), vault, &kvault.Options{OneRowLimit: limit})
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range values {
			if _, err := v.PutReader(t.Context(), key, bytes.NewReader(value), nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		if code := Run(context.Background(), []string{"-f", vault, "--quiet", "export", ".", out}, System()); code != 0 {
			t.Fatalf("exit code %d", code)
		}
		for key, value := range values {
			name := filepath.Join(out, key)
			got, err := os.ReadFile(name)
			if err != nil || !bytes.Equal(got, value) {
				t.Errorf("%s: %d bytes of %d, or others; %v", key, len(got), len(value), err)
			}
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			room := info.Sys().(*syscall.Stat_t).Blocks * 512
			if filepath.Dir(key) == "hole" && room > 2<<20 || room > info.Size()+1<<20 {
				t.Errorf("%s has %d bytes and takes %d", key, info.Size(), room)
			}
		}
	}
}
