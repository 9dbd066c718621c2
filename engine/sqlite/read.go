package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// read runs fn on a reading connection, inside one snapshot if snapshot is set.
func (s *Store) read(ctx context.Context, p *pool, snapshot bool, fn func(*session) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return s.readEntered(ctx, p, snapshot, fn)
}

// readEntered may call fn more than once: what the last call says counts.
func (s *Store) readEntered(ctx context.Context, p *pool, snapshot bool, fn func(*session) error) error {
	snapshot = snapshot || s.opt.DisableWAL // where it is locking that costs, for which a snapshot does once
	return s.explain(ctx, s.attempt(ctx, func() error {
		err := s.readOnce(ctx, p, snapshot, fn)
		snapshot = true // in which the table can be looked at again
		return err
	}))
}

func (s *Store) readOnce(ctx context.Context, p *pool, snapshot bool, fn func(*session) error) error {
	conn, err := s.getConn(ctx, p)
	if err != nil {
		return err
	}
	defer p.put(conn)
	if snapshot && !conn.InTransaction() {
		if err := conn.Begin(false); err != nil {
			return err
		}
	}
	if conn.InTransaction() {
		err = s.readIn(conn, fn)
	} else {
		err = s.readWithoutSnapshot(conn, fn)
	}
	err = s.verified(conn, err)
	if err != nil && !errors.Is(err, engine.ErrNotFound) {
		_ = conn.Rollback() // put closes the connection if it does not work
	}
	return err
}

// readIn reads in a snapshot.
func (s *Store) readIn(conn *driver.Conn, fn func(*session) error) error {
	t, err := s.tableIn(conn)
	if err != nil {
		return err
	}
	return fn(&session{s: s, c: conn, t: t})
}

// readWithoutSnapshot reads without a snapshot, which costs less where one statement is all.
// Versions of the schema only grow: one that is still the same afterwards was so before.
func (s *Store) readWithoutSnapshot(conn *driver.Conn, fn func(*session) error) error {
	t := s.currentTable()
	err := fn(&session{s: s, c: conn, t: t})
	version, failed := conn.SchemaVersion()
	switch {
	case failed == nil && version != t.version:
		return errAgain
	case err == nil:
		return failed
	}
	return err
}

// tableIn is the key-value table in the snapshot or transaction at hand. Other programs may have
// changed the schema, or remade the table's metadata and triggers.
func (s *Store) tableIn(c *driver.Conn) (*table, error) {
	t := s.currentTable()
	version, err := c.SchemaVersion()
	if err != nil || version == t.version {
		return t, err
	}
	if t, err = s.inspectAgain(c, t.name); err == nil {
		s.setTable(t)
	}
	return t, err
}

func (s *Store) inspectAgain(c *driver.Conn, name string) (*table, error) {
	t, err := inspect(c, name)
	if err == nil && t == nil {
		err = fmt.Errorf("%s has no table %q any more, another program has dropped or renamed it: %w", s.path, name, engine.ErrNoVault)
	}
	return t, err
}

// Get returns the value of key.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	return neverNil(s.AppendValue(ctx, nil, key))
}

func neverNil(value []byte, err error) ([]byte, error) {
	if value == nil && err == nil {
		value = []byte{}
	}
	return value, err
}

// AppendValue appends the value of key to dst.
func (s *Store) AppendValue(ctx context.Context, dst []byte, key string) (value []byte, err error) {
	if err := engine.CheckKey(key); err != nil {
		return nil, err
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	large := false
	err = s.readEntered(ctx, s.reads, false, func(ses *session) error {
		value, large, err = ses.getSmall(dst, key)
		return err
	})
	if err != nil || !large {
		return value, err
	}
	err = s.readEntered(ctx, s.reads, true, func(ses *session) error {
		value, err = ses.get(dst, key)
		return err
	})
	return value, err
}

// getSmall appends a value that one statement can read to dst, or says that the value needs more.
func (ses *session) getSmall(dst []byte, key string) (value []byte, large bool, err error) {
	value, large, found, err := ses.fastGet(dst, key)
	switch {
	case err != nil:
		return ses.getThrough(dst, key)
	case !found:
		return nil, false, engine.ErrNotFound
	}
	return value, large, nil
}

// getThrough is getSmall through SQLite.
func (ses *session) getThrough(dst []byte, key string) (value []byte, large bool, err error) {
	text := ses.t.sql.getSummed
	if ses.s.opt.DisableVerification {
		text = ses.t.sql.get
	}
	st, err := ses.c.Prepare(text)
	if err != nil {
		return nil, false, err
	}
	there, err := st.Key(1, key).Step()
	if err != nil {
		return nil, false, err
	}
	if !there {
		return nil, false, engine.ErrNotFound
	}
	defer st.Reset()
	if st.IsNull(0) {
		return nil, true, nil
	}
	if value, err = st.AppendCol(dst, 0); err != nil {
		return nil, false, err
	}
	if _, chunked := format.ParseReference(value[len(dst):]); chunked {
		return nil, true, nil
	}
	if !st.IsNull(1) {
		if err := compareSum(value[len(dst):], uint32(st.ColInt(1))); err != nil {
			return nil, false, err
		}
	}
	return value, false, nil
}

func (ses *session) get(dst []byte, key string) ([]byte, error) {
	r, err := ses.find(key)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, engine.ErrNotFound
	}
	return ses.appendAll(dst, r)
}

