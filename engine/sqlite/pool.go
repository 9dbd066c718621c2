package sqlite

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// A connection's memory never shrinks. One whose page cache outgrew this is closed rather than
// kept.
const retireBytes = 64 << 20

// pool keeps idle connections. It has no upper bound: a goroutine that holds many readers open must
// still be able to get one more connection.
type pool struct {
	open func(ctx context.Context) (*driver.Conn, error)
	keep int
	// hold lets connections keep their snapshots from one use to the next.
	hold bool

	mu     sync.Mutex
	idle   []*driver.Conn
	closed bool
	// paused counts the calls that need all snapshots gone, and sweeping says that the idle ones
	// will be given up soon.
	paused   int
	expiring bool
}

func newPool(keep int, open func(ctx context.Context) (*driver.Conn, error)) *pool {
	p := &pool{open: open, keep: keep}
	pools.Store(p, nil)
	return p
}

// pools are all that are not closed.
var pools sync.Map

// sparing calls open. If the process has as many files open as it may, all idle connections are
// closed, and it is called again. The caller holds no lock of a pool.
func sparing[T any](open func() (T, error)) (T, error) {
	opened, err := open()
	if !driver.OutOfFiles(err) {
		return opened, err
	}
	pools.Range(func(p, _ any) bool {
		p.(*pool).closeIdle()
		return true
	})
	return open()
}

// openSparing opens a connection and prepares it. Every connection to a file is opened by it.
func openSparing(ctx context.Context, conf driver.Config, prepare func(*driver.Conn) error) (*driver.Conn, error) {
	return sparing(func() (*driver.Conn, error) {
		conn, err := driver.Open(ctx, conf)
		if err != nil {
			return nil, conf.Explain(err)
		}
		if err := prepare(conn); err != nil {
			err = conf.Explain(err) // before a descriptor is free again
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	})
}

// lookAtFile has the connection open all files that it needs. Before that it knows of no log.
func lookAtFile(c *driver.Conn) error { return c.Exec(`SELECT 1 FROM sqlite_schema LIMIT 1`) }

func (p *pool) closeIdle() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		_ = c.Close()
	}
}

// get returns a connection that is bound to ctx until it is put back.
func (p *pool) get(ctx context.Context) (*driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		hold := p.hold && p.paused == 0
		p.mu.Unlock()
		c.SetContext(ctx)
		if hold {
			if err := c.Reuse(); err != nil {
				p.put(c)
				return nil, err
			}
		}
		return c, nil
	}
	p.mu.Unlock()
	return p.open(ctx)
}

// put gives a connection back. It ends its transaction, unless that is a snapshot to be kept.
func (p *pool) put(c *driver.Conn) {
	if c == nil {
		return
	}
	fit := p.endUse(c) == nil && !c.Broken() && c.MemoryUsed() < retireBytes
	c.SetContext(context.Background())
	p.mu.Lock()
	if fit && !p.closed && len(p.idle) < p.keep && (p.paused == 0 || !c.InTransaction()) {
		p.idle = append(p.idle, c)
		if c.InTransaction() && !p.expiring {
			p.expiring = true
			time.AfterFunc(driver.HoldTime, p.expire)
		}
		c = nil
	}
	p.mu.Unlock()
	if c != nil {
		c.Close()
	}
}

func (p *pool) endUse(c *driver.Conn) error {
	if p.hold {
		return c.Hold()
	}
	return c.Rollback()
}

// expire ends the snapshots of connections that nobody uses.
func (p *pool) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expiring = false
	p.endIdle()
}

// endIdle ends the snapshots of idle connections. It is called with mu held: ending one takes a
// microsecond.
func (p *pool) endIdle() {
	p.idle = slices.DeleteFunc(p.idle, func(c *driver.Conn) bool {
		fit := c.Rollback() == nil
		if !fit {
			c.Close()
		}
		return !fit
	})
}

// release ends the snapshots that are kept for nobody.
func (p *pool) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endIdle()
}

