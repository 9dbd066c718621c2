package sqlite

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
	"github.com/kohakuvault/kvault/internal/process"
)

func TestAbandoned(t *testing.T) {
	now := time.Now()
	type abandonedCase struct {
		name string
		o    owner
		beat time.Duration
		want bool
	}
	cases := []abandonedCase{
		{"this process", self, 0, false},
		{"this process, long silent", self, 2 * staleAfter, false},
		{"an earlier process with this one's id", owner{self.host, self.pid, "other"}, 0, true},
		{"a process that lives", owner{self.host, 1, "other"}, 0, false},
		{"a process that lives, long silent", owner{self.host, 1, "other"}, 2 * staleAfter, false},
		{"a process that lives, heard of in the future", owner{self.host, 1, "other"}, -2 * staleAfter, false},
		{"a process that lives, since then", owner{self.host, 1, "other." + process.StartOf("1")}, 2 * staleAfter, false},
		{"no such process, long silent", owner{self.host, 1 << 30, "other"}, 2 * staleAfter, true},
		{"no such process", owner{self.host, 1 << 30, "other"}, 0, true},
		{"another host", owner{"elsewhere", self.pid, "other"}, staleAfter / 2, false},
		{"another host, long silent", owner{"elsewhere", self.pid, "other"}, 2 * staleAfter, true},
		{"nonsense", parseOwner("a|b"), 0, true},
		{"nonsense", parseOwner("a|b|c"), 0, true},
	}
	if process.StartOf("1") != "" { // where it is known when a process began
		cases = append(cases,
			abandonedCase{"a later process with its id", owner{self.host, 1, "other.0x"}, 2 * staleAfter, true},
			abandonedCase{"a later process with its id, perhaps", owner{self.host, 1, "other.0x"}, 0, false},
			abandonedCase{"a copy of the package in this process", owner{self.host, self.pid, "other." + self.start()}, 2 * staleAfter, false},
			abandonedCase{"a host that has another name by now", owner{"former" + process.Scope, 1, "other"}, 2 * staleAfter, false})
	}
	for _, c := range cases {
		if got := parseOwner(c.o.String()).abandoned(now.Add(-c.beat), now); c.o.pid != 0 && got != c.want {
			t.Errorf("%s: abandoned %t, want %t", c.name, got, c.want)
		}
		if got := c.o.abandoned(now.Add(-c.beat), now); got != c.want {
			t.Errorf("%s: abandoned %t, want %t", c.name, got, c.want)
		}
	}
}

// SQLite may undo a whole transaction by itself. What is called then must not run, and commit,
// outside of it.
func TestTransactionThatSQLiteUndid(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, Memory, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	begun, err := s.Begin(ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	put := []engine.Op{{Kind: engine.Put, Key: "k"}}
	if _, err := begun.Apply(ctx, put); err != nil {
		t.Fatal(err)
	}
	cause := errors.New("interrupted")
	err = begun.(*tx).in(ctx, func(ses *session) error { return errors.Join(ses.run(`ROLLBACK`), cause) })
	if !errors.Is(err, cause) {
		t.Errorf("%v, want the cause", err)
	}
	if _, err := begun.Apply(ctx, put); !errors.Is(err, engine.ErrTxDone) {
		t.Errorf("Apply: %v, want that the transaction has ended", err)
	}
	if err := begun.Commit(ctx); !errors.Is(err, engine.ErrTxDone) {
		t.Errorf("Commit: %v, want that the transaction has ended", err)
	}
	if n, err := s.Count(ctx, engine.Range{}); n != 0 || err != nil {
		t.Errorf("%d keys, %v", n, err)
	}
	if _, err := s.Apply(ctx, put); err != nil {
		t.Errorf("the store is stuck: %v", err)
	}
}

func FuzzTableName(f *testing.F) {
	for _, s := range []string{"", "kvault", "a_1", "1a", `"; DROP TABLE x`, "sqlite_x", "KOHAKUVAULT_META", strings.Repeat("a", 200), "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if format.CheckTable(s) != nil {
			return
		}
		if quoted(s) != `"`+s+`"` {
			t.Errorf("%q is accepted but needs quoting: %s", s, quoted(s))
		}
	})
}

// SQLite looks a little past the end of an index page, and at pages that a file which was cut off
// no longer has. Where the map goes on behind the file, that ends the process; so no connection
// maps more than the file has.
func TestMapEndsWithTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	for _, c := range []struct{ ask, atLeast int64 }{{0, 0}, {1 << 20, 1 << 20}, {256 << 20, 2 << 20}} {
		s, err := Open(t.Context(), path, &Options{MmapSize: c.ask})
		if err != nil {
			t.Fatal(err)
		}
		big := []engine.Op{{Kind: engine.Put, Key: "k", Value: make([]byte, 3<<20)}}
		if _, err := s.Apply(t.Context(), big); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.writer.conn.Checkpoint(true); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		for name, p := range map[string]*pool{"reads": s.reads, "streams": s.streams} {
			conn, err := p.get(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got, err := pragma(conn, "mmap_size")
			if err != nil || got > info.Size() || got > max(c.ask, 0) || name == "reads" && got < c.atLeast || name == "streams" && got != 0 {
				t.Errorf("asked for %d, %s map %d of %d bytes (%v)", c.ask, name, got, info.Size(), err)
			}
			p.put(conn)
		}
		if got, err := pragma(s.writer.conn, "mmap_size"); err != nil || got != 0 {
			t.Errorf("asked for %d, the writer maps %d (%v)", c.ask, got, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// An upgrade copies a small row of another program once, not again with the lock held.
func TestUpgradeComparesForeignRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	makeWith(t, path, Layout1+`; INSERT INTO kvault(key, value) VALUES(x'61', x'01'), (x'62', 'text'), (x'63', x'')`)
	s := openVault(t, path, nil)
	u := &upgrader{ctx: t.Context(), total: -1}
	var changed []changedRow
	for _, run := range []func(*session) error{u.begin, u.copyRows, func(ses *session) (err error) {
		u.next, u.ended = math.MinInt64, false
		changed, err = u.compare(ses)
		return err
	}} {
		if err := s.writer.do(&request{ctx: t.Context(), run: run}); err != nil {
			t.Fatal(err)
		}
	}
	if u.finished || u.total != 3 || len(changed) > 0 {
		t.Errorf("%d rows, of which %d are to be copied again", u.total, len(changed))
	}
}

// A version that knows no uploads takes one for a stage of another host, and leaves it until an
// hour after its expiry.
func TestUploadOwner(t *testing.T) {
	expires := time.Now()
	for after, want := range map[time.Duration]bool{-time.Minute: false, 59 * time.Minute: false, 61 * time.Minute: true} {
		if got := parseOwner(format.UploadOwner).abandoned(expires, expires.Add(after)); got != want {
			t.Errorf("%v after the expiry: abandoned %v, want %v", after, got, want)
		}
	}
}
