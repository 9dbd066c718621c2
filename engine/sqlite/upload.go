package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// createUploads makes the table of uploads, with the first of them. Its indexes are constraints, so
// that they need no names. Their entries are unlike those of other indexes, which salvage relies on.
const createUploads = `CREATE TABLE ` + format.UploadsTable + `(
  id INTEGER PRIMARY KEY, nonce INTEGER NOT NULL, tbl TEXT NOT NULL, key BLOB NOT NULL,
  size INTEGER NOT NULL, created INTEGER NOT NULL, keep INTEGER NOT NULL, expires INTEGER NOT NULL,
  mtime INTEGER, type TEXT, user TEXT, extents BLOB NOT NULL,
  UNIQUE(tbl, key, id), UNIQUE(expires, key, id))`

// upload is a handle on an unfinished value in chunk rows that belongs to no process. A row of
// UploadsTable describes it.
type upload struct {
	s         *Store
	id, nonce int64
	key       string
	chunk     int64
}

// uploadRow is an upload as a transaction finds it.
type uploadRow struct {
	id, nonce int64
	keep      time.Duration
	info      engine.UploadInfo
}

// uploadID is the name of an upload. The id in kvault_values finds it; the nonce tells it from a
// later one with the same id.
func uploadID(id, nonce int64) string { return fmt.Sprintf("%x-%016x", id, uint64(nonce)) }

func parseUploadID(name string) (id, nonce int64, err error) {
	var random uint64
	_, err = fmt.Sscanf(name, "%x-%x", &id, &random)
	if nonce = int64(random); err != nil || uploadID(id, nonce) != name {
		return 0, 0, engine.ErrNoUpload
	}
	return id, nonce, nil
}

// NewUpload starts an upload, and marks some that have expired as abandoned.
func (s *Store) NewUpload(ctx context.Context, o engine.UploadOptions) (engine.Upload, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	st, err := s.newStage(engine.StageOptions{ChunkSize: o.ChunkSize, Size: o.Size})
	if err != nil {
		return nil, err
	}
	up := &upload{s: s, nonce: st.nonce, key: o.Key, chunk: st.chunkBytes}
	err = s.change(ctx, 0, false, func(ses *session) (err error) {
		if err := ses.makeUploads(); err != nil {
			return err
		}
		if err := ses.expireUploads(sweepRows); err != nil {
			return err
		}
		if up.id, err = ses.newValue(st); err != nil {
			return err
		}
		return ses.insertUpload(up, &o)
	})
	if err != nil {
		return nil, err
	}
	return up, nil
}

// change runs fn in a transaction that writes.
func (s *Store) change(ctx context.Context, bytes int, lazy bool, fn func(*session) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if s.writer == nil {
		return s.readOnly()
	}
	return s.writer.do(&request{ctx: ctx, bytes: bytes, lazy: lazy, run: fn})
}

func (ses *session) makeUploads() error {
	there, err := hasObject(ses.c, "table", format.UploadsTable)
	if err != nil || there {
		return err
	}
	ses.remade = true
	return ses.c.Exec(createUploads)
}

func (ses *session) insertUpload(up *upload, o *engine.UploadOptions) error {
	now := time.Now()
	ins, err := ses.c.Prepare(`INSERT OR REPLACE INTO ` + format.UploadsTable +
		`(id, nonce, tbl, key, size, created, keep, expires, extents, mtime, type, user)
		VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, x'', ?9, ?10, ?11)`)
	if err != nil {
		return err
	}
	ins.Int(1, up.id).Int(2, up.nonce).Text(3, ses.t.name).Key(4, o.Key).Int(5, o.Size)
	ins.Int(6, now.UnixNano()).Int(7, int64(o.Expires)).Int(8, now.Add(o.Expires).UnixNano())
	if err := bindUploadMeta(ins, 9, &o.Meta); err != nil {
		return err
	}
	if err := ins.Exec(); err != nil {
		return err
	}
	return ses.ownUpload(up.id, up.nonce, now.Add(o.Expires))
}

// bindUploadMeta binds what an upload remembers of m, as parameters from i on.
func bindUploadMeta(st *driver.Stmt, i int, m *engine.Meta) error {
	user, err := encodeUser(m.User)
	if err != nil {
		return err
	}
	if st.Null(i); !m.ModTime.IsZero() {
		st.Int(i, m.ModTime.UnixNano())
	}
	st.Repeated(i+1, m.ContentType).Repeated(i+2, user)
	return nil
}

