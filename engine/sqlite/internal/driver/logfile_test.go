package driver

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	*logFile
	r *recorder
}

func newLog(t *testing.T) log {
	r := &recorder{}
	l := log{t, &logFile{File: r, trust: new(trust)}, r}
	l.begin()
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

func TestLogFileGathersCommits(t *testing.T) {
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

func TestLogFileHoldsLittle(t *testing.T) {
	l := newLog(t)
	const n = gatherBytes/(frameHeader+512) + 1
	l.frames(0, make([]bool, n)...)
	l.want("0+32", fmt.Sprintf("32+%d", n*(frameHeader+512)))
	if len(l.buf) != 0 {
		t.Errorf("%d bytes are kept", len(l.buf))
	}
}

// Whatever else is asked of the file sees what was gathered before it.
func TestLogFileKeepsOrder(t *testing.T) {
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
func TestLogFileForgetsFailedCommits(t *testing.T) {
	l := newLog(t)
	l.frames(0, false, false)
	l.end()
	l.write(32, header(false))
	l.write(32+frameHeader, make([]byte, 512))
	l.begin()
	l.frames(1, true)
	l.end()
	l.want("0+32", "32+24", "56+512", "568+536")
}

// A disk that fails is reported at the end of the commit, and by whatever else needs the frames on disk before; nothing of
// them comes after it.
func TestLogFileReportsFailure(t *testing.T) {
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

// counting is a file system that counts the writes of logs.
type counting struct {
	vfs.VFSFilename
	writes int
}

type countedFile struct {
	vfs.File
	c *counting
}

func (c *counting) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, out, err := c.VFSFilename.OpenFilename(name, flags)
	if err == nil && flags&vfs.OPEN_WAL != 0 {
		f = countedFile{f, c}
	}
	return f, out, err
}

func (f countedFile) WriteAt(p []byte, off int64) (int, error) {
	f.c.writes++
	return f.File.WriteAt(p, off)
}

// SQLite's commits reach the log as one write, and whatever it does within a transaction, a copy of the files after a commit
// holds that commit: also where pages left the cache before it, changed again, and were undone.
func TestCommitReachesTheLog(t *testing.T) {
	c := &counting{VFSFilename: vfs.Find("os").(vfs.VFSFilename)}
	vfs.Register("counting", Gather(c))
	defer vfs.Unregister("counting")
	dir := t.TempDir()
	path := filepath.Join(dir, "v.db")
	conn, err := Open(t.Context(), Config{Path: path, Create: true, VFS: "counting"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	run := func(sql string) {
		t.Helper()
		if err := conn.Exec(sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	run(`PRAGMA page_size=1024; PRAGMA journal_mode=WAL; CREATE TABLE t(id INTEGER PRIMARY KEY, x BLOB, n INTEGER); CREATE INDEX i ON t(n)`)
	run(`WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2000) INSERT INTO t SELECT n, randomblob(400), n FROM c`)
	commit := func(sql string) {
		t.Helper()
		if err := conn.Begin(true); err != nil {
			t.Fatal(err)
		}
		run(sql)
		if err := conn.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	commit(`UPDATE t SET n = n - 1 WHERE id = 7`) // the log may begin anew here, with a header
	before := c.writes
	commit(`UPDATE t SET x = randomblob(400), n = -n WHERE id IN (1, 1000)`)
	if n := c.writes - before; n != 1 {
		t.Errorf("a commit of a few pages took %d writes of the log, want 1", n)
	}
	run(`PRAGMA cache_size=10; PRAGMA wal_autocheckpoint=0`)
	for round, sql := range []string{
		`UPDATE t SET n = n + 1; UPDATE t SET n = n * 3; UPDATE t SET x = randomblob(380) WHERE id % 7 = 0`,
		`UPDATE t SET n = n + 1; SAVEPOINT s; UPDATE t SET x = randomblob(10); ROLLBACK TO s; UPDATE t SET n = n - 5`,
		`UPDATE t SET n = n + 2 WHERE id < 900`,
		`UPDATE t SET n = n + 1 WHERE id < 5; UPDATE t SET x = randomblob(300); UPDATE t SET n = n + 1 WHERE id < 5`,
	} {
		commit(sql)
		copied := filepath.Join(dir, fmt.Sprintf("copy%d.db", round))
		for _, suffix := range []string{"", "-wal"} { // not the shared memory: its index of the log is made anew from the log
			data, err := os.ReadFile(path + suffix)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(copied+suffix, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		other, err := Open(t.Context(), Config{Path: copied})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := contents(t, other), contents(t, conn); got != want {
			t.Errorf("after round %d the files hold %s, want %s", round, got, want)
		}
		other.Close()
	}
}

// Pages that left the cache of a transaction that was undone are not written once the log is somebody else's.
func TestUndonePagesStayOutOfTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	var conns [2]*Conn
	for i := range conns {
		c, err := Open(t.Context(), Config{Path: path, Create: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns[i] = c
	}
	a, b := conns[0], conns[1]
	write := func(c *Conn, end func() error, sql string) {
		t.Helper()
		if err := errors.Join(c.Begin(true), c.Exec(sql), end()); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	if err := a.Exec(`PRAGMA page_size=1024; PRAGMA journal_mode=WAL; PRAGMA cache_size=10; PRAGMA wal_autocheckpoint=0;
		CREATE TABLE t(id INTEGER PRIMARY KEY, x BLOB, n INTEGER)`); err != nil {
		t.Fatal(err)
	}
	write(a, a.Commit, `WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 500) INSERT INTO t SELECT n, zeroblob(400), n FROM c`)
	// New rows, so that no page is read on the way, few enough not to be written for being many.
	const undone = `WITH RECURSIVE c(n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM c WHERE n < 1100) INSERT INTO t SELECT n, randomblob(400), n FROM c`
	for range 3 {
		write(a, a.Rollback, undone)
		write(b, b.Commit, `UPDATE t SET n = n + 1, x = zeroblob(400)`)
		want := contents(t, b)
		if got := contents(t, a); got != want || !strings.HasPrefix(got, "ok") {
			t.Errorf("one sees %.200s, the other %.200s", got, want)
		}
		write(a, a.Rollback, undone)
		write(b, b.Commit, `UPDATE t SET n = n - 3 WHERE id < 100`)
		write(a, a.Commit, `UPDATE t SET n = n + 1 WHERE id < 200`)
		if got, want := contents(t, a), contents(t, b); got != want || !strings.HasPrefix(got, "ok") {
			t.Errorf("one sees %.200s, the other %.200s", got, want)
		}
	}
}

func contents(t *testing.T, c *Conn) string {
	t.Helper()
	text := ""
	for _, sql := range []string{`PRAGMA integrity_check`, `SELECT count(*) || ' ' || sum(n * id) FROM t`,
		`SELECT hex(x) FROM t WHERE id % 7 = 0 AND id < 30`, `SELECT sum(octet_length(x)) FROM t`} {
		st, err := c.Prepare(sql)
		if err != nil {
			t.Fatal(err)
		}
		for {
			there, err := st.Step()
			if err != nil {
				t.Fatal(err)
			}
			if !there {
				break
			}
			text += st.ColString(0) + "\n"
		}
	}
	return text
}
