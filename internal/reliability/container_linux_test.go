//go:build reliability

package reliability

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/kohakuvault/kvault"
)

func init() {
	children["sweep"] = func(ctx context.Context, path string, _ []string, _ io.Writer) error {
		v, err := kvault.Open(ctx, path, nil)
		if err != nil {
			return err
		}
		defer v.Close()
		return v.Optimize(ctx, nil)
	}
}

// A process in another container, where this one's id is nobody's and the host has the same name,
// does not sweep away what this one is writing.
func TestStageAndContainers(t *testing.T) {
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "v.kv")
	v := open(t, path, &kvault.Options{OneRowLimit: 1000, ChunkSize: 1000})
	defer shut(t, v)
	w, err := v.NewWriter(ctx, "k", nil)
	if err != nil {
		t.Fatal(err)
	}
	value := fullValue("value", 50_000)
	if _, err := io.WriteString(w, value[:30_000]); err != nil {
		t.Fatal(err)
	}
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	if os.Getuid() != 0 {
		attr = ownMounts()
		attr.Cloneflags |= syscall.CLONE_NEWPID
	}
	if err := startChildIn(t, attr, "sweep", path).Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, value[30_000:]); err != nil {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	want(t, v, "k", value)
}
