package sqlite

import (
	"context"
	"fmt"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// chunkHandle is an open handle on one chunk. It must be closed before the row is changed by a
// statement, before a savepoint and before the transaction commits.
type chunkHandle struct {
	blob      *driver.Blob // nil if there is none
	id, chunk int64
	row       int64
}

// letChunkGo closes the handle. What it wrote is in the transaction already.
func (ses *session) letChunkGo() {
	if ses.chunk.blob != nil {
		_ = ses.chunk.blob.Close()
		ses.chunk.blob = nil
	}
}

// openChunk returns a handle on a chunk, for writing if the transaction may write. It stays the
// session's.
func (x *tx) openChunk(ses *session, id, chunk int64) (*driver.Blob, error) {
	h := &ses.chunk
	if h.blob != nil && h.id == id && h.chunk == chunk {
		return h.blob, nil
	}
	row, _, err := ses.chunkRow(id, chunk)
	if err != nil {
		return nil, err
	}
	if h.blob == nil {
		h.blob, err = ses.c.OpenBlob(format.ArrayChunkTable, "data", row, x.writable)
	} else if err = h.blob.Reopen(row); err != nil {
		ses.letChunkGo()
	}
	if err != nil {
		return nil, err
	}
	h.id, h.chunk, h.row = id, chunk, row
	return h.blob, nil
}

// chunkRow finds a chunk: its row, and its length in bytes.
func (ses *session) chunkRow(id, chunk int64) (row, size int64, err error) {
	// actual_size lies behind the data, so reading it costs a walk through them. Only in a chunk
	// that the package grew as a text it differs from the length.
	err = ses.one(`SELECT rowid, CASE WHEN typeof(data) = 'blob' THEN octet_length(data)
		ELSE min(actual_size, octet_length(data)) END FROM `+format.ArrayChunkTable+` WHERE col_id = ?1 AND chunk_idx = ?2`,
		func(st *driver.Stmt) { row, size = st.ColInt(0), st.ColInt(1) }, id, chunk)
	return row, size, err
}

// ChunkSize returns the length of a chunk.
func (x *tx) ChunkSize(ctx context.Context, id, chunk int64) (size int64, err error) {
	err = x.reading(ctx, func(ses *session) error { _, size, err = ses.chunkRow(id, chunk); return err })
	return size, err
}

// ChunkUsed returns what SetChunkUsed stored. In a table from before 0.4 of the package, which has
// no place for it, all of a chunk counts as used.
func (x *tx) ChunkUsed(ctx context.Context, id, chunk int64) (used int64, deleted bool, err error) {
	err = x.reading(ctx, func(ses *session) error {
		if !ses.arrays.usage {
			_, used, err = ses.chunkRow(id, chunk)
			return err
		}
		return ses.one(`SELECT bytes_used, has_deleted FROM `+format.ArrayChunkTable+` WHERE col_id = ?1 AND chunk_idx = ?2`,
			func(st *driver.Stmt) { used, deleted = st.ColInt(0), st.ColInt(1) != 0 }, id, chunk)
	})
	return used, deleted, err
}

// SetChunkUsed stores how much of a chunk is in use, unless the table is from before 0.4 of the
// package. SQLite reads the whole row for it, but writes only those of its pages that change.
func (x *tx) SetChunkUsed(ctx context.Context, id, chunk, used int64, deleted bool) error {
	return x.changing(ctx, func(ses *session) error {
		row, size, err := ses.chunkRow(id, chunk)
		if err != nil {
			return err
		}
		if used < 0 || used > size {
			return fmt.Errorf("%d of %d bytes in use: %w", used, size, engine.ErrInvalid)
		}
		if !ses.arrays.usage {
			return nil
		}
		ses.letChunkGo()
		flag := int64(0)
		if deleted {
			flag = 1
		}
		return ses.updateOne(`UPDATE `+format.ArrayChunkTable+` SET bytes_used = ?2, has_deleted = ?3 WHERE rowid = ?1`, row, used, flag)
	})
}

// Chunks returns how many chunks there are.
func (x *tx) Chunks(ctx context.Context, id int64) (n int64, err error) {
	err = x.reading(ctx, func(ses *session) error { n, err = ses.countChunks(id); return err })
	return n, err
}

func (ses *session) countChunks(id int64) (n int64, err error) {
	err = ses.one(`SELECT (SELECT max(chunk_idx) + 1 FROM `+format.ArrayChunkTable+` WHERE col_id = ?1) FROM `+format.ArrayTable+` WHERE col_id = ?1`,
		func(st *driver.Stmt) { n = st.ColInt(0) }, id)
	return n, err
}

// arrayPieceBytes is how much of a chunk passes through SQLite's memory at a time: it stays in the
// processor's cache between the two copies.
const arrayPieceBytes = 512 << 10

// ReadChunk reads a part of a chunk.
func (x *tx) ReadChunk(ctx context.Context, id, chunk, off int64, p []byte) error {
	return x.reading(ctx, func(ses *session) error {
		if !x.writable && len(p) >= fastPiece && ses.fastChunk(id, chunk, off, p) {
			return nil
		}
		return x.eachPiece(ses, id, chunk, off, p, (*driver.Blob).ReadAt)
	})
}

// WriteChunk writes a part of a chunk in place.
func (x *tx) WriteChunk(ctx context.Context, id, chunk, off int64, p []byte) error {
	return x.changing(ctx, func(ses *session) error {
		return x.eachPiece(ses, id, chunk, off, p, (*driver.Blob).WriteAt)
	})
}

func (x *tx) eachPiece(ses *session, id, chunk, off int64, p []byte, do func(b *driver.Blob, p []byte, off int64) error) error {
	b, err := x.openChunk(ses, id, chunk)
	if err != nil {
		return err
	}
	if off < 0 || int64(len(p)) > b.Size()-off {
		return fmt.Errorf("%d bytes at %d of a chunk of %d bytes: %w", len(p), off, b.Size(), engine.ErrInvalid)
	}
	for len(p) > 0 {
		n := min(len(p), arrayPieceBytes)
		if err := do(b, p[:n], off); err != nil {
			ses.letChunkGo()
			return err
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// ResizeChunk changes the length of a chunk, or adds one. The chunk passes through memory.
func (x *tx) ResizeChunk(ctx context.Context, id, chunk, size int64) error {
	return x.changing(ctx, func(ses *session) error {
		n, err := ses.countChunks(id)
		if err != nil {
			return err
		}
		if size < 0 || chunk < 0 || chunk > n {
			return fmt.Errorf("chunk %d of %d to be %d bytes: %w", chunk, n, size, engine.ErrInvalid)
		}
		if size > engine.MaxOneRow {
			return fmt.Errorf("chunk %d to be %d bytes, the limit is %d: %w", chunk, size, engine.MaxOneRow, engine.ErrTooLarge)
		}
		if chunk == n {
			_, err := ses.update(`INSERT INTO `+format.ArrayChunkTable+`(col_id, chunk_idx, data, actual_size)
				VALUES(?1, ?2, zeroblob(?3), ?3)`, id, chunk, size)
			return err
		}
		return x.replaceChunk(ses, id, chunk, size)
	})
}

func (x *tx) replaceChunk(ses *session, id, chunk, size int64) error {
	row, _, err := ses.chunkRow(id, chunk)
	if err != nil {
		return err
	}
	b, err := x.openChunk(ses, id, chunk)
	if err != nil {
		return err
	}
	data := make([]byte, size)
	if err := x.eachPiece(ses, id, chunk, 0, data[:min(size, b.Size())], (*driver.Blob).ReadAt); err != nil {
		return err
	}
	ses.letChunkGo()
	sql := `UPDATE ` + format.ArrayChunkTable + ` SET data = ?2, actual_size = ?3 WHERE rowid = ?1`
	if ses.arrays.usage {
		sql = `UPDATE ` + format.ArrayChunkTable + ` SET data = ?2, actual_size = ?3, bytes_used = min(bytes_used, ?3) WHERE rowid = ?1`
	}
	st, err := ses.c.Prepare(sql)
	if err != nil {
		return err
	}
	defer st.Blob(2, nil) // the statement is kept, the bytes need not be
	return st.Int(1, row).Blob(2, data).Int(3, size).Exec()
}

// TruncateChunks removes the chunks from number n on.
func (x *tx) TruncateChunks(ctx context.Context, id, n int64) error {
	return x.changing(ctx, func(ses *session) error {
		if n < 0 {
			return fmt.Errorf("chunk %d: %w", n, engine.ErrInvalid)
		}
		if _, err := ses.countChunks(id); err != nil {
			return err
		}
		ses.letChunkGo()
		_, err := ses.update(`DELETE FROM `+format.ArrayChunkTable+` WHERE col_id = ?1 AND chunk_idx >= ?2`, id, n)
		return err
	})
}
