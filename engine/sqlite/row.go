package sqlite

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// row is a key-value row without its value.
type row struct {
	rowid int64
	entry engine.Entry
	// stored is the length of the value column; ref is set if that holds a reference.
	stored  int64
	chunked bool
	ref     format.Reference
	// damage is what is wrong with the metadata. It keeps nobody from the value.
	damage error
}

// find returns the row of key, or nil.
func (ses *session) find(key string) (*row, error) {
	st, err := ses.c.Prepare(ses.t.sql.find)
	if err != nil {
		return nil, err
	}
	there, err := st.Key(1, key).Step()
	if err != nil || !there {
		return nil, err
	}
	defer st.Reset()
	return scanRow(st)
}

// scanRow reads the columns of table.findColumns.
func scanRow(st *driver.Stmt) (*row, error) {
	r := &row{rowid: st.ColInt(0), stored: st.ColInt(2)}
	r.entry = engine.Entry{Key: st.ColString(1), Size: r.stored}
	if !st.IsNull(3) {
		value, err := st.ColBytes(3)
		if err != nil {
			return nil, err
		}
		if r.ref, r.chunked = format.ParseReference(value); r.chunked {
			r.entry.Size = r.ref.Size
		}
	}
	if st.IsNull(4) {
		return r, nil
	}
	m := &r.entry.Meta
	m.Tag = format.FormatTag(st.ColInt(4))
	m.ModTime = time.Unix(0, st.ColInt(5)).UTC()
	m.Sum, m.HasSum = uint32(st.ColInt(6)), true
	m.ContentType = st.ColString(7)
	if !st.IsNull(8) {
		if err := json.Unmarshal([]byte(st.ColString(8)), &m.User); err != nil {
			m.User = nil
			r.damage = fmt.Errorf("%w: user metadata of %q: %v", engine.ErrCorrupt, r.entry.Key, err)
		}
	}
	return r, nil
}

// foreignTag names the content of a value that another program wrote, for want of anything that names the version.
func (ses *session) foreignTag(r *row) (string, error) {
	h := sha256.New()
	err := ses.eachChunk(r, func(p []byte) error { _, err := h.Write(p); return err })
	return "content-" + hex.EncodeToString(h.Sum(nil)[:16]), err
}

func (ses *session) tagOf(r *row) (string, error) {
	if r.entry.Meta.Tag != "" {
		return r.entry.Meta.Tag, nil
	}
	return ses.foreignTag(r)
}

// putMetaRow stores the metadata of a row. User metadata is JSON, whose text cannot hold every string: bytes that are
// not UTF-8 are refused before.
func (ses *session) putMetaRow(rowid int64, e engine.Entry, value int64) error {
	tag, err := format.ParseTag(e.Meta.Tag)
	if err != nil {
		return err
	}
	st, err := ses.c.Prepare(ses.t.sql.putMeta)
	if err != nil {
		return err
	}
	user, err := encodeUser(e.Meta.User)
	if err != nil {
		return err
	}
	ses.bindMetaID(st, 1, rowid, e.Key).Int(2, tag).Int(3, e.Meta.ModTime.UnixNano()).Int(4, int64(e.Meta.Sum)).Int(5, value)
	return st.Repeated(6, e.Meta.ContentType).Repeated(7, user).Exec()
}

func encodeUser(user map[string]string) (string, error) {
	if len(user) == 0 {
		return "", nil
	}
	b, err := json.Marshal(user)
	return string(b), err
}
