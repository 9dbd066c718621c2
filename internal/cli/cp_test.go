package cli

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
)

// A copy has all that was known of the value, also that it has no content type, and of a value in
// chunk rows it takes no room.
func TestCopyKeepsMetadata(t *testing.T) {
	name := filepath.Join(t.TempDir(), "v.kv")
	const size = 4 << 20
	v, err := kvault.Open(t.Context(), name, &kvault.Options{OneRowLimit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	want, err := v.PutWith(t.Context(), "a.txt", make([]byte, size), &kvault.PutOptions{
		ContentType: kvault.NoContentType, User: map[string]string{"lang": "en"},
		ModTime: time.Date(2001, 2, 3, 4, 5, 6, 7, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	before := fileSize(t, name)

	s := newSession(t)
	s.must("", "-f", name, "cp", "a.txt", "b.txt")
	s.must("", "-f", name, "cp", "b.txt", "c/")
	if grown := fileSize(t, name) - before; grown > size/4 {
		t.Errorf("two copies of %d bytes took %d", size, grown)
	}
	if v, err = kvault.Open(t.Context(), name, nil); err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for _, key := range []string{"b.txt", "c/b.txt"} {
		got, err := v.Stat(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if got.Size != want.Size || !got.ModTime.Equal(want.ModTime) || got.ContentType != "" ||
			got.Checksum != want.Checksum || !maps.Equal(got.User, want.User) {
			t.Errorf("copy %+v of %+v", got, want)
		}
	}
}

func fileSize(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
