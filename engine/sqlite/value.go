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

// cursor reads one value in parts, through an incremental blob that it moves from chunk to chunk.
type cursor struct {
	c   *driver.Conn
	t   *table
	row row
	// chunks is the id of the value whose chunk rows these are.
	chunks int64
	blob   *driver.Blob
	at     int64 // the row that blob is open on
	// bytes is the whole of a short value: another program may have written a number, which no blob
	// opens on.
	bytes []byte
	fast  *fastValueReader // nil if there is none
	// verifies says that read compares with checksums; sum is that of the whole value, and chunk
	// the whole of chunk number chunkNo, which matches its own.
	verifies bool
	sum      uint32
	chunk    []byte
	chunkNo  int64
}

// shortBytes is more than a number takes as text.
const shortBytes = 64

// cursor returns a cursor on the value of a row, which is to compare with checksums or not. A value
// of another program has none.
func (ses *session) cursor(r *row, verify bool) (*cursor, error) {
	cu := &cursor{c: ses.c, t: ses.t, row: *r, sum: r.entry.Meta.Sum}
	cu.verifies = verify && (r.chunked || r.entry.Meta.HasSum)
	if r.chunked {
		sum, chunks, err := ses.findChunks(r.entry.Key, r.ref)
		if err != nil {
			return nil, err
		}
		if !r.entry.Meta.HasSum {
			cu.sum = sum
		}
		cu.chunks = chunks
		cu.fast = ses.fastValueReader(format.ChunksTable, "data")
		return cu, nil
	}
	if r.stored > shortBytes {
		cu.fast = ses.fastValueReader(ses.t.name, "value")
		return cu, nil
	}
	st, err := ses.c.Prepare(ses.t.sql.valueOf)
	if err != nil {
		return nil, err
	}
	defer st.Reset()
	there, err := st.Int(1, r.rowid).Step()
	if err == nil && there {
		cu.bytes, err = st.ColBytes(0)
	}
	return cu, err
}

// findChunks makes sure that the chunks a reference names are there and belong to this key. They do
// not if another program copied the reference to another key or another file. It returns the
// checksum of the value, and the id of the value whose chunk rows it has: of a copy, another.
func (ses *session) findChunks(key string, ref format.Reference) (sum uint32, chunks int64, err error) {
	gone := fmt.Errorf("%w: the value of %q is a reference to chunk rows that this file does not hold for it", engine.ErrCorrupt, key)
	if !ses.t.tracked { // the chunk tables may be there all the same, in a file whose key-value table was made anew
		if there, err := hasObject(ses.c, "table", format.ValuesTable); err != nil {
			return 0, 0, err
		} else if !there {
			return 0, 0, gone
		}
	}
	st, err := ses.c.Prepare(`SELECT size, chunk_bytes, sum, beat FROM ` + format.ValuesTable +
		` WHERE id = ?1 AND nonce = ?2 AND key = ?3 AND tbl = ?4`)
	if err != nil {
		return 0, 0, err
	}
	defer st.Reset()
	there, err := st.Int(1, ref.ID).Int(2, ref.Nonce).Key(3, key).Text(4, ses.t.name).Step()
	if err != nil {
		return 0, 0, err
	}
	pages, err := pragma(ses.c, "page_count")
	if err != nil {
		return 0, 0, err
	}
	page, err := pragma(ses.c, "page_size")
	if err != nil {
		return 0, 0, err
	}
	// A size that the whole file could not hold must not make anybody ask for so much memory.
	if ref.Size > pages*page {
		return 0, 0, gone
	}
	if !there || st.ColInt(0) != ref.Size || st.ColInt(1) != ref.ChunkBytes || ref.Size/ref.ChunkBytes >= format.MaxChunks {
		return 0, 0, gone
	}
	if chunks = format.ChunksOf(ref.ID, st.ColInt(3)); chunks == 0 {
		return 0, 0, gone
	}
	return uint32(st.ColInt(2)), chunks, nil
}