// trustedSize is how large a value is believed to be before its bytes have been seen.
const trustedSize = 1 << 30

// readAll returns the whole value of a row.
func (ses *session) readAll(r *row) ([]byte, error) { return neverNil(ses.appendAll(nil, r)) }

// appendAll appends the whole value of a row to dst.
func (ses *session) appendAll(dst []byte, r *row) ([]byte, error) {
	if r.entry.Size > math.MaxInt/2 {
		return nil, fmt.Errorf("value of %d bytes: %w for memory", r.entry.Size, engine.ErrTooLarge)
	}
	cu, err := ses.cursor(r, !ses.s.opt.DisableVerification)
	if err != nil {
		return nil, err
	}
	defer cu.close()
	run := runningSum{}
	for at := int64(0); ; {
		n := int(min(r.entry.Size-at, trustedSize))
		dst = grow(dst, n)
		piece := dst[len(dst) : len(dst)+n]
		if err := cu.read(piece, at, &run); err != nil {
			return nil, err
		}
		if dst, at = dst[:len(dst)+n], at+int64(n); at == r.entry.Size {
			return dst, nil
		}
	}
}

// ReadRange reads a part of one version of a value, in a snapshot that ends with the call.
func (s *Store) ReadRange(ctx context.Context, key, tag string, p []byte, off int64) (n int, err error) {
	if err := engine.CheckKey(key); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, fmt.Errorf("offset %d is negative: %w", off, engine.ErrInvalid)
	}
	err = s.read(ctx, s.streams, true, func(ses *session) error {
		n, err = ses.readRange(key, tag, p, off)
		return err
	})
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (ses *session) readRange(key, tag string, p []byte, off int64) (int, error) {
	r, err := ses.find(key)
	if err != nil {
		return 0, err
	}
	if r == nil {
		return 0, engine.ErrNotFound
	}
	if err := ses.check(engine.Condition{Tag: tag}, r); err != nil {
		return 0, err
	}
	n := int(max(min(int64(len(p)), r.entry.Size-off), 0))
	if n == 0 {
		return 0, nil
	}
	cu, err := ses.cursor(r, !ses.s.opt.DisableVerification)
	if err != nil {
		return 0, err
	}
	defer cu.close()
	if err := cu.read(p[:n], off, nil); err != nil {
		return 0, err
	}
	return n, nil
}

// Stat returns what is known about key. A value that another program wrote has neither tag nor time
// nor checksum.
func (s *Store) Stat(ctx context.Context, key string) (e engine.Entry, err error) {
	if err := engine.CheckKey(key); err != nil {
		return e, err
	}
	err = s.read(ctx, s.reads, false, func(ses *session) error {
		e, err = ses.stat(key)
		return err
	})
	return e, err
}

func (ses *session) stat(key string) (engine.Entry, error) {
	r, err := ses.find(key)
	if err != nil {
		return engine.Entry{}, err
	}
	if r == nil {
		return engine.Entry{}, engine.ErrNotFound
	}
	return r.entry, r.damage
}

// Tag returns the version tag of key. That of a value which another program wrote is made from its
// content, which is read.
func (s *Store) Tag(ctx context.Context, key string) (tag string, err error) {
	if err := engine.CheckKey(key); err != nil {
		return "", err
	}
	err = s.read(ctx, s.streams, true, func(ses *session) error {
		tag, err = ses.tag(key)
		return err
	})
	return tag, err
}

func (ses *session) tag(key string) (string, error) {
	r, err := ses.find(key)
	if err != nil {
		return "", err
	}
	if r == nil {
		return "", engine.ErrNotFound
	}
	return ses.tagOf(r)
}

// Count returns how many keys lie in r.
func (s *Store) Count(ctx context.Context, r engine.Range) (n int64, err error) {
	err = s.read(ctx, s.reads, false, func(ses *session) error {
		n, err = ses.countKeys(r)
		return err
	})
	return n, err
}

func (ses *session) countKeys(r engine.Range) (int64, error) {
	if r.Empty() {
		return 0, nil
	}
	st, err := ses.c.Prepare(ses.t.sql.count.text(r))
	if err != nil {
		return 0, err
	}
	defer st.Reset()
	_, err = bindRange(st, r).Step()
	return st.ColInt(0), err
}