// ownUpload marks a value as an upload until it expires. The owner has the form of a process on
// another host, of which only the beat tells whether it is alive: so versions that know no uploads
// leave it for an hour more.
func (ses *session) ownUpload(id, nonce int64, expires time.Time) error {
	up, err := ses.c.Prepare(`UPDATE ` + format.ValuesTable +
		` SET owner = '` + format.UploadOwner + `', beat = ?3 WHERE id = ?1 AND nonce = ?2`)
	if err != nil {
		return err
	}
	if err := up.Int(1, id).Int(2, nonce).Int(3, expires.Unix()+1).Exec(); err != nil {
		return err
	}
	return ses.mustHaveChanged()
}

// expireUploads leaves uploads that have expired to the sweeper, at most limit of them.
func (ses *session) expireUploads(limit int64) error {
	type expired struct{ id, nonce int64 }
	var gone []expired
	now := time.Now().UnixNano()
	err := ses.eachRow(`SELECT id, nonce FROM `+format.UploadsTable+` WHERE expires <= ?1 LIMIT ?2`,
		func(st *driver.Stmt) error {
			gone = append(gone, expired{st.ColInt(0), st.ColInt(1)})
			return nil
		}, now, limit)
	for _, up := range gone {
		if err == nil {
			err = ses.dropUpload(up.id, up.nonce)
		}
	}
	return err
}

// dropUpload leaves the chunks of an upload to the sweeper.
func (ses *session) dropUpload(id, nonce int64) error {
	if err := ses.orphanID(id, nonce); err != nil {
		return err
	}
	return ses.run(`DELETE FROM `+format.UploadsTable+` WHERE id = ?1 AND nonce = ?2`, id, nonce)
}

// eachRow calls fn with each row of a statement.
func (ses *session) eachRow(sql string, fn func(*driver.Stmt) error, args ...int64) error {
	st, err := ses.c.Prepare(sql)
	if err != nil {
		return err
	}
	for i, a := range args {
		st.Int(i+1, a)
	}
	return st.Each(func() error { return fn(st) })
}

// selectUploads finds the uploads of table ?1 that have not expired at ?2. A row that has no value
// is left of an upload that an earlier version has swept.
const selectUploads = `SELECT u.id, u.nonce, u.key, u.size, u.created, u.keep, u.expires,
	u.mtime, u.type, u.user, u.extents, v.chunk_bytes
	FROM ` + format.UploadsTable + ` u CROSS JOIN ` + format.ValuesTable + ` v
	ON v.id = u.id AND v.nonce = u.nonce AND +v.owner = '` + format.UploadOwner + `'
	WHERE u.tbl = ?1 AND u.expires > ?2
	AND NOT EXISTS (SELECT 1 FROM ` + format.OrphansTable + ` o WHERE o.id = u.id)`

// findUpload finds an upload that has not expired.
func (ses *session) findUpload(id, nonce int64) (*uploadRow, error) {
	there, err := hasObject(ses.c, "table", format.UploadsTable)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, engine.ErrNoUpload
	}
	st, err := ses.c.Prepare(selectUploads + ` AND u.id = ?3 AND u.nonce = ?4`)
	if err != nil {
		return nil, err
	}
	defer st.Reset()
	there, err = st.Text(1, ses.t.name).Int(2, time.Now().UnixNano()).Int(3, id).Int(4, nonce).Step()
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, engine.ErrNoUpload
	}
	return scanUpload(st)
}

// scanUpload reads the columns of selectUploads.
func scanUpload(st *driver.Stmt) (*uploadRow, error) {
	u := &uploadRow{id: st.ColInt(0), nonce: st.ColInt(1), keep: time.Duration(st.ColInt(5))}
	u.info = engine.UploadInfo{
		ID: uploadID(u.id, u.nonce), Key: st.ColString(2), Size: st.ColInt(3), ChunkSize: int(st.ColInt(11)),
		Created: time.Unix(0, st.ColInt(4)).UTC(), Expires: time.Unix(0, st.ColInt(6)).UTC(),
	}
	if !st.IsNull(7) {
		u.info.Meta.ModTime = time.Unix(0, st.ColInt(7)).UTC()
	}
	u.info.Meta.ContentType = st.ColString(8)
	if !st.IsNull(9) {
		if err := json.Unmarshal([]byte(st.ColString(9)), &u.info.Meta.User); err != nil {
			return nil, u.damaged("its user metadata: " + err.Error())
		}
	}
	extents, err := st.ColBytes(10)
	if err != nil {
		return nil, err
	}
	var ok bool
	u.info.Written, ok = format.ParseExtents(extents)
	if !ok || u.info.ChunkSize < 1 || u.info.Size < -1 {
		return nil, u.damaged("what it says of itself")
	}
	return u, nil
}

