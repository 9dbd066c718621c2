package driver

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// lateContext ends after it was asked so many times whether it has.
type lateContext struct {
	context.Context
	left *atomic.Int64
}

func (c lateContext) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// A transaction of which it is said that it has not begun, or not been committed, has not.
func TestBeginAndCommitAreBelievable(t *testing.T) {
	c, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "v.db"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; CREATE TABLE t(x)`); err != nil {
		t.Fatal(err)
	}
	var left atomic.Int64
	late := func() {
		left.Store(rand.Int64N(5))
		c.SetContext(lateContext{t.Context(), &left})
	}
	rows, refused := int64(0), 0
	for i := range 20_000 {
		late()
		err := c.Begin(true)
		c.SetContext(t.Context())
		if (err != nil) == c.InTransaction() {
			t.Fatalf("round %d: begin: %v, in a transaction: %v", i, err, c.InTransaction())
		}
		if err != nil {
			refused++
			continue
		}
		if err := c.run(`INSERT INTO t VALUES(1)`); err != nil {
			t.Fatal(err)
		}
		late()
		if err := c.Commit(); err == nil {
			rows++
		} else {
			refused++
		}
		c.SetContext(t.Context())
		if err := c.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
	st, err := c.Prepare(`SELECT count(*) FROM t`)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Reset()
	if _, err := st.Step(); err != nil || st.ColInt(0) != rows {
		t.Fatalf("%d rows, %v; %d were committed", st.ColInt(0), err, rows)
	}
	if refused == 0 || rows == 0 {
		t.Errorf("%d commits, %d refusals", rows, refused)
	}
}
