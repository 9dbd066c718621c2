package sqlite

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

const (
	// uploadBytes and uploadChunks bound how much of a write goes into one transaction, unless one
	// chunk is more.
	uploadBytes  = 4 << 20
	uploadChunks = 64
	// noSum is the sum of a chunk row of an upload that was not summed up since it changed.
	noSum = -1
)

// WriteAt stores p at an offset, in transactions of whole chunks. Only the last needs to be synced:
// that syncs the log before it too.
func (up *upload) WriteAt(ctx context.Context, p []byte, off int64) error {
	if _, err := (&engine.UploadInfo{Size: -1}).Write(off, len(p)); err != nil {
		return err
	}
	if (off+int64(len(p)))/up.chunk >= format.MaxChunks {
		return fmt.Errorf("%d bytes at offset %d are more than %d chunks of %d; use larger ones: %w",
			len(p), off, format.MaxChunks, up.chunk, engine.ErrTooLarge)
	}
	for {
		n := up.step(len(p), off)
		err := up.alter(ctx, n, n < len(p), func(ses *session, u *uploadRow) error {
			if _, err := u.info.Write(off, len(p)); err != nil { // all of it, before any is stored
				return err
			}
			return ses.writeUpload(u, p[:n], off)
		})
		if err != nil {
			return err
		}
		if p, off = p[n:], off+int64(n); len(p) == 0 {
			return nil
		}
	}
}

// step is how many of n bytes at off go into one transaction.
func (up *upload) step(n int, off int64) int {
	chunks := min(max(uploadBytes/up.chunk, 1), uploadChunks)
	return int(min(int64(n), chunks*up.chunk-off%up.chunk))
}

func (ses *session) writeUpload(u *uploadRow, p []byte, off int64) (err error) {
	if u.info.Written, err = u.info.Write(off, len(p)); err != nil {
		return err
	}
	for chunk := int64(u.info.ChunkSize); len(p) > 0; {
		i, at := off/chunk, off%chunk
		n := int(min(int64(len(p)), chunk-at))
		if err := ses.writeUploadChunk(u, i, p[:n], at); err != nil {
			return err
		}
		p, off = p[n:], off+int64(n)
	}
	return ses.touchUpload(u)
}

// touchUpload stores what is written by now, and postpones the expiry, if that adds a hundredth of
// the time: so most writes leave the index of it alone.
func (ses *session) touchUpload(u *uploadRow) error {
	st, err := ses.c.Prepare(`UPDATE ` + format.UploadsTable + ` SET extents = ?2 WHERE id = ?1`)
	if err != nil {
		return err
	}
	if err := st.Int(1, u.id).Blob(2, format.AppendExtents(nil, u.info.Written)).Exec(); err != nil {
		return err
	}
	expires := time.Now().Add(u.keep)
	if expires.Sub(u.info.Expires) < u.keep/100 {
		return nil
	}
	err = ses.run(`UPDATE `+format.UploadsTable+` SET expires = ?2 WHERE id = ?1`, u.id, expires.UnixNano())
	if err != nil {
		return err
	}
	return ses.ownUpload(u.id, u.nonce, expires)
}

// writeUploadChunk writes p at an offset of chunk i. The chunk's row is as long as what was written
// at first, and as the chunk from the second write on. u has the extents after the write.
func (ses *session) writeUploadChunk(u *uploadRow, i int64, p []byte, at int64) error {
	row, end := format.ChunkRow(u.id, i), at+int64(len(p))
	have, sum, err := ses.chunkState(row)
	switch {
	case err != nil:
		return err
	case at == 0 && end >= have:
		return ses.replaceUploadChunk(row, have, p)
	case have < 0:
		have, sum = end, noSum
		err = ses.insertZeros(row, end)
	case have < end:
		have, sum = u.chunkLength(i), noSum
		err = ses.growUploadChunk(row, have)
	}
	if err != nil {
		return err
	}
	blob, err := ses.c.OpenBlob(format.ChunksTable, "data", row, true)
	if err != nil {
		return err
	}
	now := int64(noSum)
	start := i * int64(u.info.ChunkSize)
	if err = writeAt(blob, p, at); err == nil && have == u.chunkLength(i) &&
		u.info.Written.Covers(engine.Extent{Start: start, End: start + have}) {
		now, err = sumOfBlob(blob)
	}
	if failed := blob.Close(); err == nil {
		err = failed
	}
	if err != nil || now == sum {
		return err
	}
	// SQLite reads and writes the whole row for this: hence only where the sum changes.
	return ses.run(`UPDATE `+format.ChunksTable+` SET sum = ?2 WHERE id = ?1`, row, now)
}

