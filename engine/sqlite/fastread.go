package sqlite

import (
	"sync"
	"sync/atomic"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/fastread"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// fastReads reads keys, values and chunks of columns from the file itself, without a statement of
// SQLite, where the snapshot needs nothing of the log. Whatever it does not like it leaves to
// SQLite. This is the only file that knows how.
type fastReads struct {
	cacheBytes int64
	latest     atomic.Pointer[fastSnapshot]
	refreshing sync.Mutex
}

// newFastReads returns nil if they are off. Nothing but the time that reads take depends on it.
func newFastReads(o *Options) *fastReads {
	if o.noFastReads {
		return nil
	}
	return &fastReads{cacheBytes: int64(o.CacheKB) << 10 / 8}
}

// fastSnapshot is what all readers share of one data version.
type fastSnapshot struct {
	version driver.DataVersion
	pages   *fastread.Pages
	schema  *fastSchema
	// auxEmpty says that the table beside the key-value table is empty.
	auxEmpty bool
	chunks   chunkPlaces
}

// fastReader reads one snapshot. Close it when done.
type fastReader struct {
	fastread.Reader
	*fastSnapshot
	ses *session
}

// fastReader returns a reader of the session's snapshot, or false if SQLite is to read it.
func (ses *session) fastReader() (r fastReader, ok bool) {
	f := ses.s.fast
	if f == nil {
		return r, false
	}
	file := ses.c.CheckpointedFile()
	if file == nil {
		return r, false
	}
	now := f.latest.Load()
	if now == nil || now.version != file.DataVersion() {
		if now = f.refresh(ses, file); now == nil {
			return r, false
		}
	}
	return fastReader{now.pages.Reader(file.ReaderAt), now, ses}, true
}

// refresh begins with another data version, unless another goroutine is doing so.
func (f *fastReads) refresh(ses *session, file *driver.CheckpointedFile) *fastSnapshot {
	if !f.refreshing.TryLock() {
		return nil
	}
	defer f.refreshing.Unlock()
	old := f.latest.Load()
	if old != nil && old.version == file.DataVersion() {
		return old
	}
	pages, err := fastread.NewPages(file, f.cacheBytes)
	if err != nil {
		return nil
	}
	now := &fastSnapshot{version: file.DataVersion(), pages: pages}
	if old != nil && old.version.SameFile(now.version) &&
		old.pages.SchemaCookie() == pages.SchemaCookie() {
		now.schema = old.schema
	} else {
		if now.schema, err = ses.fastSchema(); err != nil {
			return nil
		}
	}
	r := pages.Reader(file.ReaderAt)
	defer r.Close()
	if now.schema.aux != 0 {
		if now.auxEmpty, err = r.Empty(now.schema.aux); err != nil {
			return nil
		}
	}
	f.latest.Store(now)
	return now
}

// findValue finds the value of a row, and its checksum if it has one.
func (r *fastReader) findValue(key []byte, id int64) (v fastread.Value, sum uint32, summed bool, err error) {
	inRow, found := r.schema.sum.root == r.schema.value.root, false
	var row fastread.Row
	switch {
	case r.auxEmpty || r.schema.sum.root == 0:
	case r.schema.byKey:
		row, found, err = r.FindEntry(r.schema.aux, key)
	default:
		row, found, err = r.FindRow(r.schema.aux, id)
	}
	if err == nil && found && !inRow {
		sum, summed, err = r.sumIn(&row)
	}
	if err != nil {
		return v, 0, false, err
	}
	isForeign := inRow && found
	if row, found, err = r.FindRow(r.schema.value.root, id); err != nil || !found { // the latter is damage
		return v, 0, false, fastread.ErrFallback
	}
	if inRow && !isForeign {
		if sum, summed, err = r.sumIn(&row); err != nil {
			return v, 0, false, err
		}
	}
	v, err = row.Blob(r.schema.value.number)
	return v, sum, summed, err
}

// sumIn is the checksum in a row that has metadata, if its tag says so.
func (r *fastReader) sumIn(row *fastread.Row) (sum uint32, has bool, err error) {
	if _, null, err := row.Int(r.schema.tag.number); err != nil || null {
		return 0, false, err
	}
	v, null, err := row.Int(r.schema.sum.number)
	return uint32(v), !null, err
}

// fastGet appends a value to dst, or says that it is large. An error says that SQLite is to read
// it.
func (ses *session) fastGet(dst []byte, key string) (value []byte, large, found bool, err error) {
	r, ok := ses.fastReader()
	if !ok || r.schema.keys == 0 {
		return nil, false, false, fastread.ErrFallback
	}
	defer r.Close()
	id, found, err := r.FindKey(r.schema.keys, []byte(key))
	if err != nil || !found {
		return nil, false, false, err
	}
	v, sum, summed, err := r.findValue([]byte(key), id)
	switch {
	case err != nil:
		return nil, false, false, err
	case v.Size > smallBytes:
		return nil, true, true, nil
	}
	value = grow(dst, int(v.Size))[:len(dst)+int(v.Size)]
	if _, err = r.Start(v, value[len(dst):]); err != nil {
		return nil, false, false, err
	}
	if _, large = format.ParseReference(value[len(dst):]); large {
		return nil, true, true, nil
	}
	if summed && compareSum(value[len(dst):], sum) != nil {
		return nil, false, false, fastread.ErrFallback // SQLite alone reports damage
	}
	return value, false, true, nil
}

// fastKeys appends keys to dst. An error says that SQLite is to do it.
func (ses *session) fastKeys(dst []string, q engine.Query) (keys []string, more bool, err error) {
	r, ok := ses.fastReader()
	if !ok || r.schema.keys == 0 {
		return nil, false, fastread.ErrFallback
	}
	defer r.Close()
	keyRange := fastread.KeyRange{Start: []byte(q.Start), End: []byte(q.End), Reverse: q.Reverse}
	return r.AppendKeys(dst, r.schema.keys, keyRange, q.Limit)
}

const (
	// fastValue is the smallest value, and fastPiece the smallest piece of one, that is worth a
	// fast read in pieces.
	fastValue = 256 << 10
	fastPiece = 16 << 10
	// Pieces shorter than aheadPiece come out of aheadBytes that are read at once.
	aheadPiece, aheadBytes = 32 << 10, 256 << 10
)

var aheadBuffers = sync.Pool{New: func() any { return new([aheadBytes]byte) }}

// fastValueReader reads values of a column in order, row by row. Close it when done.
type fastValueReader struct {
	ses           *session
	table, column string
	// chain is the place at of the value in a row, in one data version.
	chain   fastread.Chain
	row, at int64
	version driver.DataVersion
	// ahead is what was read ahead, before the chain's place.
	ahead  []byte
	buffer *[aheadBytes]byte
}

// fastValueReader returns nil if SQLite is to read the column.
func (ses *session) fastValueReader(table, column string) *fastValueReader {
	if ses.s.fast == nil {
		return nil
	}
	return &fastValueReader{ses: ses, table: table, column: column, row: -1}
}

// read fills p with a part of a row's value, which has size bytes, or says that SQLite is to do so:
// where it does not go on behind the part before, or begin.
func (f *fastValueReader) read(p []byte, row, at, size int64) bool {
	if f == nil || at != 0 && (row != f.row || at != f.at) {
		return false
	}
	f.row = -1
	r, ok := f.ses.fastReader()
	if !ok {
		return false
	}
	defer r.Close()
	err := fastread.ErrFallback
	if at == 0 {
		f.ahead = nil
		f.chain, err = r.start(f.table, f.column, row, size, p)
	} else if r.version == f.version {
		err = f.readOn(&r, p)
	}
	if err != nil {
		return false
	}
	f.version, f.row, f.at = r.version, row, at+int64(len(p))
	return true
}

// readOn fills p with what follows.
func (f *fastValueReader) readOn(r *fastReader, p []byte) error {
	n := copy(p, f.ahead)
	p, f.ahead = p[n:], f.ahead[n:]
	if len(p) == 0 || len(p) >= aheadPiece || int64(len(p)) >= f.chain.Left {
		return r.Read(&f.chain, p)
	}
	if f.buffer == nil {
		f.buffer = aheadBuffers.Get().(*[aheadBytes]byte)
	}
	ahead := f.buffer[:min(aheadBytes, f.chain.Left)]
	if err := r.Read(&f.chain, ahead); err != nil {
		return err
	}
	f.ahead = ahead[copy(p, ahead):]
	return nil
}

// close releases memory.
func (f *fastValueReader) close() {
	if f != nil && f.buffer != nil {
		aheadBuffers.Put(f.buffer)
		f.buffer, f.ahead, f.row = nil, nil, -1
	}
}

// start fills p with the start of a row's value, which has size bytes.
func (r *fastReader) start(table, column string, row, size int64, p []byte) (
	chain fastread.Chain, err error) {
	c, err := r.schema.column(r.ses.c, table, column)
	if err != nil {
		return chain, err
	}
	found, there, err := r.FindRow(c.root, row)
	if err != nil || !there {
		return chain, fastread.ErrFallback
	}
	v, err := found.Blob(c.number)
	if err != nil || v.Size != size || int64(len(p)) > size {
		return chain, fastread.ErrFallback
	}
	return r.Start(v, p)
}

// chunkPlaces are the latest places within chunks of columns to which transactions have read. A
// scan of a column is a transaction for each MiB, and goes on at one of these.
type chunkPlaces struct {
	mu    sync.Mutex
	list  [64]chunkPlace
	count int
}

type chunkPlace struct {
	array, chunk, off int64
	chain             fastread.Chain
}

func (l *chunkPlaces) find(array, chunk, off int64) (fastread.Chain, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range min(l.count, len(l.list)) {
		if p := &l.list[i]; p.array == array && p.chunk == chunk && p.off == off {
			return p.chain, true
		}
	}
	return fastread.Chain{}, false
}

func (l *chunkPlaces) add(p chunkPlace) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list[l.count%len(l.list)] = p
	l.count++
}

// fastChunk fills p with a part of a chunk, or says that SQLite is to do so.
func (ses *session) fastChunk(array, chunk, off int64, p []byte) bool {
	r, ok := ses.fastReader()
	if !ok {
		return false
	}
	defer r.Close()
	place := chunkPlace{array, chunk, off + int64(len(p)), fastread.Chain{}}
	if off == 0 {
		row, size, err := ses.chunkRow(array, chunk)
		if err == nil {
			place.chain, err = r.start(format.ArrayChunkTable, "data", row, size, p)
		}
		if err != nil {
			return false
		}
	} else {
		place.chain, ok = r.chunks.find(array, chunk, off)
		if !ok || r.Read(&place.chain, p) != nil {
			return false
		}
	}
	if place.chain.Left > 0 {
		r.chunks.add(place)
	}
	return true
}
