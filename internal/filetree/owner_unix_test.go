//go:build unix

package filetree

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func open(t *testing.T) (*os.File, fs.FileInfo) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return f, info
}

func TestOwners(t *testing.T) {
	var o Owners
	f, info := open(t)
	meta := map[string]string{}
	if err := o.Add(meta, info); err != nil {
		t.Fatal(err)
	}
	uid, gid, ok, err := o.Wanted(meta)
	same := strconv.Itoa(uid) == meta["uid"] && strconv.Itoa(gid) == meta["gid"]
	if err != nil || !ok || !same || uid != os.Getuid() {
		t.Errorf("%d, %d, %t, %v of %q", uid, gid, ok, err, meta)
	}
	if !o.Same(meta, info) || o.Restore(f, meta) != nil {
		t.Errorf("the file has another owner than it had: %q", meta)
	}
	if _, _, ok, err := o.Wanted(map[string]string{"mode": "0644"}); ok || err != nil {
		t.Errorf("metadata without an owner: %t, %v", ok, err)
	}
	other := map[string]string{"uid": "12345", "gid": "12346", "uname": "kvault-nobody-has-this-name"}
	err = o.Restore(f, other)
	if os.Getuid() != 0 {
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("without rights: %v", err)
		}
		return
	}
	if info, _ = f.Stat(); err != nil || !o.Same(other, info) || o.Same(meta, info) {
		t.Errorf("%v: %+v", err, info.Sys())
	}
}

// What a vault says of owners may be anything.
func TestHostileOwners(t *testing.T) {
	var o Owners
	f, before := open(t)
	ids := []string{"-1", "4294967295", "4294967296", "x", "1 ", "0x10", "99999999999999999999"}
	for _, id := range ids {
		for _, meta := range []map[string]string{
			{"uid": id, "gid": "0"}, {"uid": "0", "gid": id}, {"gid": id},
		} {
			if err := o.Restore(f, meta); err == nil {
				t.Errorf("%q was restored", meta)
			}
		}
	}
	me := map[string]string{"uid": strconv.Itoa(os.Getuid()), "gid": strconv.Itoa(os.Getgid())}
	if after, err := f.Stat(); err != nil || !o.Same(me, after) {
		t.Errorf("owner changed: %+v, %+v, %v", before.Sys(), after.Sys(), err)
	}
}