// chunkLength is the length of chunk i, as far as the size of the value is known.
func (u *uploadRow) chunkLength(i int64) int64 {
	chunk := int64(u.info.ChunkSize)
	if u.info.Size < 0 {
		return chunk
	}
	return min(chunk, u.info.Size-i*chunk)
}

// chunkState is the length of a chunk row, or -1 if there is none, and its sum.
func (ses *session) chunkState(row int64) (length, sum int64, err error) {
	length = -1
	err = ses.eachRow(`SELECT octet_length(data), sum FROM `+format.ChunksTable+` WHERE id = ?1`,
		func(st *driver.Stmt) error { length, sum = st.ColInt(0), st.ColInt(1); return nil }, row)
	return length, sum, err
}

func (ses *session) replaceUploadChunk(row, have int64, p []byte) error {
	if have >= 0 {
		if err := ses.run(`DELETE FROM `+format.ChunksTable+` WHERE id = ?1`, row); err != nil {
			return err
		}
	}
	return ses.putChunk(row, p)
}

func (ses *session) insertZeros(row, length int64) error {
	return ses.run(`INSERT INTO `+format.ChunksTable+`(id, sum, data) VALUES(?1, -1, zeroblob(?2))`,
		row, length)
}

// growUploadChunk makes a chunk row longer, which takes the bytes it has through memory.
func (ses *session) growUploadChunk(row, length int64) error {
	old, err := ses.readChunkRow(row)
	if err != nil {
		return err
	}
	err = ses.run(`UPDATE `+format.ChunksTable+` SET sum = -1, data = zeroblob(?2) WHERE id = ?1`,
		row, length)
	if err != nil {
		return err
	}
	return ses.fillCell(format.ChunksTable, "data", row, func(fn func(p []byte) error) error { return fn(old) })
}

// readChunkRow reads a whole chunk.
func (ses *session) readChunkRow(row int64) ([]byte, error) {
	blob, err := ses.c.OpenBlob(format.ChunksTable, "data", row, false)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	p := make([]byte, blob.Size())
	return p, blob.ReadAt(p, 0)
}

