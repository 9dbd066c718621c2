package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kohakuvault/kvault/engine"
)

// checkPage is how many keys Check looks at in one snapshot.
const checkPage = 256

// checker is one call of Check.
type checker struct {
	*Store
	ctx         context.Context
	report      func(engine.Problem)
	progress    func(done, total int64)
	done, total int64
	found       []engine.Problem // in the part that runs; only part hands them to report
}

// Check runs SQLite's own integrity check, reads every value against its checksum, and then every
// array. Values that another program wrote have no checksum, nor have arrays: they are only read.
// What cannot even be listed is a problem, and the check goes on with what else there is.
func (s *Store) Check(ctx context.Context, report func(engine.Problem), progress func(done, total int64)) (err error) {
	c := &checker{Store: s, ctx: ctx, report: report, progress: progress}
	if c.total, err = s.Count(ctx, engine.Range{}); err != nil && !errors.Is(err, engine.ErrCorrupt) {
		return err
	}
	if err := c.part("the structure", c.checkStructure); err != nil {
		return err
	}
	if err := c.part("the types of keys", c.checkOddKeys); err != nil {
		return err
	}
	if err := c.checkValues(); err != nil {
		return err
	}
	return c.part("the columns", c.checkArrays)
}

// part runs a part of the check in a snapshot. That it meets damage it cannot go past is one more
// problem. What a file that changed meanwhile seemed to be is none: a part that is run again begins
// with none found.
func (c *checker) part(what string, fn func(*session) error) error {
	err := c.read(c.ctx, c.streams, true, func(ses *session) error {
		c.found = nil
		return fn(ses)
	})
	if errors.Is(err, engine.ErrCorrupt) && c.ctx.Err() == nil {
		c.problem(engine.Problem{Err: fmt.Errorf("the check of %s ends early: %w", what, err)})
		err = nil
	}
	if !errors.Is(err, errAgain) {
		for _, p := range c.found {
			c.report(p)
		}
	}
	c.found = nil
	return err
}

func (c *checker) problem(p engine.Problem) { c.found = append(c.found, p) }

func (c *checker) checkStructure(ses *session) error {
	if err := c.checkLength(ses); err != nil {
		return err
	}
	st, err := ses.c.Prepare(`PRAGMA integrity_check(100)`)
	if err != nil {
		return err
	}
	defer st.Reset()
	for {
		there, err := st.Step()
		if err != nil || !there {
			return err
		}
		if msg := st.ColString(0); msg != "ok" {
			c.problem(engine.Problem{Err: fmt.Errorf("%w: %s", engine.ErrCorrupt, strings.TrimSpace(msg))})
		}
	}
}

// oddNamed is how many rows checkOddKeys names.
const oddNamed = 10

// checkOddKeys looks for rows whose key is not a BLOB, such as INSERT INTO kvault(key, …)
// VALUES('name', …) makes. No call finds them: text sorts before all bytes.
func (c *checker) checkOddKeys(ses *session) error {
	count, err := texts(ses.c, ses.t.sql.countOdd)
	if err != nil || len(count) != 1 || count[0] == "0" {
		return err
	}
	st, err := ses.c.Prepare(ses.t.sql.oddKeys)
	if err != nil {
		return err
	}
	defer st.Reset()
	st.Int(1, oddNamed)
	var named []string
	for {
		there, err := st.Step()
		if err != nil {
			return err
		}
		if !there {
			break
		}
		named = append(named, fmt.Sprintf("%s (%s)", st.ColString(1), st.ColString(0)))
	}
	if fmt.Sprint(len(named)) != count[0] {
		named = append(named, "…")
	}
	c.problem(engine.Problem{Err: fmt.Errorf(`%w: %s rows of table %q have keys that are not BLOBs, so that no call finds them: %s; `+
		`UPDATE %s SET key = CAST(key AS BLOB) WHERE typeof(key) <> 'blob' makes them keys, where there is none of the same bytes`,
		engine.ErrCorrupt, count[0], ses.t.name, strings.Join(named, ", "), quoted(ses.t.name))})
	return nil
}

func (c *checker) checkValues() error {
	next := ""
	for more := true; more; {
		from, done := next, c.done
		err := c.part("the keys", func(ses *session) error {
			next, c.done, more = from, done, false
			keys, err := ses.keysFrom(next, checkPage)
			for _, key := range keys {
				if err := c.checkValue(ses, key); err != nil {
					return err
				}
				next = key + "\x00"
				if c.done++; c.progress != nil {
					c.progress(c.done, max(c.total, c.done))
				}
			}
			more = len(keys) == checkPage
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// keysFrom returns the first keys not below from: with an error, those before the damage. It reads
// the index of keys alone.
func (ses *session) keysFrom(from string, limit int) (keys []string, err error) {
	st, err := ses.c.Prepare(ses.t.sql.keys)
	if err != nil {
		return nil, err
	}
	defer st.Reset()
	st.Key(1, from).Int(2, int64(limit))
	for {
		there, err := st.Step()
		if err != nil || !there {
			return keys, err
		}
		keys = append(keys, st.ColString(0))
	}
}

// checkValue reads one value. What is wrong with it is reported; an error means that the check
// cannot go on.
func (c *checker) checkValue(ses *session, key string) error {
	r, err := ses.find(key)
	if err == nil && r == nil {
		err = fmt.Errorf("%w: the index of keys names it, and its row cannot be found", engine.ErrCorrupt)
	}
	if err == nil {
		var cu *cursor
		if cu, err = ses.cursor(r, true); err == nil {
			err = cu.each(func([]byte) error { return c.ctx.Err() })
		}
		if err == nil {
			err = r.damage
		}
	}
	if err = c.explain(c.ctx, err); err == nil || c.ctx.Err() != nil {
		return err
	}
	c.problem(engine.Problem{Key: key, Err: err})
	return nil
}
