package driver

import (
	"context"
	"errors"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// Begin starts a transaction: one that takes the write lock at once, or one that reads.
func (c *Conn) Begin(write bool) error {
	c.begun++
	c.writes = write
	c.hold.began, c.hold.logless = walState{}, false
	if write {
		err := c.runToEnd("BEGIN IMMEDIATE")
		if err == nil {
			err = c.repairLog()
		}
		if err != nil {
			err = errors.Join(err, c.Rollback())
		}
		return err
	}
	if state, ok := c.latest(); ok {
		c.hold.began, c.hold.logless, c.hold.since = state, c.fileHolds(state), time.Now()
	}
	return c.run("BEGIN")
}

// TakeSnapshot makes a transaction that reads begin now: SQLite's own BEGIN waits for the first
// look at a table.
func (c *Conn) TakeSnapshot() error {
	s, err := c.Prepare(`SELECT 1 FROM sqlite_schema LIMIT 1`)
	if err != nil {
		return err
	}
	defer s.Reset()
	_, err = s.Step()
	return err
}

// SchemaVersion is another one after every change of the schema, by whatever program.
func (c *Conn) SchemaVersion() (int64, error) {
	if c.schemaOf == c.begun && c.begun > 0 && c.InTransaction() {
		return c.schema, nil
	}
	s, err := c.Prepare(`PRAGMA schema_version`)
	if err != nil {
		return 0, err
	}
	defer s.Reset()
	if _, err = s.Step(); err != nil {
		return 0, err
	}
	version := s.ColInt(0)
	if c.InTransaction() && !c.writes {
		c.schema, c.schemaOf = version, c.begun
	}
	return version, nil
}

// Commit ends the transaction and keeps its changes. One that has written does so only if the
// database is in its place. Should it be moved during the commit, that is as if it were moved just
// afterwards, and the next one tells.
func (c *Conn) Commit() error {
	if !c.writes {
		return c.runToEnd("COMMIT")
	}
	if err := c.Whole(); err != nil {
		return err
	}
	if log := c.log(); log != nil {
		log.Begin()
		defer log.End()
	}
	if err := c.runToEnd("COMMIT"); err != nil {
		return err
	}
	c.place.Note(openFiles{c})
	return nil
}

// runToEnd runs a statement that is not interrupted once it has begun. SQLite looks whether it is
// to be interrupted when a transaction has begun or ended already, and would say that it has not.
// Waiting for a lock of another connection ends with the context all the same.
func (c *Conn) runToEnd(sql string) error {
	ctx := c.c.SetInterrupt(context.Background())
	defer c.c.SetInterrupt(ctx)
	if ctx.Err() != nil {
		return wrap(sqlite3.INTERRUPT)
	}
	c.c.SetInterrupt(begunContext{ctx})
	return c.run(sql)
}

// begunContext is a context whose end is only told to those who wait for it.
type begunContext struct{ context.Context }

func (begunContext) Err() error { return nil }

// Rollback ends the transaction, if there is one, even when the context has ended.
func (c *Conn) Rollback() (err error) {
	defer guard(c, &err)
	if c.c.GetAutocommit() {
		return nil
	}
	old := c.c.SetInterrupt(context.Background())
	defer c.c.SetInterrupt(old)
	return c.run("ROLLBACK")
}

func (c *Conn) run(sql string) error {
	s, err := c.Prepare(sql)
	if err != nil {
		return err
	}
	return s.Exec()
}
