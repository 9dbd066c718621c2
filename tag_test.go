package kvault_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault"
)

// A value that another program wrote has no tag to look up, but one to compute, by which it can be
// replaced safely.
func TestTagOfForeignValue(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "v.kv")
	v, err := kvault.Open(ctx, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := v.Put(ctx, "k", []byte("ours")); err != nil {
		t.Fatal(err)
	}
	ours, err := v.Tag(ctx, "k")
	if e, statErr := v.Stat(ctx, "k"); err != nil || statErr != nil || ours == "" || e.Tag != ours {
		t.Errorf("Tag %q, %v; Stat %+v, %v", ours, err, e, statErr)
	}
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(`UPDATE kvault SET value = CAST('theirs' AS BLOB)`); err != nil {
		t.Fatal(err)
	}
	if _, err := v.PutWith(ctx, "k", []byte("new"), &kvault.PutOptions{IfTag: ours}); !errors.Is(err, kvault.ErrTagMismatch) {
		t.Errorf("put over what another program wrote, by the old tag: %v", err)
	}
	if e, err := v.Stat(ctx, "k"); err != nil || e.Tag != "" || e.HasChecksum {
		t.Errorf("stale metadata: %+v, %v", e, err)
	}
	theirs, err := v.Tag(ctx, "k")
	if err != nil || theirs == "" || theirs == ours {
		t.Fatalf("Tag %q, %v", theirs, err)
	}
	if err := v.View(ctx, func(tx *kvault.Tx) error {
		if tag, err := tx.Tag(ctx, "k"); err != nil || tag != theirs {
			t.Errorf("Tag in a View %q, %v; want %q", tag, err, theirs)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if _, err := v.PutWith(ctx, "k", []byte("new"), &kvault.PutOptions{IfTag: theirs}); err != nil {
		t.Errorf("put by the computed tag: %v", err)
	}
	if err := v.DeleteIf(ctx, "k", theirs); !errors.Is(err, kvault.ErrTagMismatch) {
		t.Errorf("delete by the tag of the version before: %v", err)
	}
	var failed *kvault.Error
	if _, err := v.Tag(ctx, "none"); !errors.Is(err, kvault.ErrNotFound) || !errors.As(err, &failed) || failed.Op != "tag" {
		t.Errorf("tag of a missing key: %v", err)
	}
}
