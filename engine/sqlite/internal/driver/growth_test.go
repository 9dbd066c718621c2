package driver

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

const step, syncedStep = 4096, 3 * 4096

// newGrowing is a log of one of several connections to r.
func newGrowing(t *testing.T, r *recorder) log {
	return log{t, &logFile{File: r, trust: new(trust), growth: growth{step: step, syncedStep: syncedStep}}, r}
}

// commit writes frames from the one numbered first on as a commit.
func (l log) commit(first, count int) {
	l.Helper()
	l.begin()
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

func TestGrowthInSteps(t *testing.T) {
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
			const n = gatherBytes/(frameHeader+512) + 1
			l.commit(0, n+1)
			l.commit(n+1, 1)
		}, []string{"0+32", plain(0, 245), plain(245, 1), to(246, 33*step)}},
		"synced": {func(l log) {
			l.commit(0, 1)
			_ = l.Sync(0)
			l.commit(1, 7)
			l.commit(8, 1)
		}, []string{"0+32", to(0, step), "sync", to(1, syncedStep), plain(8, 1)}},
		"synced between commits": {func(l log) {
			l.commit(0, 1)
			l.end()
			_ = l.Sync(0)
			l.commit(1, 7)
		}, []string{"0+32", to(0, step), "sync", to(1, 2*step)}},
		"synced before its frames": {func(l log) {
			l.commit(0, 1)
			l.begin()
			_ = l.Sync(0)
			l.commit(1, 7)
		}, []string{"0+32", to(0, step), "sync", to(1, 2*step)}},
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
			newGrowing(t, l.r).commit(1, 10)
			l.commit(11, 2)
			l.commit(13, 2)
		}, []string{"0+32", to(0, step), to(1, 2*step), plain(11, 2), plain(13, 2)}},
		"off": {func(l log) { l.growth = growth{}; l.commit(0, 1); l.commit(1, 1) }, []string{"0+32", plain(0, 1), plain(1, 1)}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newGrowing(t, &recorder{})
			tt.do(l)
			l.want(tt.want...)
		})
	}
}

// Whatever several connections do to a log, in turns as SQLite's locks make them, it is what it would be if it did not grow, and zeros.
func TestGrowthAddsZerosAlone(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 0))
		grown, bare := &recorder{}, &recorder{}
		var with, without [3]log
		for i := range with {
			with[i], without[i] = newGrowing(t, grown), log{t, &logFile{File: bare, trust: new(trust)}, bare}
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
					l.end()
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
			if !found || len(rest) >= syncedStep || !bytes.Equal(rest, make([]byte, len(rest))) {
				t.Fatalf("seed %d: after %q the file of %d bytes is not the %d of frames and zeros", seed, grown.writes, len(grown.data), len(bare.data))
			}
		}
	}
}

// limited is a file that cannot become longer than limit. What does not fit is written up to there, or not at all if strict.
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

// A disk that is too full for zeros takes the frames, and is not asked again until the log begins anew.
func TestGrowthOnFullDisk(t *testing.T) {
	for _, strict := range []bool{true, false} {
		full := fullError(&os.PathError{Op: "write", Path: "log", Err: syscall.ENOSPC})
		l := newGrowing(t, &recorder{})
		disk := &limited{recorder: l.r, limit: 1200, strict: strict, err: full}
		l.File = disk
		l.commit(0, 1)
		l.commit(1, 1)
		l.want("0+32", "no room for "+to(0, step), plain(0, 1), plain(1, 1))
		l.begin()
		l.write(frameAt(2), header(true))
		if _, err := l.WriteAt(make([]byte, 512), frameAt(2)+frameHeader); err != full {
			t.Errorf("a commit that does not fit: %v", err)
		}
		l.end()
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
func TestGrowthNeedsTheSize(t *testing.T) {
	l := newGrowing(t, &recorder{})
	disk := &limited{recorder: l.r, limit: 1 << 20, sizeErr: syscall.EIO}
	l.File = disk
	l.commit(0, 1)
	disk.sizeErr = nil
	l.commit(1, 1)
	l.want("0+32", plain(0, 1), to(1, step))
}

// What follows the frames of a log does not matter to those who open it, nor do commits that a power cut made zeros.
func TestZerosBehindTheLog(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "v.db")
	var conns [2]*Conn
	for i := range conns {
		c, err := Open(t.Context(), Config{Path: path, Create: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns[i] = c
	}
	const setup = `PRAGMA page_size=1024; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=100000;
		CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, x BLOB, n INTEGER); CREATE INDEX IF NOT EXISTS i ON t(n)`
	if err := errors.Join(conns[0].Exec(setup), conns[1].Exec(setup)); err != nil {
		t.Fatal(err)
	}
	before := ""
	for round := range 20 {
		one, other := conns[round%3%2], conns[1-round%3%2]
		size := 100 << (round % 7)
		if round == 8 {
			size = 2 * gatherBytes // in several writes
		}
		sql := fmt.Sprintf(`INSERT INTO t(x, n) VALUES(randomblob(%d), %d)`, size, round)
		if err := errors.Join(one.Begin(true), one.Exec(sql), one.Commit()); err != nil {
			t.Fatal(err)
		}
		want := contents(t, other)
		db, log := readFile(t, path), readFile(t, path+"-wal")
		end := framesEnd(log)
		if zeros := log[end:]; round < 6 && (len(log)%growBytes != 0 || !bytes.Equal(zeros, make([]byte, len(zeros)))) {
			t.Errorf("round %d: a log of %d bytes, %d of frames", round, len(log), end)
		}
		for what, log := range map[string][]byte{
			"as it is": log, "without zeros": log[:end], "with more zeros": append(bytes.Clone(log[:end]), make([]byte, 1<<20)...),
		} {
			if got := contentsOf(t, dir, db, log); got != want {
				t.Errorf("round %d, log %s: %.100s, want %.100s", round, what, got, want)
			}
		}
		clear(log[end-1048:]) // the disk kept the length and not the last frame
		if got := contentsOf(t, dir, db, log); before != "" && got != before {
			t.Errorf("round %d, last frame lost: %.100s, want %.100s", round, got, before)
		}
		if before = want; round%7 == 6 {
			if _, _, err := other.Checkpoint(round > 7); err != nil {
				t.Fatal(err)
			}
			before = ""
		}
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// framesEnd is where the frames of a log with pages of 1 KiB end that belong to its header.
func framesEnd(log []byte) int {
	end := 32
	for end+1048 <= len(log) && bytes.Equal(log[end+8:end+16], log[16:24]) {
		end += 1048
	}
	return end
}

// contentsOf is what a database and a log hold that a process left when it died.
func contentsOf(t *testing.T, dir string, db, log []byte) string {
	t.Helper()
	left, err := os.MkdirTemp(dir, "left")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(left)
	path := filepath.Join(left, "v.db")
	if err := errors.Join(os.WriteFile(path, db, 0o600), os.WriteFile(path+"-wal", log, 0o600)); err != nil {
		t.Fatal(err)
	}
	c, err := Open(t.Context(), Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return contents(t, c)
}
