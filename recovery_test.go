package kvault_test

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault"
)

func TestRestore(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	path, backup := filepath.Join(dir, "v.kv"), filepath.Join(dir, "backup.kv")
	v, err := kvault.Open(ctx, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	put(t, v, "a", "old")
	if err := v.Backup(ctx, backup, nil); err != nil {
		t.Fatal(err)
	}
	put(t, v, "a", "new")
	wantErr(t, kvault.Restore(ctx, path, backup, &kvault.RestoreOptions{BusyTimeout: -1}), kvault.ErrBusy)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	wantErr(t, kvault.Restore(ctx, path, filepath.Join(dir, "none.kv"), nil), fs.ErrNotExist)
	wantErr(t, kvault.Restore(ctx, path, backup, &kvault.RestoreOptions{Table: "none"}), kvault.ErrNoVault)
	if err := kvault.Restore(ctx, path, backup, nil); err != nil {
		t.Fatal(err)
	}
	if v, err = kvault.Open(ctx, path, nil); err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if got, err := v.Get(ctx, "a"); err != nil || string(got) != "old" {
		t.Errorf("%q, %v", got, err)
	}
}
