package walvfs

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"
)

// recorder is a file in memory that tells of each write.
type recorder struct {
	vfs.File
	data   []byte
	writes []string
	err    error
}

func (r *recorder) WriteAt(p []byte, off int64) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	r.writes = append(r.writes, fmt.Sprintf("%d+%d", off, len(p)))
	if end := int(off) + len(p); end > len(r.data) {
		r.data = append(r.data, make([]byte, end-len(r.data))...)
	}
	return copy(r.data[off:], p), nil
}

func (r *recorder) ReadAt(p []byte, off int64) (int, error) { return copy(p, r.data[off:]), nil }
func (r *recorder) Size() (int64, error)                    { return int64(len(r.data)), nil }
func (r *recorder) Sync(vfs.SyncFlag) error                 { r.writes = append(r.writes, "sync"); return nil }
func (r *recorder) Truncate(n int64) error {
	r.writes = append(r.writes, fmt.Sprintf("cut to %d", n))
	r.data = r.data[:n]
	return nil
}

// log is a log file in the hands of a test, with pages of 512 bytes.
type log struct {
	*testing.T
	*Log
	r *recorder
}

func newLog(t *testing.T) log {
	r := &recorder{}
	l := log{t, &Log{File: r, state: new(syncState)}, r}
	l.Begin()
	l.write(0, make([]byte, 32))
	return l
}

func (l log) write(off int64, p []byte) {
	l.Helper()
	if n, err := l.WriteAt(p, off); n != len(p) || err != nil {
		l.Fatalf("%d bytes at %d: %d, %v", len(p), off, n, err)
	}
}

func header(commit bool) []byte {
	h := bytes.Repeat([]byte{7}, frameHeader)
	copy(h[4:], []byte{0, 0, 0, 0})
	if commit {
		h[7] = 9
	}
	return h
}

func frameAt(i int) int64 { return 32 + int64(i)*(frameHeader+512) }

func (l log) frames(from int, commits ...bool) {
	l.Helper()
	for i, commit := range commits {
		l.write(frameAt(from+i), header(commit))
		l.write(frameAt(from+i)+frameHeader, bytes.Repeat([]byte{byte(from + i)}, 512))
	}
}

func (l log) want(writes ...string) {
	l.Helper()
	if !slices.Equal(l.r.writes, writes) {
		l.Errorf("the file saw %q, want %q", l.r.writes, writes)
	}
}

func TestLogCoalescesCommits(t *testing.T) {
	l := newLog(t)
	l.frames(0, false, false, true)
	l.frames(3, true)
	l.want("0+32", "32+1608", "1640+536")
	for i := range 4 {
		if got := l.r.data[frameAt(i)+frameHeader]; got != byte(i) {
			t.Errorf("page %d holds %d", i, got)
		}
	}
}

func TestLogKeepsLittle(t *testing.T) {
	l := newLog(t)
	const n = coalesceBytes/(frameHeader+512) + 1
	l.frames(0, make([]bool, n)...)
	l.want("0+32", fmt.Sprintf("32+%d", n*(frameHeader+512)))
	if len(l.buf) != 0 {
		t.Errorf("%d bytes are kept", len(l.buf))
	}
}

// Whatever else is asked of the file sees what was gathered before it.
func TestLogKeepsOrder(t *testing.T) {
	for name, do := range map[string]struct {
		call func(l log) error
		want []string
	}{
		"sync":     {func(l log) error { return l.Sync(0) }, []string{"sync"}},
		"truncate": {func(l log) error { return l.Truncate(32) }, []string{"cut to 32"}},
		"size": {func(l log) error {
			if n, err := l.Size(); n != frameAt(1) || err != nil {
				return fmt.Errorf("size %d, %v", n, err)
			}
			return nil
		}, nil},
		"read": {func(l log) error {
			p := make([]byte, 512)
			if _, err := l.ReadAt(p, frameAt(0)+frameHeader); err != nil || !bytes.Equal(p, make([]byte, 512)) {
				return fmt.Errorf("%v, %v", p[:4], err)
			}
			return nil
		}, nil},
		"a page written anew":   {func(l log) error { l.write(frameAt(0)+frameHeader, make([]byte, 512)); return nil }, []string{"56+512"}},
		"a header written anew": {func(l log) error { l.write(frameAt(0), header(true)); return nil }, []string{"32+24"}},
		"a header elsewhere":    {func(l log) error { l.write(frameAt(7), header(true)); return nil }, []string{"3784+24"}},
		"the log from its start": {func(l log) error {
			l.write(0, make([]byte, 32))
			l.frames(0, true)
			return nil
		}, []string{"0+32", "32+536"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t)
			l.frames(0, false)
			l.want("0+32")
			if err := do.call(l); err != nil {
				t.Error(err)
			}
			l.want(append([]string{"0+32", "32+536"}, do.want...)...)
		})
	}
}

// What a commit left that failed is not written by the next, nor is anything gathered between them.
func TestLogForgetsFailedCommits(t *testing.T) {
	l := newLog(t)
	l.frames(0, false, false)
	l.End()
	l.write(32, header(false))
	l.write(32+frameHeader, make([]byte, 512))
	l.Begin()
	l.frames(1, true)
	l.End()
	l.want("0+32", "32+24", "56+512", "568+536")
}

// A disk that fails is reported at the end of the commit, and by whatever else needs the frames on
// disk before; nothing of them comes after it.
func TestLogReportsFailure(t *testing.T) {
	full := errors.New("no space")
	for name, call := range map[string]func(l log) error{
		"commit": func(l log) error {
			l.write(frameAt(1), header(true))
			_, err := l.WriteAt(make([]byte, 512), frameAt(1)+frameHeader)
			return err
		},
		"sync":      func(l log) error { return l.Sync(0) },
		"truncate":  func(l log) error { return l.Truncate(32) },
		"size":      func(l log) error { _, err := l.Size(); return err },
		"read":      func(l log) error { _, err := l.ReadAt(make([]byte, 24), 32); return err },
		"elsewhere": func(l log) error { _, err := l.WriteAt(make([]byte, 24), 32); return err },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t)
			l.frames(0, false)
			l.r.err = full
			if err := call(l); !errors.Is(err, full) {
				t.Errorf("%v, want %v", err, full)
			}
			l.r.err = nil
			l.write(32, header(true)) // SQLite begins the next transaction where this one began
			l.write(56, make([]byte, 512))
			l.want("0+32", "32+24", "56+512")
		})
	}
}
