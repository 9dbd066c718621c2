//go:build linux && reliability

package reliability

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault"
)

func init() { children["read a full disk"] = fullReadChild }

// A vault on a disk without a free byte is read, and reading leaves nothing that was not there.
func TestFullDiskIsRead(t *testing.T) {
	mount := fastDir(t)
	c := startChildIn(t, ownMounts(), "read a full disk", filepath.Join(mount, "vault"), mount)
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

func fullReadChild(ctx context.Context, path string, args []string, _ io.Writer) error {
	d, err := newSmallDisk(args[0])
	if err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	file := filepath.Join(path, "v.kv")
	v, err := kvault.Open(ctx, file, nil)
	if err != nil {
		return err
	}
	if err := errors.Join(v.Put(ctx, "k", make([]byte, 1<<20)), v.Close(), d.leave(0)); err != nil {
		return err
	}
	if v, err = kvault.Open(ctx, file, &kvault.Options{ReadOnly: true}); err != nil {
		return err
	}
	value, err := v.Get(ctx, "k")
	if err := errors.Join(err, v.Close()); err != nil || len(value) != 1<<20 {
		return fmt.Errorf("%d bytes read: %w", len(value), err)
	}
	left, err := os.ReadDir(path)
	if err == nil && len(left) != 1 {
		err = fmt.Errorf("reading left files: %v", left)
	}
	return err
}
