package walvfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
)

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

// SQLite's commits reach the log as one write, and whatever it does within a transaction, a copy of
// the files after a commit holds that commit: also where pages left the cache before it, changed
// again, and were undone.
func TestCommitReachesTheLog(t *testing.T) {
	c := &counting{VFSFilename: vfs.Find("os").(vfs.VFSFilename)}
	vfs.Register("counting", walvfs.Coalesce(c))
	defer vfs.Unregister("counting")
	dir := t.TempDir()
	path := filepath.Join(dir, "v.db")
	conn, err := driver.Open(t.Context(), driver.Config{Path: path, Create: true, VFS: "counting"})
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
		other, err := driver.Open(t.Context(), driver.Config{Path: copied})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := contents(t, other), contents(t, conn); got != want {
			t.Errorf("after round %d the files hold %s, want %s", round, got, want)
		}
		other.Close()
	}
}

// Pages that left the cache of a transaction that was undone are not written once the log is
// somebody else's.
func TestUndonePagesStayOutOfTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	var conns [2]*driver.Conn
	for i := range conns {
		c, err := driver.Open(t.Context(), driver.Config{Path: path, Create: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns[i] = c
	}
	a, b := conns[0], conns[1]
	write := func(c *driver.Conn, end func() error, sql string) {
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

func contents(t *testing.T, c *driver.Conn) string {
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

// What follows the frames of a log does not matter to those who open it, nor do commits that a
// power cut made zeros.
func TestZerosBehindTheLog(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "v.db")
	var conns [2]*driver.Conn
	for i := range conns {
		c, err := driver.Open(t.Context(), driver.Config{Path: path, Create: true})
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
			size = 256 << 10 // in several writes
		}
		sql := fmt.Sprintf(`INSERT INTO t(x, n) VALUES(randomblob(%d), %d)`, size, round)
		if err := errors.Join(one.Begin(true), one.Exec(sql), one.Commit()); err != nil {
			t.Fatal(err)
		}
		want := contents(t, other)
		db, log := readFile(t, path), readFile(t, path+"-wal")
		end := framesEnd(log)
		if zeros := log[end:]; round < 6 && (len(log)%(32<<10) != 0 || !bytes.Equal(zeros, make([]byte, len(zeros)))) {
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
	c, err := driver.Open(t.Context(), driver.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return contents(t, c)
}

// A connection to a database without a log has its commits coalesced once another one has made the
// log.
func TestCommitReachesTheLogOfAnother(t *testing.T) {
	c := &counting{VFSFilename: vfs.Find("os").(vfs.VFSFilename)}
	vfs.Register("counting-other", walvfs.Coalesce(c))
	defer vfs.Unregister("counting-other")
	path := filepath.Join(t.TempDir(), "v.db")
	var conns [2]*driver.Conn
	for i := range conns {
		conn, err := driver.Open(t.Context(), driver.Config{Path: path, Create: true, VFS: "counting-other"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns[i] = conn
	}
	put := func(sql string) {
		t.Helper()
		if err := errors.Join(conns[0].Begin(true), conns[0].Exec(sql), conns[0].Commit()); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	put(`CREATE TABLE t(x)`)
	if err := conns[1].Exec(`PRAGMA journal_mode=WAL`); err != nil {
		t.Fatal(err)
	}
	put(`INSERT INTO t VALUES(1)`) // writes the header of the log, too
	before := c.writes
	put(`INSERT INTO t VALUES(zeroblob(20000))`)
	if n := c.writes - before; n != 1 {
		t.Errorf("a commit took %d writes of the log, want 1", n)
	}
}