// writeAt writes p at off, in pieces that stay in the processor's cache.
func writeAt(blob *driver.Blob, p []byte, off int64) error {
	for len(p) > 0 {
		n := min(len(p), copyBytes)
		if err := blob.WriteAt(p[:n], off); err != nil {
			return err
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

func sumOfBlob(blob *driver.Blob) (int64, error) {
	buf, sum := make([]byte, min(blob.Size(), sumBytes)), uint32(0)
	for off := int64(0); off < blob.Size(); {
		p := buf[:min(int64(len(buf)), blob.Size()-off)]
		if err := blob.ReadAt(p, off); err != nil {
			return 0, err
		}
		sum = crc32.Update(sum, format.Castagnoli, p)
		off += int64(len(p))
	}
	return int64(sum), nil
}

// sourceOfUpload is what a put of an upload stores. The upload is used up. A value of at most
// smallBytes becomes one row, as that of any other put; a larger one stays in its chunk rows.
func (ses *session) sourceOfUpload(x engine.Upload) (src source, err error) {
	up, ok := x.(*upload)
	if !ok || up.s != ses.s {
		return src, fmt.Errorf("the upload belongs to another store: %w", engine.ErrInvalid)
	}
	u, err := ses.findUpload(up.id, up.nonce)
	if err != nil {
		return src, err
	}
	size, err := u.info.Complete()
	if err != nil {
		return src, err
	}
	sum, err := ses.sealChunks(u, size)
	if err != nil {
		return src, err
	}
	if err := ses.run(`DELETE FROM `+format.UploadsTable+` WHERE id = ?1`, up.id); err != nil {
		return src, err
	}
	st := &stage{
		s: ses.s, chunkBytes: up.chunk, id: up.id, nonce: up.nonce,
		size: size, stored: size, sum: sum,
	}
	return source{size: size, sum: sum, stage: st, mustChunk: size > smallBytes}, nil
}

// sealChunks brings the chunk rows of a complete upload to their final state, and returns the
// checksum of the whole, which follows from theirs. Only the last chunk can be longer than it is to
// be, or lack its sum.
func (ses *session) sealChunks(u *uploadRow, size int64) (sum uint32, err error) {
	if size == 0 {
		return 0, nil
	}
	u.info.Size = size
	last := (size - 1) / int64(u.info.ChunkSize)
	row, length := format.ChunkRow(u.id, last), u.chunkLength(last)
	have, known, err := ses.chunkState(row)
	if err != nil {
		return 0, err
	}
	if have >= length && (have > length || known == noSum) {
		p, err := ses.readChunkRow(row)
		if err == nil {
			err = ses.replaceUploadChunk(row, have, p[:length])
		}
		if err != nil {
			return 0, err
		}
	}
	next := int64(0)
	err = ses.eachRow(`SELECT id, octet_length(data), sum FROM `+format.ChunksTable+
		` WHERE id BETWEEN ?1 AND ?2`,
		func(st *driver.Stmt) error {
			n := u.chunkLength(next)
			if st.ColInt(0) != format.ChunkRow(u.id, next) || st.ColInt(1) != n || st.ColInt(2) == noSum {
				return u.damaged(fmt.Sprintf("its chunk %d", next))
			}
			sum = format.JoinSums(sum, uint32(st.ColInt(2)), n)
			next++
			return nil
		}, format.ChunkRow(u.id, 0), row)
	if err == nil && next != last+1 {
		err = u.damaged(fmt.Sprintf("its chunk %d", next))
	}
	return sum, err
}

// Update changes the size and the metadata.
func (up *upload) Update(ctx context.Context, change func(*engine.UploadInfo) error) error {
	return up.alter(ctx, 0, false, func(ses *session, u *uploadRow) error {
		info := u.info
		if err := change(&info); err != nil {
			return err
		}
		u.info.Size, u.info.Meta = info.Size, info.Meta
		if err := u.info.CheckChange(); err != nil {
			return err
		}
		st, err := ses.c.Prepare(`UPDATE ` + format.UploadsTable +
			` SET size = ?2, mtime = ?3, type = ?4, user = ?5 WHERE id = ?1`)
		if err != nil {
			return err
		}
		if err := bindUploadMeta(st.Int(1, up.id).Int(2, info.Size), 3, &info.Meta); err != nil {
			return err
		}
		return st.Exec()
	})
}

// Abort discards the upload.
func (up *upload) Abort(ctx context.Context) error {
	return up.s.change(ctx, 0, false, func(ses *session) error {
		if _, err := ses.findUpload(up.id, up.nonce); err != nil && !errors.Is(err, engine.ErrCorrupt) {
			return err
		}
		return ses.dropUpload(up.id, up.nonce)
	})
}

// ReadAt reads what was written from an offset on.
func (up *upload) ReadAt(ctx context.Context, p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("offset %d is negative: %w", off, engine.ErrInvalid)
	}
	err = up.look(ctx, up.s.streams, func(ses *session, u *uploadRow) error {
		n = int(min(int64(len(p)), u.info.Written.From(off)))
		cu := &cursor{c: ses.c, t: ses.t, chunks: up.id, row: row{chunked: true,
			entry: engine.Entry{Key: up.key}, ref: format.Reference{ID: up.id, ChunkBytes: up.chunk}}}
		defer cu.close()
		return cu.readAt(p[:n], off)
	})
	switch {
	case err != nil:
		return 0, err
	case n < len(p):
		return n, io.EOF
	}
	return n, nil
}
