package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
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
	found, err := texts(ses.c, `PRAGMA integrity_check(100)`)
	for _, msg := range found {
		if msg != "ok" {
			c.problem(engine.Problem{Err: fmt.Errorf("%w: %s", engine.ErrCorrupt, strings.TrimSpace(msg))})
		}
	}
	return err
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
	var named []string
	err = st.Int(1, oddNamed).Each(func() error {
		named = append(named, fmt.Sprintf("%s (%s)", st.ColString(1), st.ColString(0)))
		return nil
	})
	if err != nil {
		return err
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
	err = st.Key(1, from).Int(2, int64(limit)).Each(func() error {
		keys = append(keys, st.ColString(0))
		return nil
	})
	return keys, err
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

// checkArrays reads every chunk of every array, and holds the arrays against their descriptions.
func (c *checker) checkArrays(ses *session) error {
	there, err := ses.findArrays()
	if err != nil || !there {
		return err
	}
	st, err := ses.c.Prepare(ses.arrays.selectArray() + ` ORDER BY col_id`)
	if err != nil {
		return err
	}
	defer st.Reset()
	for {
		row, err := st.Step()
		if err != nil || !row {
			if err == nil {
				err = c.checkStrays(ses)
			}
			return err
		}
		a := ses.arrays.scan(st)
		err = c.explain(c.ctx, c.checkArray(ses, &a))
		if c.ctx.Err() != nil {
			return err
		}
		if err != nil {
			c.problem(engine.Problem{Column: a.Name, Err: err})
		}
	}
}

// checkArray goes through the chunks of one array.
func (c *checker) checkArray(ses *session, a *engine.Array) error {
	if a.Name == "" || a.ElemSize < 1 || a.Length < 0 || a.MinChunk < 1 || a.MaxChunk < a.MinChunk {
		return fmt.Errorf("%w: it has %d elements of %d bytes in chunks of %d to %d bytes", engine.ErrCorrupt,
			a.Length, a.ElemSize, a.MinChunk, a.MaxChunk)
	}
	st, err := ses.c.Prepare(`SELECT rowid, chunk_idx FROM ` + format.ArrayChunkTable + ` WHERE col_id = ?1 ORDER BY chunk_idx`)
	if err != nil {
		return err
	}
	defer st.Reset()
	st.Int(1, a.ID)
	bytes := int64(0)
	for want := int64(0); ; want++ {
		there, err := st.Step()
		if err != nil {
			return err
		}
		if !there {
			break
		}
		got := st.ColInt(1)
		if want == 0 && got == 1 {
			if begins, err := ses.beginsLater(a); err != nil {
				return err
			} else if begins {
				want = 1
			}
		}
		if got != want {
			return fmt.Errorf("%w: chunk %d is missing, and there is a chunk %d", engine.ErrCorrupt, want, got)
		}
		n, err := c.checkChunk(ses, st.ColInt(0))
		if err != nil {
			return fmt.Errorf("chunk %d: %w", want, c.explain(c.ctx, err))
		}
		bytes += n
	}
	if bytes/a.ElemSize < a.Length {
		return fmt.Errorf("%w: %d bytes are there of %d elements of %d bytes", engine.ErrCorrupt, bytes, a.Length, a.ElemSize)
	}
	return nil
}

// beginsLater says whether an array has no chunk 0, and never had one: so the Python package lays
// elements of differing sizes if the first of them come many at once. Its index says that the first
// of them lies in a later chunk.
func (ses *session) beginsLater(a *engine.Array) (bool, error) {
	base, isData := strings.CutSuffix(a.Name, "_data")
	if !isData || a.ElemSize != 1 || a.Length != 0 {
		return false, nil
	}
	st, err := ses.c.Prepare(`SELECT hex(substr(CAST(data AS BLOB), 1, 4)) <> '00000000' FROM ` + format.ArrayChunkTable + ` WHERE chunk_idx = 0
		AND col_id = (SELECT col_id FROM ` + format.ArrayTable + ` WHERE name = ?1 AND dtype = 'adaptive_idx')`)
	if err != nil {
		return false, err
	}
	defer st.Reset()
	there, err := st.Text(1, base+"_idx").Step()
	return there && st.ColInt(0) != 0, err
}

// checkChunk reads one chunk through, and returns its length.
func (c *checker) checkChunk(ses *session, row int64) (size int64, err error) {
	usage := `0`
	if ses.arrays.usage {
		usage = `bytes_used`
	}
	st, err := ses.c.Prepare(`SELECT octet_length(data), typeof(data) IN ('blob', 'text'), actual_size, ` + usage + ` FROM ` + format.ArrayChunkTable + ` WHERE rowid = ?1`)
	if err != nil {
		return 0, err
	}
	there, err := st.Int(1, row).Step()
	if err != nil {
		return 0, err
	}
	if !there {
		return 0, fmt.Errorf("%w: its index names it, and its row cannot be found", engine.ErrCorrupt)
	}
	length, bytes, actual, used := st.ColInt(0), st.ColInt(1) != 0, st.ColInt(2), st.ColInt(3)
	st.Reset()
	if !bytes || actual > length || actual <= 0 && length > 0 || used < 0 || used > length {
		return 0, fmt.Errorf("%w: it has %d bytes, should have %d, and %d are in use", engine.ErrCorrupt, length, actual, used)
	}
	b, err := ses.c.OpenBlob(format.ArrayChunkTable, "data", row, false)
	if err != nil {
		return 0, err
	}
	defer b.Close()
	return min(length, actual), c.readThrough(b)
}

func (c *checker) readThrough(b *driver.Blob) error {
	buf := make([]byte, min(b.Size(), arrayPieceBytes))
	for off := int64(0); off < b.Size(); off += int64(len(buf)) {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if err := b.ReadAt(buf[:min(int64(len(buf)), b.Size()-off)], off); err != nil {
			return err
		}
	}
	return nil
}

// checkStrays reports chunks of arrays that are not there.
func (c *checker) checkStrays(ses *session) error {
	return ses.each(`SELECT col_id, count(*) FROM `+format.ArrayChunkTable+` WHERE col_id NOT IN (SELECT col_id FROM `+format.ArrayTable+`) GROUP BY col_id`, func(st *driver.Stmt) {
		c.problem(engine.Problem{Err: fmt.Errorf("%w: %d chunks belong to column number %d, which is not there", engine.ErrCorrupt, st.ColInt(1), st.ColInt(0))})
	})
}

// checkLength reports a file that ends before its last page. SQLite reads zeros where a part of a
// page is missing, and finds nothing wrong with an overflow page that does. While a log has pages
// the file may be shorter. While the log is empty no checkpoint shortens the file under this
// snapshot.
func (c *checker) checkLength(ses *session) error {
	if c.conf.Memory {
		return nil
	}
	numbers, err := texts(ses.c, `SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`)
	if err != nil || len(numbers) != 1 {
		return err
	}
	want, err := strconv.ParseInt(numbers[0], 10, 64)
	if err != nil {
		return err
	}
	if log, err := os.Stat(c.conf.Path + "-wal"); err == nil && log.Size() > 0 {
		return nil
	}
	if file, err := os.Stat(c.conf.Path); err == nil && file.Size() < want {
		c.problem(engine.Problem{Err: fmt.Errorf("%w: the file is cut off: it has %d of its %d bytes", engine.ErrCorrupt, file.Size(), want)})
	}
	return nil
}
