package cli

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// madeFile is a file whose content and stated size are what a test says, and change when part of it
// was read.
type madeFile struct {
	io.Reader
	size int64
	time time.Time
}

func (f *madeFile) Stat() (fs.FileInfo, error) { return madeInfo{f.size, f.time}, nil }
func (f *madeFile) Close() error               { return nil }

type madeInfo struct {
	size int64
	time time.Time
}

func (i madeInfo) Name() string       { return "made" }
func (i madeInfo) Size() int64        { return i.size }
func (i madeInfo) Mode() fs.FileMode  { return 0o644 }
func (i madeInfo) ModTime() time.Time { return i.time }
func (i madeInfo) IsDir() bool        { return false }
func (i madeInfo) Sys() any           { return nil }

func TestSizedReader(t *testing.T) {
	large := strings.Repeat("x", sizeTrusted+1)
	for _, c := range []struct {
		name, content string
		size          int64 // stated when it is opened
		now           int64 // and when it was read
		touched       bool
		want          string
		grew          bool
		fails         error // or errors.ErrUnsupported for any
	}{
		{"unchanged", "abc", 3, 3, false, "abc", false, nil},
		{"empty", "", 0, 0, false, "", false, nil},
		{"no stated size", "abc", 0, 0, false, "abc", false, nil},
		{"no stated size, and long", large, 0, 0, false, large, false, nil},
		{"more than stated", "abc", 2, 2, false, "abc", false, nil},
		{"less than stated", "abc", 4096, 4096, false, "abc", false, nil},
		{"grew", "abcd", 3, 4, true, "abc", true, nil},
		{"grew within one tick of the clock", "abcd", 3, 4, false, "abc", true, nil},
		{"grew after it was read", "abc", 3, 4, true, "abc", true, nil},
		{"shrank", "ab", 3, 2, true, "", false, errShrank},
		{"shrank after it was read", "abc", 3, 2, true, "", false, errShrank},
		{"written over", "abc", 3, 3, true, "", false, errRewritten},
		{"cut and written over", "ab", 3, 3, true, "", false, errShrank},
		{"large, more than stated", large + "y", sizeTrusted + 1, sizeTrusted + 1, false, "", false, errors.ErrUnsupported},
		{"large, less than stated", large, sizeTrusted + 2, sizeTrusted + 2, false, "", false, errors.ErrUnsupported},
		{"large, grew", large + "y", sizeTrusted + 1, sizeTrusted + 9, true, large, true, nil},
	} {
		for shape, wrap := range map[string]func(io.Reader) io.Reader{
			"": func(r io.Reader) io.Reader { return r }, ", by halves": iotest.HalfReader, ", early EOF": iotest.DataErrReader,
		} {
			t.Run(c.name+shape, func(t *testing.T) {
				f := &madeFile{Reader: wrap(strings.NewReader(c.content)), size: c.size}
				info, _ := f.Stat()
				m := newSizedReader(f, info)
				f.size = c.now
				if c.touched {
					f.time = f.time.Add(time.Second)
				}
				got, err := io.ReadAll(m)
				switch {
				case c.fails == errors.ErrUnsupported && err != nil:
				case !errors.Is(err, c.fails) || c.fails != nil && err == nil:
					t.Errorf("error %v, want %v", err, c.fails)
				case err == nil && (string(got) != c.want || m.grew != c.grew):
					t.Errorf("got %d bytes, grew %v; want %d, %v", len(got), m.grew, len(c.want), c.grew)
				}
			})
		}
	}
}
