package walvfs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
)

const step = 4096

// newSynced is the log of one of several connections to r, which has synced a commit before.
func newSynced(t *testing.T, r *recorder) log {
	return log{t, &Log{File: r, state: new(syncState), space: preallocation{step: step, synced: true}}, r}
}

// commit writes frames from the one numbered first on as a commit.
func (l log) commit(first, count int) {
	l.Helper()
	l.Begin()
	if first == 0 {
		l.write(0, make([]byte, 32))
	}
	commits := make([]bool, count)
	commits[count-1] = true
	l.frames(first, commits...)
}

// to is how a write of the frames from first on looks that makes the file so long.
func to(first int, length int64) string {
	return fmt.Sprintf("%d+%d", frameAt(first), length-frameAt(first))
}

// plain is how one looks that leaves its length alone, or adds no zeros.
func plain(first, count int) string { return to(first, frameAt(first+count)) }

func TestPreallocation(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(l log)
		want []string
	}{
		"small commits": {func(l log) {
			l.commit(0, 2)
			l.commit(2, 5)
			l.commit(7, 1)
			l.commit(8, 1)
		}, []string{"0+32", to(0, step), plain(2, 5), to(7, 2*step), plain(8, 1)}},
		"larger than a step": {func(l log) { l.commit(0, 20); l.commit(20, 1) }, []string{"0+32", to(0, 3*step), plain(20, 1)}},
		"written in parts": {func(l log) {
			const n = coalesceBytes/(frameHeader+512) + 1
			l.commit(0, n+1)
			l.commit(n+1, 1)
		}, []string{"0+32", plain(0, 245), plain(245, 1), to(246, 33*step)}},
		"not synced": {func(l log) { l.space.synced = false; l.commit(0, 1); l.commit(1, 1) }, []string{"0+32", plain(0, 1), plain(1, 1)}},
		"not synced, in smaller steps": {func(l log) {
			l.space = preallocation{step: 2 * step, unsynced: step}
			l.commit(0, 1)
			_ = l.Sync(0)
			l.commit(1, 7)
			l.commit(8, 1)
		}, []string{"0+32", to(0, step), "sync", to(1, 2*step), plain(8, 1)}},
		"synced for the first time": {func(l log) {
			l.space.synced = false
			l.commit(0, 1)
			_ = l.Sync(0)
			l.commit(1, 7)
			l.commit(8, 1)
		}, []string{"0+32", plain(0, 1), "sync", to(1, 2*step), plain(8, 1)}},
		"synced between commits": {func(l log) {
			l.space.synced = false
			l.commit(0, 1)
			l.End()
			_ = l.Sync(0)
			l.commit(1, 7)
		}, []string{"0+32", plain(0, 1), "sync", plain(1, 7)}},
		"synced before its frames": {func(l log) {
			l.space.synced = false
			l.commit(0, 1)
			l.Begin()
			_ = l.Sync(0)
			l.commit(1, 7)
		}, []string{"0+32", plain(0, 1), "sync", plain(1, 7)}},
		"cut off by this connection": {func(l log) {
			l.commit(0, 1)
			_ = l.Truncate(frameAt(1))
			l.commit(1, 1)
		}, []string{"0+32", to(0, step), "cut to 568", to(1, step)}},
		"cut off by another": {func(l log) {
			l.commit(0, 7)
			l.r.data = l.r.data[:0]
			l.commit(0, 1)
		}, []string{"0+32", to(0, step), "0+32", to(0, step)}},
		"cut off and begun by another": {func(l log) {
			l.commit(0, 1)
			l.commit(1, 6)
			l.r.data = l.r.data[:frameAt(2)]
			l.commit(2, 1) // it does not know
			l.commit(3, 6)
		}, []string{"0+32", to(0, step), plain(1, 6), plain(2, 1), to(3, 2*step)}},
		"made longer by another": {func(l log) {
			l.commit(0, 1)
			newSynced(t, l.r).commit(1, 10)
			l.commit(11, 2)
			l.commit(13, 2)
		}, []string{"0+32", to(0, step), to(1, 2*step), plain(11, 2), plain(13, 2)}},
		"off": {func(l log) { l.space = preallocation{}; l.commit(0, 1); l.commit(1, 1) }, []string{"0+32", plain(0, 1), plain(1, 1)}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newSynced(t, &recorder{})
			tt.do(l)
			l.want(tt.want...)
		})
	}
}