// pause has no snapshot kept until resume is called.
func (p *pool) pause() (resume func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused++
	p.endIdle()
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.paused--
	}
}

func (p *pool) close() error {
	pools.Delete(p)
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	var errs []error
	for _, c := range idle {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// statements are the SQL texts for one key-value table. No text names the value column unless it
// needs the value.
type statements struct {
	get, getSummed         string // the value, and its checksum or NULL
	find, rowOf            string
	valueOf                string
	insert                 string
	insertNew              string // empty if the table may hold a key twice
	update                 string
	deleteRow, deleteMeta  string
	putMeta, moveMeta      string // of the metadata table; empty in layout 2
	foreign                string // whether there is any row whose metadata is not true; empty in layout 1
	renameRow              string
	setMeta                string // of the row; empty in layout 1
	count, chunkedIn       ranged
	clearMeta, clearRows   ranged
	keys                   string
	chunkedKeys, largeKeys string
	countOdd, oddKeys      string // rows whose key is not a BLOB, which precede all others in the index
}

// ranged is a statement on the keys from ?1 on, or from ?1 up to but not including ?2. They are two
// texts because SQLite does not look for an end in the index that may be NULL.
type ranged struct{ from, within string }

func (s ranged) text(r engine.Range) string {
	if r.End == "" {
		return s.from
	}
	return s.within
}

// sizeColumns are the row id, the key, the length of the value, and the value if it has the length
// of a reference.
var sizeColumns = `k.rowid, k.key, octet_length(k.value), CASE WHEN octet_length(k.value) = ` + strconv.Itoa(format.RefLen) + ` THEN k.value END`

// findColumns are what scanRow scans: sizeColumns and the metadata.
func (t *table) findColumns() string {
	switch {
	case !t.tracked:
		return sizeColumns + `, NULL, NULL, NULL, NULL, NULL`
	case t.inRow:
		return sizeColumns + `, CASE WHEN m.id IS NULL THEN k.tag END, k.mtime, k.sum, k.type, k.user`
	}
	return sizeColumns + `, m.tag, m.mtime, m.sum, m.type, m.user`
}

// sum is the checksum of a row's value, or NULL.
func (t *table) sum() string {
	switch {
	case !t.tracked:
		return `NULL`
	case t.inRow:
		return `CASE WHEN m.id IS NULL AND k.tag IS NOT NULL THEN k.sum END`
	}
	return `m.sum`
}

func (t *table) from() string {
	from := ` FROM ` + quoted(t.name) + ` k`
	if t.tracked {
		from += ` LEFT JOIN ` + quoted(t.auxTable()) + ` m ON m.id = k.` + t.rowID
	}
	return from
}

func newStatements(t *table) statements {
	// The columns of a row beside key and value, and their parameters from ?3 on. Names and
	// parameters are in the order of execRow.
	var names, params, sets string
	add := func(name, param string) {
		names, params, sets = names+name+", ", params+param+", ", sets+name+" = "+param+", "
	}
	if t.sized {
		add("size", "?3")
	}
	if t.inRow {
		for i, name := range strings.Fields(format.RowMetaColumns) {
			add(name, "?"+strconv.Itoa(4+i))
		}
	}
	r := strings.NewReplacer("{t}", quoted(t.name), "{b}", quoted(t.auxTable()), "{id}", t.rowID,
		"{names}", names, "{params}", params, "{sets}", sets,
		"{ref}", strconv.Itoa(format.RefLen), "{small}", strconv.Itoa(smallBytes))
	inRange := func(text string) ranged {
		text = r.Replace(text)
		return ranged{strings.ReplaceAll(text, "{range}", "key >= ?1"), strings.ReplaceAll(text, "{range}", "key >= ?1 AND key < ?2")}
	}
	sql := statements{
		get: r.Replace(`SELECT CASE WHEN octet_length(value) <= {small} THEN value END, NULL
			FROM {t} WHERE key = ?1`),
		getSummed: r.Replace(`SELECT CASE WHEN octet_length(k.value) <= {small} THEN k.value END, ` +
			t.sum() + t.from() + ` WHERE k.key = ?1`),
		find:        `SELECT ` + t.findColumns() + t.from() + ` WHERE k.key = ?1`,
		rowOf:       r.Replace(`SELECT rowid FROM {t} WHERE key = ?1`),
		valueOf:     r.Replace(`SELECT value FROM {t} WHERE rowid = ?1`),
		insert:      r.Replace(`INSERT INTO {t}(key, {names}value) VALUES(?1, {params}?2)`),
		insertNew:   r.Replace(`INSERT INTO {t}(key, {names}value) VALUES(?1, {params}?2) ON CONFLICT(key) DO NOTHING`),
		update:      r.Replace(`UPDATE {t} SET {sets}value = ?2 WHERE rowid = ?1`),
		deleteRow:   r.Replace(`DELETE FROM {t} WHERE rowid = ?1`),
		deleteMeta:  r.Replace(`DELETE FROM {b} WHERE id = ?1`),
		renameRow:   r.Replace(`UPDATE {t} SET key = ?2 WHERE rowid = ?1`),
		count:       inRange(`SELECT count(*) FROM {t} WHERE {range}`),
		chunkedIn:   inRange(`SELECT rowid, value FROM {t} WHERE {range} AND octet_length(value) = {ref} AND substr(value, 1, 2) = x'894b'`),
		chunkedKeys: r.Replace(`SELECT key FROM {t} WHERE key >= ?1 AND octet_length(value) = ?2 AND substr(value, 1, 2) = x'894b' ORDER BY key LIMIT ?3`),
		largeKeys:   r.Replace(`SELECT key FROM {t} WHERE key >= ?1 AND octet_length(value) > ?2 ORDER BY key LIMIT ?3`),
		countOdd:    r.Replace(`SELECT count(*) FROM {t} WHERE key < x''`),
		oddKeys:     r.Replace(`SELECT typeof(key), quote(key) FROM {t} WHERE key < x'' ORDER BY key LIMIT ?1`),
		clearMeta:   inRange(`DELETE FROM {b} WHERE id IN (SELECT {id} FROM {t} WHERE {range})`),
		keys:        r.Replace(`SELECT key FROM {t} WHERE key >= ?1 ORDER BY key LIMIT ?2`),
		clearRows:   inRange(`DELETE FROM {t} WHERE {range}`),
	}
	if t.inRow {
		sql.setMeta = r.Replace(`UPDATE {t} SET tag = ?4, mtime = ?5, sum = ?6, stage = ?7, type = ?8, user = ?9 WHERE rowid = ?1`)
		sql.foreign = r.Replace(`SELECT 1 FROM {b} LIMIT 1`)
		return sql
	}
	sql.putMeta = r.Replace(`INSERT OR REPLACE INTO {b}(id, tag, mtime, sum, stage, type, user)
		VALUES(?1, ?4, ?5, ?6, ?7, ?8, ?9)`)
	sql.moveMeta = r.Replace(`UPDATE {b} SET id = ?2 WHERE id = ?1`)
	return sql
}

// list is the text of a keyset page: ordered by key, from ?1 up to but not including ?2 where there
// is an end, at most ?3.
func (t *table) list(q engine.Query) string {
	columns := t.findColumns()
	if q.Sizes && !q.Values {
		return page(`SELECT `+sizeColumns+`, NULL FROM `+quoted(t.name)+` k`, q)
	}
	if q.Values {
		columns += `, CASE WHEN octet_length(k.value) <= ?4 THEN k.value END`
	}
	return page(`SELECT `+columns+t.from(), q)
}

// listKeys is the same of keys alone, which are in an index.
func (t *table) listKeys(q engine.Query) string {
	return page(`SELECT k.key FROM `+quoted(t.name)+` k`, q)
}

func page(query string, q engine.Query) string {
	query += ` WHERE k.key >= ?1`
	if q.End != "" {
		query += ` AND k.key < ?2`
	}
	query += ` ORDER BY k.key`
	if q.Reverse {
		query += ` DESC`
	}
	return query + ` LIMIT ?3`
}
