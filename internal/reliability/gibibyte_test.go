//go:build reliability

package reliability

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
)

// SQLite leaves out the page at 2^30 bytes, which its locks use. Values in one row, in chunks and
// small ones lie across it, and stay whole when Shrink moves what is behind it to the front.
func TestFileCrossesGibibyte(t *testing.T) {
	for _, page := range []int{4096, 32768} {
		t.Run(fmt.Sprint("page=", page), func(t *testing.T) {
			const row = 10 << 20
			v := open(t, filepath.Join(t.TempDir(), "v.kv"), &kvault.Options{PageSize: page, OneRowLimit: row})
			defer shut(t, v)
			putPattern(t, v, "most of it", 1<<30-100<<20)
			for i := range 10 {
				putPattern(t, v, fmt.Sprint("row ", i), row-int64(i))
				putPattern(t, v, fmt.Sprint("chunks ", i), 2*row+int64(i))
				putPattern(t, v, fmt.Sprint("small ", i), int64(i*page/2))
			}
			if size := fileSize(t, v); size < 1<<30+100<<20 {
				t.Errorf("the file has %d bytes only", size)
			}
			wantPatterns(t, v, 31)
			if _, err := v.Delete(t.Context(), "most of it"); err != nil {
				t.Error(err)
			}
			gained, err := v.Shrink(t.Context(), time.Hour)
			if size := fileSize(t, v); err != nil || size > 1<<29 {
				t.Errorf("after Shrink the file has %d bytes, %v", size, err)
			}
			wantPatterns(t, v, 30)
			check(t, v)
			t.Logf("crossed 1 GiB and gave back %d bytes", gained)
		})
	}
}

func fileSize(t *testing.T, v *kvault.Vault) int64 {
	t.Helper()
	stats, err := v.Stats(t.Context())
	if err != nil {
		t.Error(err)
	}
	return stats.FileBytes + stats.LogBytes
}

func putPattern(t *testing.T, v *kvault.Vault, key string, size int64) {
	t.Helper()
	if _, err := v.PutReader(t.Context(), key, newPattern(size), nil); err != nil {
		t.Errorf("%s: %v", key, err)
	}
}

// wantPatterns compares all values, of which there are n, with the patterns of their sizes.
func wantPatterns(t *testing.T, v *kvault.Vault, n int) {
	t.Helper()
	for e, err := range v.List(t.Context(), nil) {
		if n--; err != nil {
			t.Error(err)
			return
		}
		in := newPattern(e.Size)
		if _, err := v.GetTo(t.Context(), e.Key, in); err != nil {
			t.Errorf("%s: %v", e.Key, err)
		}
	}
	if n != 0 {
		t.Errorf("%d keys too few", n)
	}
}

// Write fails if p is not what follows in the pattern.
func (p *pattern) Write(b []byte) (int, error) {
	want := make([]byte, len(b))
	p.at(want, p.off)
	if p.off += int64(len(b)); !bytes.Equal(b, want) {
		return 0, fmt.Errorf("the %d bytes before %d are not those that went in", len(b), p.off)
	}
	return len(b), nil
}
