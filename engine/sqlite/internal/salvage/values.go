package salvage

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/salvage/rawfile"
)

// metadata fills in the metadata that the file has for a value, and what is doubtful about it.
func (c *rowCopier) metadata(rowid int64, v *found, row *rawfile.Record) {
	rec, at := row, c.meta
	var err error
	switch {
	case at > 0:
		updated, findErr := c.updated.Find(rowid)
		v.stale = findErr != nil
		if updated != nil || row.Class(at) == fileformat.Null {
			return
		}
	case c.rowMeta != nil:
		rec, err = c.rowMeta.Find(rowid)
		at = 1
	case c.metaByKey != nil:
		rec, err = c.metaByKey.Find([]byte(v.Key))
		at = 1
		v.unconfirmed = v.unconfirmed && rec == nil
	}
	if at > 0 && rec != nil && err == nil {
		err = readMeta(rec, at, &v.Meta)
	}
	if err != nil && !v.Meta.HasSum {
		err = fmt.Errorf("its metadata is lost, and nothing proves the value: %w", err)
	}
	v.doubt = err
}

// readMeta reads metadata from a record, in which its columns begin at the given one.
func readMeta(r *rawfile.Record, at int, m *engine.Meta) error {
	var n [3]int64
	for i := range n {
		if r.Class(at+i) != fileformat.Int {
			return rawfile.Damaged("a row of other columns")
		}
		var err error
		if n[i], err = r.Int(at + i); err != nil {
			return err
		}
	}
	typ, err := r.Bytes(at+4, maxSchema)
	if err != nil {
		return err
	}
	user, err := r.Bytes(at+5, maxSchema)
	if err != nil {
		return err
	}
	m.Tag, m.ContentType = format.FormatTag(n[0]), string(typ)
	m.Sum, m.HasSum = uint32(n[2]), true
	if t := time.Unix(0, n[1]).UTC(); t.Year() >= 1678 && t.Year() <= 2261 {
		m.ModTime = t
	}
	if len(user) > 0 && json.Unmarshal(user, &m.User) != nil {
		m.User = nil
		return rawfile.Damaged("its user metadata is no JSON object")
	}
	return nil
}

// prove compares the checksum of a value with the one stored. Metadata that may be stale counts for
// nothing if they differ.
func (v *found) prove(sum uint32) error {
	switch {
	case !v.Meta.HasSum || sum == v.Meta.Sum:
		return nil
	case v.stale:
		v.Meta = engine.Meta{}
		return nil
	}
	return rawfile.Damaged("checksum %08x, stored with %08x", sum, v.Meta.Sum)
}

// copyValue copies the value of one row.
func (c *rowCopier) copyValue(v *found, r *rawfile.Record) error {
	if r.Size(c.value) > smallBytes {
		return c.copyStream(v, r.Reader(c.value))
	}
	value, err := valueBytes(r, c.value)
	if ref, ok := format.ParseReference(value); ok && r.Class(c.value) == fileformat.Blob {
		return c.copyChunks(v, ref)
	}
	if err == nil {
		err = v.prove(crc32.Checksum(value, format.Castagnoli))
	}
	if err != nil {
		c.loseValue(v, err)
		return nil
	}
	return c.put(v, value, nil, int64(len(value)))
}

// valueBytes returns a small value; one that is no blob as SQLite would write it out.
func valueBytes(r *rawfile.Record, i int) ([]byte, error) {
	switch r.Class(i) {
	case fileformat.Int:
		n, err := r.Int(i)
		return strconv.AppendInt(nil, n, 10), err
	case fileformat.Float:
		return nil, errors.New("it is a floating-point number of another program, which is not copied")
	}
	return r.Bytes(i, smallBytes)
}

// copyStream copies a value in pieces. It becomes visible only if all of it can be read and its
// checksum is right.
func (c *rowCopier) copyStream(v *found, r io.Reader) error {
	if err := c.commit(); err != nil {
		return err
	}
	st, err := c.dst.Stage(c.ctx, engine.StageOptions{ChunkSize: pieceBytes, Size: -1})
	if err != nil {
		return err
	}
	defer st.Abort()
	buf := make([]byte, pieceBytes)
	for {
		n, readErr := io.ReadFull(r, buf)
		if readErr != nil && readErr != io.EOF && readErr != io.ErrUnexpectedEOF {
			c.loseValue(v, readErr)
			return nil
		}
		if err := st.WriteChunk(c.ctx, buf[:n]); err != nil {
			return err
		}
		if readErr != nil {
			break
		}
	}
	if err := v.prove(st.Sum()); err != nil {
		c.loseValue(v, err)
		return nil
	}
	if err := c.put(v, nil, st, st.Size()); err != nil {
		return err
	}
	return c.commit()
}
