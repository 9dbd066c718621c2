package filetree

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestXattrs(t *testing.T) {
	f, _ := open(t)
	want := map[string]string{
		"user.comment": "hello", "user.empty": "", "user.bytes": "\x00\xff\n",
		"user.größe": strings.Repeat("x", 1000),
	}
	for name, value := range want {
		if err := setXattr(f, name, []byte(value)); errors.Is(err, unix.ENOTSUP) {
			t.Skip("this file system has no extended attributes")
		} else if err != nil {
			t.Fatal(err)
		}
	}
	meta := map[string]string{"mode": "0644"}
	err := AddXattrs(meta, f)
	if err != nil || len(meta) != len(want)+1 || meta["xattr.user.comment"] != "aGVsbG8=" {
		t.Fatalf("%q, %v", meta, err)
	}
	g, _ := open(t)
	if err := setXattr(g, "user.comment", []byte("other")); err != nil {
		t.Fatal(err)
	}
	if err := RestoreXattrs(g, meta); err != nil {
		t.Fatal(err)
	}
	for name, value := range want {
		if got, err := getXattr(g, name); err != nil || string(got) != value {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
	got := map[string]string{}
	if err := AddXattrs(got, g); err != nil || !SameXattrs(got, meta) {
		t.Errorf("%q, %v", got, err)
	}
	if delete(got, "xattr.user.empty"); SameXattrs(got, meta) || SameXattrs(meta, got) {
		t.Error("a missing attribute makes no difference")
	}
}

// Only attributes that an import keeps are set, whatever a vault has; the others are all named.
func TestHostileXattrs(t *testing.T) {
	f, _ := open(t)
	if err := setXattr(f, "user.before", nil); err != nil {
		t.Skipf("this file system has no extended attributes: %v", err)
	}
	meta := map[string]string{
		"xattr.": "YQ==", "xattr.user.": "YQ==", "xattr.system.posix_acl_access": "YQ==",
		"xattr.security.capability": "AQAAAgAgAAAAAAAAAAAAAAAAAAA=", "xattr.trusted.x": "YQ==",
		"xattr.user.nul\x00byte": "YQ==", "xattr.user.base64": "***",
		"xattr.user.huge":                        strings.Repeat("YWFh", 60<<10),
		"xattr.user." + strings.Repeat("n", 300): "YQ==", "xattr.user.good": "YQ==",
	}
	err := RestoreXattrs(f, meta)
	if err == nil {
		t.Fatal("no error")
	}
	for name := range meta {
		short := strings.TrimPrefix(name, "xattr.")
		short = short[:min(len(short), 8)]
		if name != "xattr.user.good" && !strings.Contains(err.Error(), short) {
			t.Errorf("%q is not named in %v", name, err)
		}
	}
	got := map[string]string{}
	if err := AddXattrs(got, f); err != nil || len(got) != 2 || got["xattr.user.good"] != "YQ==" {
		t.Errorf("%q, %v", got, err)
	}
}
