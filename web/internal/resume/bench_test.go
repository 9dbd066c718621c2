package resume

import (
	"bytes"
	"path/filepath"
	"testing"
)

// BenchmarkPatch stores a value that comes in one body.
func BenchmarkPatch(b *testing.B) {
	value := noise(64 << 20)
	s := serveVault(b, openVault(b, filepath.Join(b.TempDir(), "v.kv")), Options{}, everything)
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		s.do(b, "PATCH", s.create(b, "k", len(value), nil), patch(0), bytes.NewReader(value)).want(b, 204, headers{"ETag": "*"})
	}
}