// Whatever several connections do to a log, in turns as SQLite's locks make them, it is what it
// would be if it did not grow, and zeros.
func TestPreallocationAddsZerosAlone(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 0))
		grown, bare := &recorder{}, &recorder{}
		var with, without [3]log
		for i := range with {
			with[i], without[i] = newSynced(t, grown), log{t, &Log{File: bare, state: new(syncState)}, bare}
		}
		at := 0
		for range 40 {
			i, n := r.IntN(3), 1+r.IntN(9)
			if r.IntN(50) == 0 {
				n = 300
			}
			switch r.IntN(8) {
			case 0: // pages leave the cache, and the transaction is undone
				for _, l := range []log{with[i], without[i]} {
					l.End()
					l.frames(at, make([]bool, n)...)
				}
			case 1: // the log begins anew, cut off or not
				at = 0
				if size := int64(r.IntN(3 * step)); r.IntN(2) == 0 {
					for _, l := range []log{with[i], without[i]} {
						if err := l.Truncate(min(size, int64(len(l.r.data)))); err != nil {
							t.Fatal(err)
						}
					}
				}
			default:
				with[i].commit(at, n)
				without[i].commit(at, n)
				if at += n; r.IntN(4) == 0 {
					_ = with[i].Sync(0)
				}
			}
			rest, found := bytes.CutPrefix(grown.data, bare.data)
			if !found || len(rest) >= step || !bytes.Equal(rest, make([]byte, len(rest))) {
				t.Fatalf("seed %d: after %q the file of %d bytes is not the %d of frames and zeros", seed, grown.writes, len(grown.data), len(bare.data))
			}
		}
	}
}

// limited is a file that cannot become longer than limit. What does not fit is written up to there,
// or not at all if strict.
type limited struct {
	*recorder
	limit   int
	strict  bool
	err     error
	sizeErr error
}

func (l *limited) WriteAt(p []byte, off int64) (int, error) {
	room := max(l.limit-int(off), 0)
	if room >= len(p) {
		return l.recorder.WriteAt(p, off)
	}
	l.writes = append(l.writes, fmt.Sprintf("no room for %d+%d", off, len(p)))
	if l.strict {
		return 0, l.err
	}
	if end := int(off) + room; end > len(l.data) {
		l.data = append(l.data, make([]byte, end-len(l.data))...)
	}
	return copy(l.data[off:], p), l.err
}

func (l *limited) Size() (int64, error) {
	size, _ := l.recorder.Size()
	return size, l.sizeErr
}

// A disk that is too full for zeros takes the frames, and is not asked again until the log begins
// anew.
func TestPreallocationOnFullDisk(t *testing.T) {
	for _, strict := range []bool{true, false} {
		full := diskFullError(&os.PathError{Op: "write", Path: "log", Err: syscall.ENOSPC})
		l := newSynced(t, &recorder{})
		disk := &limited{recorder: l.r, limit: 1200, strict: strict, err: full}
		l.File = disk
		l.commit(0, 1)
		l.commit(1, 1)
		l.want("0+32", "no room for "+to(0, step), plain(0, 1), plain(1, 1))
		l.Begin()
		l.write(frameAt(2), header(true))
		if _, err := l.WriteAt(make([]byte, 512), frameAt(2)+frameHeader); err != full {
			t.Errorf("a commit that does not fit: %v", err)
		}
		l.End()
		disk.limit = 1 << 20
		l.r.writes = nil
		l.commit(0, 1)
		l.commit(1, 7)
		l.want("0+32", plain(0, 1), to(1, 2*step))
		for i := range 8 {
			if page := l.r.data[frameAt(i)+frameHeader : frameAt(i+1)]; !bytes.Equal(page, bytes.Repeat([]byte{byte(i)}, 512)) {
				t.Errorf("page %d begins with %d", i, page[:4])
			}
		}
	}
}

// Where it cannot be told how long the file is, it does not grow.
func TestPreallocationNeedsTheSize(t *testing.T) {
	l := newSynced(t, &recorder{})
	disk := &limited{recorder: l.r, limit: 1 << 20, sizeErr: syscall.EIO}
	l.File = disk
	l.commit(0, 1)
	disk.sizeErr = nil
	l.commit(1, 1)
	l.want("0+32", plain(0, 1), to(1, step))
}