func (u *uploadRow) damaged(what string) error {
	return fmt.Errorf("%w: upload %s of %q: %s; abort it", engine.ErrCorrupt, u.info.ID, u.info.Key, what)
}

// OpenUpload returns the upload with that id.
func (s *Store) OpenUpload(ctx context.Context, id string) (engine.Upload, error) {
	up := &upload{s: s}
	info, err := up.open(ctx, id)
	if err != nil {
		return nil, err
	}
	up.key, up.chunk = info.Key, int64(info.ChunkSize)
	return up, nil
}

func (up *upload) open(ctx context.Context, id string) (_ engine.UploadInfo, err error) {
	if up.s.isClosing() {
		return engine.UploadInfo{}, engine.ErrClosed
	}
	if err := engine.ContextErr(ctx); err != nil {
		return engine.UploadInfo{}, err
	}
	if up.id, up.nonce, err = parseUploadID(id); err != nil {
		return engine.UploadInfo{}, err
	}
	return up.Info(ctx)
}

// pageExtents bounds the extents in a page of Uploads.
const pageExtents = 1 << 16

// Uploads lists uploads by key.
func (s *Store) Uploads(ctx context.Context, q engine.UploadQuery) (page engine.UploadPage, err error) {
	if q.Limit < 1 {
		return page, fmt.Errorf("limit %d: want at least 1: %w", q.Limit, engine.ErrInvalid)
	}
	r, id := engine.PrefixRange(q.Prefix), int64(0)
	if q.AfterID != "" && q.AfterKey >= r.Start {
		if id, _, err = parseUploadID(q.AfterID); err != nil {
			return page, err
		}
		r.Start = q.AfterKey
	}
	err = s.read(ctx, s.reads, true, func(ses *session) error {
		page, err = ses.listUploads(r, id, q.Limit)
		return err
	})
	return page, err
}

func (ses *session) listUploads(
	r engine.Range, id int64, limit int,
) (page engine.UploadPage, err error) {
	there, err := hasObject(ses.c, "table", format.UploadsTable)
	if err != nil || !there {
		return page, err
	}
	sql := selectUploads + ` AND (u.key, u.id) > (?3, ?4)`
	if r.End != "" {
		sql += ` AND u.key < ?5`
	}
	st, err := ses.c.Prepare(sql + ` ORDER BY u.key, u.id`)
	if err != nil {
		return page, err
	}
	defer st.Reset()
	st.Text(1, ses.t.name).Int(2, time.Now().UnixNano()).Key(3, r.Start).Int(4, id)
	if r.End != "" {
		st.Key(5, r.End)
	}
	for extents := 0; ; {
		there, err := st.Step()
		if err != nil || !there {
			return page, err
		}
		if page.More = len(page.Uploads) == limit || extents > pageExtents; page.More {
			return page, nil
		}
		u, err := scanUpload(st)
		if page.More = err != nil && len(page.Uploads) > 0; page.More {
			return page, nil // a damaged one is the error of the next page
		}
		if err != nil {
			return page, err
		}
		page.Uploads = append(page.Uploads, u.info)
		extents += len(u.info.Written)
	}
}

// ID names the upload.
func (up *upload) ID() string { return uploadID(up.id, up.nonce) }

// Key is the key that the upload was made for.
func (up *upload) Key() string { return up.key }

// ChunkSize is the length of a chunk in bytes.
func (up *upload) ChunkSize() int { return int(up.chunk) }

// look runs fn with the upload in a snapshot.
func (up *upload) look(ctx context.Context, p *pool, fn func(*session, *uploadRow) error) error {
	return up.s.read(ctx, p, true, func(ses *session) error {
		u, err := ses.findUpload(up.id, up.nonce)
		if err != nil {
			return err
		}
		return fn(ses, u)
	})
}

// alter runs fn with the upload in a transaction that writes.
func (up *upload) alter(
	ctx context.Context, bytes int, lazy bool, fn func(*session, *uploadRow) error,
) error {
	return up.s.change(ctx, bytes, lazy, func(ses *session) error {
		u, err := ses.findUpload(up.id, up.nonce)
		if err != nil {
			return err
		}
		return fn(ses, u)
	})
}

// Info describes the upload.
func (up *upload) Info(ctx context.Context) (info engine.UploadInfo, err error) {
	err = up.look(ctx, up.s.reads, func(_ *session, u *uploadRow) error { info = u.info; return nil })
	return info, err
}
