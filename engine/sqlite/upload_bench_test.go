package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// manyUploads is a vault with n unfinished uploads.
func manyUploads(b *testing.B, path string, n int) {
	s, err := sqlite.Open(b.Context(), path, nil)
	if err != nil {
		b.Fatal(err)
	}
	for i := range n {
		o := engine.UploadOptions{Key: fmt.Sprint("u", i), Size: -1, ChunkSize: 1 << 20, Expires: time.Hour}
		u, err := s.NewUpload(b.Context(), o)
		if err == nil {
			err = u.WriteAt(b.Context(), noise(100), 0)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkBesideUploads measures puts, gets and Open in a vault with 10,000 unfinished uploads, and
// in one without.
func BenchmarkBesideUploads(b *testing.B) {
	for _, n := range []int{0, 10_000} {
		path := filepath.Join(b.TempDir(), "v.kv")
		manyUploads(b, path, n)
		b.Run(fmt.Sprintf("open/%d", n), func(b *testing.B) {
			for b.Loop() {
				s, err := sqlite.Open(b.Context(), path, nil)
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
		s, err := sqlite.Open(b.Context(), path, nil)
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		value := noise(1000)
		b.Run(fmt.Sprintf("put/%d", n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				op := engine.Op{Kind: engine.Put, Key: fmt.Sprint("k", i%1000), Value: value}
				if _, err := s.Apply(b.Context(), []engine.Op{op}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("get/%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Get(b.Context(), "k0"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkResumeUpload stores a value of 1 GiB: as a stream, as an upload, and as an upload of
// which nine tenths were there before. Run it with -benchtime 1x.
func BenchmarkResumeUpload(b *testing.B) {
	const chunk, size = 1 << 20, 1 << 30
	part := noise(8 * chunk)
	value := func(off int64) []byte { return part[:min(int64(len(part)), size-off)] }
	for _, tt := range []struct {
		name  string
		there int64 // before the measurement
	}{{"stream", -1}, {"upload", 0}, {"last tenth", size / 10 * 9 / chunk * chunk}} {
		b.Run(tt.name, func(b *testing.B) {
			s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "v.kv"), nil)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			for b.Loop() {
				op := engine.Op{Kind: engine.Put, Key: "k"}
				if tt.there < 0 {
					op.Staged, err = s.Stage(b.Context(), engine.StageOptions{ChunkSize: chunk, Size: size})
					for off := int64(0); err == nil && off < size; off += chunk {
						err = op.Staged.WriteChunk(b.Context(), part[:chunk])
					}
				} else {
					o := engine.UploadOptions{Key: "k", Size: size, ChunkSize: chunk, Expires: time.Hour}
					op.Upload, err = s.NewUpload(b.Context(), o)
					b.StopTimer()
					for off := int64(0); err == nil && off < size; off += int64(len(value(off))) {
						if off >= tt.there {
							b.StartTimer()
						}
						err = op.Upload.WriteAt(b.Context(), value(off), off)
					}
				}
				if err == nil {
					begun := time.Now()
					_, err = s.Apply(b.Context(), []engine.Op{op})
					b.ReportMetric(float64(time.Since(begun).Microseconds())/1000, "ms/publish")
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
