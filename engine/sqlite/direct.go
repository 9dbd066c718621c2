package sqlite

import (
	"sync"
	"sync/atomic"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/rawfile"
)

// errElsewhere says that something is to be read by SQLite.
var errElsewhere = rawfile.ErrElsewhere

// direct reads keys and small values from the pages of the file, without a statement of SQLite. It can where the snapshot needs
// nothing of the log. Whatever it does not like, it leaves to SQLite, which knows what to make of it.
type direct struct {
	room int64 // in bytes, for pages that are remembered

	now atomic.Pointer[still]
	mu  sync.Mutex // held while now is made anew
}

// still is the file in a state in which it needs nothing of the log.
type still struct {
	mark  driver.Mark
	pages *rawfile.Pages
	trees trees
}

// trees are the root pages of the key-value table and of the index of its keys, and which column of the table's records the value is.
// They are what they were as long as the schema is.
type trees struct {
	usable       bool
	table, index uint32
	column       int
}

// reader reads one snapshot; close it when done.
type reader struct {
	rawfile.Reader
	trees
}

// direct returns a reader of the snapshot, or false if SQLite is to read it.
func (ses *session) direct() (r reader, ok bool) {
	rest := ses.c.AtRest()
	if rest == nil {
		return r, false
	}
	d := &ses.s.direct
	now := d.now.Load()
	if now == nil || now.mark != rest.Mark() {
		if now = d.look(ses, rest); now == nil {
			return r, false
		}
	}
	if !now.trees.usable {
		return r, false
	}
	return reader{now.pages.Reader(rest.ReaderAt), now.trees}, true
}

// look makes ready for another state of the file, unless somebody is about it already.
func (d *direct) look(ses *session, rest *driver.Rest) *still {
	if !d.mu.TryLock() {
		return nil
	}
	defer d.mu.Unlock()
	old := d.now.Load()
	if old != nil && old.mark == rest.Mark() { // made while this one was on its way
		return old
	}
	pages, err := rawfile.NewPages(rest, d.room)
	if err != nil {
		return nil
	}
	now := &still{mark: rest.Mark(), pages: pages}
	if old != nil && old.mark.SameFile(now.mark) && old.pages.Cookie() == pages.Cookie() {
		now.trees = old.trees
	} else if now.trees, err = ses.findTrees(); err != nil {
		return nil
	}
	d.now.Store(now)
	return now
}

// findTrees finds out where keys and values are. Not every table of another program has them where they can be read without SQLite.
func (ses *session) findTrees() (t trees, err error) {
	place, ok, err := findPlace(ses.c, ses.t.name, "value")
	if err != nil || !ok {
		return t, err
	}
	st, err := ses.c.Prepare(`SELECT i.rootpage FROM pragma_index_list(?1) l JOIN sqlite_schema i ON i.type = 'index' AND i.name = l.name
		WHERE l."unique" AND NOT l.partial AND (SELECT count(*) FROM pragma_index_xinfo(l.name)) = 2
		AND EXISTS (SELECT 1 FROM pragma_index_xinfo(l.name) WHERE seqno = 0 AND name = 'key' COLLATE NOCASE AND NOT "desc" AND coll = 'BINARY')
		AND EXISTS (SELECT 1 FROM pragma_index_xinfo(l.name) WHERE seqno = 1 AND cid = -1)`)
	if err != nil {
		return t, err
	}
	defer st.Reset()
	ok, err = st.Text(1, ses.t.name).Step()
	return trees{ok, place.root, uint32(st.ColInt(0)), place.column}, err
}

// getDirect appends a value to dst, or says with errElsewhere that SQLite is to read it.
func (ses *session) getDirect(dst []byte, key string) (value []byte, large, found bool, err error) {
	r, ok := ses.direct()
	if !ok {
		return nil, false, false, errElsewhere
	}
	defer r.Close()
	row, found, err := r.FindKey(r.index, []byte(key))
	if err != nil || !found {
		return nil, false, false, err
	}
	v, found, err := r.FindRow(r.table, row, r.column)
	switch {
	case err != nil:
		return nil, false, false, err
	case !found:
		return nil, false, false, errElsewhere // damage
	case v.Size > smallBytes:
		return nil, true, true, nil
	}
	if value, err = r.Append(grow(dst, int(v.Size)), v); err != nil {
		return nil, false, false, err
	}
	return value, false, true, nil
}

// keysDirect appends keys to dst, or says that SQLite is to do it.
func (ses *session) keysDirect(dst []string, q engine.Query) (keys []string, more bool, err error) {
	r, ok := ses.direct()
	if !ok {
		return nil, false, errElsewhere
	}
	defer r.Close()
	return r.AppendKeys(dst, r.index, rawfile.KeyRange{Start: []byte(q.Start), End: []byte(q.End), Reverse: q.Reverse}, q.Limit)
}
