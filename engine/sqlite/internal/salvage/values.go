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
func (c *rowCopier) metadata(rowid int64, v *found) {
	var rec *rawfile.Record
	var err error
	switch {
	case c.meta != nil:
		rec, err = c.meta.Find(rowid)
	case c.metaByKey != nil:
		rec, err = c.metaByKey.Find([]byte(v.Key))
		v.unconfirmed = v.unconfirmed && rec == nil
	}
	if rec != nil && err == nil {
		err = readMeta(rec, &v.Meta)
	}
	if err != nil && !v.Meta.HasSum {
		err = fmt.Errorf("its metadata is lost, and nothing proves the value: %w", err)
	}
	v.doubt = err
}

// readMeta reads a row of a metadata table.
func readMeta(r *rawfile.Record, m *engine.Meta) error {
	var n [4]int64
	for i := 1; i < len(n); i++ {
		if r.Class(i) != fileformat.Int {
			return fmt.Errorf("%w: a row of other columns", rawfile.ErrDamaged)
		}
		var err error
		if n[i], err = r.Int(i); err != nil {
			return err
		}
	}
	typ, err := r.Bytes(5, maxSchema)
	if err != nil {
		return err
	}
	user, err := r.Bytes(6, maxSchema)
	if err != nil {
		return err
	}
	m.Tag, m.ContentType = format.FormatTag(n[1]), string(typ)
	m.Sum, m.HasSum = uint32(n[3]), true
	if t := time.Unix(0, n[2]).UTC(); t.Year() >= 1678 && t.Year() <= 2261 {
		m.ModTime = t
	}
	if len(user) > 0 && json.Unmarshal(user, &m.User) != nil {
		m.User = nil
		return fmt.Errorf("%w: its user metadata is no JSON object", rawfile.ErrDamaged)
	}
	return nil
}

// copyValue brings over the value of one row.
func (c *rowCopier) copyValue(v *found, r *rawfile.Record) error {
	if r.Class(c.value) == fileformat.Blob && r.Size(c.value) == format.RefLen {
		b, err := r.Bytes(c.value, format.RefLen)
		if err == nil {
			if ref, ok := format.ParseReference(b); ok {
				return c.copyChunks(v, ref)
			}
		}
	}
	if r.Size(c.value) > smallBytes {
		rd, err := r.Reader(c.value)
		if err != nil {
			c.loseValue(v, err)
			return nil
		}
		return c.copyStream(v, rd)
	}
	var err error
	v.value, err = valueBytes(r, c.value)
	if got := crc32.Checksum(v.value, format.Castagnoli); err == nil && v.Meta.HasSum && got != v.Meta.Sum {
		err = fmt.Errorf("%w: checksum %08x, stored with %08x", rawfile.ErrDamaged, got, v.Meta.Sum)
	}
	switch {
	case err != nil && len(v.value) == format.RefLen:
		c.broken[v.Key] = err // perhaps a reference once, whose value can still be found
		return nil
	case err != nil:
		c.loseValue(v, err)
		return nil
	}
	return c.add(v)
}

// valueBytes returns a small value; one that is no blob as SQLite would write it out.
func valueBytes(r *rawfile.Record, i int) ([]byte, error) {
	switch r.Class(i) {
	case fileformat.Int:
		n, err := r.Int(i)
		return strconv.AppendInt(nil, n, 10), err
	case fileformat.Float:
		return nil, errors.New("it is a floating-point number of another program, and such are not copied")
	}
	return r.Bytes(i, smallBytes)
}

// copyStream brings over a value in pieces. It becomes visible only if all of it could be read and
// its checksum is right.
func (c *rowCopier) copyStream(v *found, r io.Reader) error {
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
	if v.Meta.HasSum && st.Sum() != v.Meta.Sum {
		c.loseValue(v, fmt.Errorf("%w: checksum %08x, stored with %08x", rawfile.ErrDamaged, st.Sum(), v.Meta.Sum))
		return nil
	}
	if err := c.flush(); err != nil {
		return err
	}
	op := v.op()
	op.Staged = st
	_, err = c.dst.Apply(c.ctx, []engine.Op{op})
	return c.settle(v, st.Size(), err)
}