// readAt fills p from off, and compares nothing; the caller keeps both inside the value.
func (cu *cursor) readAt(p []byte, off int64) error {
	if !cu.row.chunked && cu.row.stored <= shortBytes {
		if off+int64(len(p)) > int64(len(cu.bytes)) {
			return cu.damaged("shorter than its size says")
		}
		copy(p, cu.bytes[off:])
		return nil
	}
	for len(p) > 0 {
		n := min(len(p), pieceBytes)
		row, at := cu.row.rowid, off
		if cu.row.chunked {
			row, at = format.ChunkRow(cu.chunks, off/cu.row.ref.ChunkBytes), off%cu.row.ref.ChunkBytes
			n = int(min(int64(n), cu.row.ref.ChunkBytes-at))
		}
		if cu.readFast(p[:n], row, at) {
			p, off = p[n:], off+int64(n)
			continue
		}
		if err := cu.move(row); err != nil {
			return err
		}
		if at+int64(n) > cu.blob.Size() {
			return cu.damaged("shorter than its size says")
		}
		err := cu.blob.ReadAt(p[:n], at)
		if driver.KindOf(err) == driver.Aborted { // a rollback to a savepoint expires handles
			cu.close()
			if err = cu.move(row); err == nil {
				err = cu.blob.ReadAt(p[:n], at)
			}
		}
		if err != nil {
			return err
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// readFast is readAt of a piece for which a fast read is worth it, or says that SQLite is to read
// it.
func (cu *cursor) readFast(p []byte, row, at int64) bool {
	if cu.fast == nil || len(p) < fastPiece || cu.row.entry.Size < fastValue {
		return false
	}
	size := cu.row.stored
	if cu.row.chunked {
		size = cu.chunkSize(row - format.ChunkRow(cu.chunks, 0))
	}
	return cu.fast.read(p, row, at, size)
}

// dropFast has SQLite read all that follows.
func (cu *cursor) dropFast() {
	cu.fast.close()
	cu.fast = nil
}

func (cu *cursor) damaged(how string) error {
	return fmt.Errorf("%w: value of %q is %s", engine.ErrCorrupt, cu.row.entry.Key, how)
}

// move opens the blob on a row, or moves it there.
func (cu *cursor) move(row int64) (err error) {
	if cu.blob != nil && cu.at == row {
		return nil
	}
	if cu.blob != nil {
		err = cu.blob.Reopen(row)
	} else if cu.row.chunked {
		cu.blob, err = cu.c.OpenBlob(format.ChunksTable, "data", row, false)
	} else {
		cu.blob, err = cu.c.OpenBlob(cu.t.name, "value", row, false)
	}
	if err != nil {
		cu.close()
		if driver.KindOf(err) == driver.BadSchema && cu.row.chunked {
			return cu.damaged("missing a chunk")
		}
		return err
	}
	cu.at = row
	return nil
}

func (cu *cursor) close() {
	cu.dropFast()
	if cu.blob != nil {
		_ = cu.blob.Close() // a read handle has nothing to report
		cu.blob = nil
	}
}

// eachChunk hands out a row's value in order, and compares nothing. The slice is reused.
func (ses *session) eachChunk(r *row, fn func(p []byte) error) error {
	cu, err := ses.cursor(r, false)
	if err != nil {
		return err
	}
	return cu.each(fn)
}

func (cu *cursor) each(fn func(p []byte) error) error {
	defer cu.close()
	size := cu.row.entry.Size
	if size == 0 {
		return cu.read(nil, 0, nil)
	}
	buf, run := make([]byte, min(size, pieceBytes)), runningSum{}
	for off := int64(0); off < size; {
		p := buf[:min(int64(len(buf)), size-off)]
		if err := cu.read(p, off, &run); err != nil {
			return err
		}
		if err := fn(p); err != nil {
			return err
		}
		off += int64(len(p))
	}
	return nil
}

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
	m.Sum, m.HasSum = uint32(st.ColInt(6)), !st.IsNull(6)
	m.ContentType = st.ColString(7)
	if !st.IsNull(8) {
		if err := json.Unmarshal([]byte(st.ColString(8)), &m.User); err != nil {
			m.User = nil
			r.damage = fmt.Errorf("%w: user metadata of %q: %v", engine.ErrCorrupt, r.entry.Key, err)
		}
	}
	return r, nil
}

// foreignTag names the content of a value that another program wrote, for want of anything that
// names the version.
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

// putMeta stores the metadata of a row that was just written. In layout 2 it lies in the row
// already. An entry of another program's has none, and what was left at the row's id goes.
func (ses *session) putMeta(rowid int64, e engine.Entry, stage int64) error {
	if ses.t.inRow || e.Meta.Tag == "" {
		return ses.dropMeta(rowid, e.Key)
	}
	st, err := ses.c.Prepare(ses.t.sql.putMeta)
	if err == nil {
		err = bindMeta(ses.bindMetaID(st, rowid, e.Key), e, stage)
	}
	if err != nil {
		return err
	}
	return st.Exec()
}

// dropMeta removes what the table beside says of a row.
func (ses *session) dropMeta(rowid int64, key string) error {
	if any, err := ses.anyAux(); err != nil || !any {
		return err
	}
	st, err := ses.c.Prepare(ses.t.sql.deleteMeta)
	if err != nil {
		return err
	}
	return ses.bindMetaID(st, rowid, key).Exec()
}

// bindMetaID binds what names a row in the table beside.
func (ses *session) bindMetaID(st *driver.Stmt, rowid int64, key string) *driver.Stmt {
	if ses.t.rowID == "key" {
		return st.Key(1, key)
	}
	return st.Int(1, rowid)
}

// anyAux says whether the auxiliary table can have a row that is to be removed. In layout 2 it is
// empty as a rule, and only other programs add to it.
func (ses *session) anyAux() (any bool, err error) {
	if !ses.t.inRow {
		return true, nil
	}
	if ses.noneForeign {
		return false, nil
	}
	st, err := ses.c.Prepare(ses.t.sql.foreign)
	if err != nil {
		return false, err
	}
	defer st.Reset()
	any, err = st.Step()
	ses.noneForeign = !any && err == nil
	return any, err
}

// bindMeta binds metadata as parameters 4 to 9, or none if the entry has none. That of the user is
// JSON, whose text cannot hold every string: bytes that are not UTF-8 are refused before.
func bindMeta(st *driver.Stmt, e engine.Entry, stage int64) error {
	if e.Meta.Tag == "" {
		for i := 4; i <= 7; i++ {
			st.Null(i)
		}
		st.Repeated(8, "").Repeated(9, "")
		return nil
	}
	tag, err := format.ParseTag(e.Meta.Tag)
	if err != nil {
		return err
	}
	user, err := encodeUser(e.Meta.User)
	if err != nil {
		return err
	}
	st.Int(4, tag).Int(5, e.Meta.ModTime.UnixNano()).Int(6, int64(e.Meta.Sum)).Null(7)
	if stage != 0 {
		st.Int(7, stage)
	}
	st.Repeated(8, e.Meta.ContentType).Repeated(9, user)
	return nil
}

func encodeUser(user map[string]string) (string, error) {
	if len(user) == 0 {
		return "", nil
	}
	b, err := json.Marshal(user)
	return string(b), err
}
