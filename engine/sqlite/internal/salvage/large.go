package salvage

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/salvage/rawfile"
)

// copyChunks brings over a value that is kept in chunk rows. The reference has a checksum of its
// own, so the record of the large value is needed only to prove that the chunks are this key's, and
// may be lost.
func (c *rowCopier) copyChunks(v *found, ref format.Reference) error {
	c.tried[ref.ID] = true
	rec, err := c.record(ref.ID)
	switch {
	case rec != nil && (rec.Nonce != ref.Nonce || rec.Size != ref.Size || rec.ChunkBytes != ref.ChunkBytes || rec.owned):
		c.loseValue(v, fmt.Errorf("%w: its value is a reference to chunk rows that are not its own", rawfile.ErrDamaged))
		return nil
	case rec == nil && err == nil:
		c.loseValue(v, fmt.Errorf("%w: its value is a reference to chunk rows that are not there", rawfile.ErrDamaged))
		return nil
	case rec != nil && rec.key != v.Key && !c.chooseKey(v, rec.key):
		return nil
	case rec != nil && rec.key == v.Key:
		v.unconfirmed = false
	}
	if rec != nil && !v.Meta.HasSum {
		v.Meta.Sum, v.Meta.HasSum = uint32(rec.sum), true
	}
	return c.copyStream(v, c.chunkReader(ref))
}

// chooseKey chooses between the key of a row and that of its large value. The row's is right if it
// is confirmed, and its metadata, which a row that another program has copied does not have, will
// prove the value. If nothing confirms it, the other is taken.
func (c *rowCopier) chooseKey(v *found, key string) bool {
	switch {
	case !v.unconfirmed && v.Meta.HasSum:
		v.doubt = also(v.doubt, fmt.Errorf("%w: the record of its chunk rows has the key %q", rawfile.ErrDamaged, key))
	case !v.unconfirmed:
		c.loseValue(v, fmt.Errorf("%w: its value is a reference to chunk rows of the key %q", rawfile.ErrDamaged, key))
		return false
	case key == "" || c.told[key]:
		c.loseSecond(key, fmt.Errorf("%w: its row has the key %q", rawfile.ErrDamaged, v.Key))
		return false
	default:
		v.doubt = also(v.doubt, fmt.Errorf("%w: its row has the key %q", rawfile.ErrDamaged, v.Key))
		v.unconfirmed = v.other != key
		v.Key = key
	}
	return true
}

// largeValue is a row of kvault_values.
type largeValue struct {
	format.Reference
	sum        int64
	table, key string
	owned      bool // it is still being written, or was abandoned
}

// record returns the row of a large value; nil with an error if it is lost, nil alone if there is none.
func (c *rowCopier) record(id int64) (*largeValue, error) {
	if c.plan.values == nil {
		return nil, nil
	}
	r, err := c.plan.values.Find(id)
	if r == nil || err != nil {
		return nil, err
	}
	return readLarge(id, r)
}

func readLarge(id int64, r *rawfile.Record) (*largeValue, error) {
	if !isValue(r) {
		return nil, fmt.Errorf("%w: the record of large value %d has other columns", rawfile.ErrDamaged, id)
	}
	v := &largeValue{Reference: format.Reference{ID: id}, owned: r.Class(6) != fileformat.Blob}
	var errs []error
	for i, to := range []*int64{1: &v.Nonce, 2: &v.ChunkBytes, 3: &v.Size, 4: &v.sum} {
		if to != nil {
			n, err := r.Int(i)
			*to, errs = n, append(errs, err)
		}
	}
	table, err := r.Bytes(5, engine.MaxKey)
	key, keyErr := r.Bytes(6, engine.MaxKey)
	v.table, v.key = string(table), string(key)
	if err := errors.Join(append(errs, err, keyErr)...); err != nil {
		return nil, err
	}
	return v, nil
}

func (c *rowCopier) chunkReader(ref format.Reference) io.Reader {
	return &chunkReader{chunks: c.plan.chunks, ref: ref}
}

// chunkReader reads the chunk rows of a value in order, each against its checksum.
type chunkReader struct {
	chunks *rawfile.Table
	ref    format.Reference
	off    int64
	rest   bytes.Reader
}

// Read reads on.
func (r *chunkReader) Read(p []byte) (int, error) {
	for r.rest.Len() == 0 {
		if r.off == r.ref.Size {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	return r.rest.Read(p)
}

func (r *chunkReader) next() error {
	i, n := r.off/r.ref.ChunkBytes, min(r.ref.ChunkBytes, r.ref.Size-r.off)
	var rec *rawfile.Record
	err := fmt.Errorf("%w: there is no table of chunks", rawfile.ErrDamaged)
	if r.chunks != nil {
		rec, err = r.chunks.Find(format.ChunkRow(r.ref.ID, i))
	}
	switch {
	case err != nil:
		return fmt.Errorf("chunk %d: %w", i, err)
	case rec == nil || !isChunk(rec) || rec.Size(2) != n:
		return fmt.Errorf("%w: chunk %d of %d bytes is not there", rawfile.ErrDamaged, i, n)
	}
	sum, err := rec.Int(1)
	if err != nil {
		return fmt.Errorf("chunk %d: %w", i, err)
	}
	b, err := rec.Bytes(2, n)
	if err != nil {
		return fmt.Errorf("chunk %d: %w", i, err)
	}
	if got := crc32.Checksum(b, format.Castagnoli); got != uint32(sum) {
		return fmt.Errorf("%w: chunk %d has checksum %08x, stored with %08x", rawfile.ErrDamaged, i, got, uint32(sum))
	}
	r.rest.Reset(b)
	r.off += n
	return nil
}

// copyUnreferenced brings over the large values whose key-value row is lost: their own record names
// the key. Without all of the list of values that were replaced it cannot be told which are.
func (c *rowCopier) copyUnreferenced() error {
	damaged := !c.rows.Whole() || c.keys == nil || !c.keys.Whole() || len(c.broken) > 0 || c.unread
	if !damaged || c.plan.values == nil || c.plan.orphans == nil || !c.plan.orphans.Whole() {
		return nil
	}
	for id, r := range c.plan.values.Rows() {
		if r.Err != nil || c.tried[id] {
			continue
		}
		v, err := readLarge(id, r.Record)
		if err != nil || v.owned || v.table != c.name || v.Size < 0 || v.ChunkBytes < 1 || v.key == "" {
			continue
		}
		if orphan, err := c.plan.orphans.Find(id); orphan != nil || err != nil {
			continue
		}
		if _, err := c.dst.Stat(c.ctx, v.key); !errors.Is(err, engine.ErrNotFound) {
			if err != nil {
				return err
			}
			continue
		}
		delete(c.broken, v.key)
		lone := &found{Entry: engine.Entry{Key: v.key, Meta: engine.Meta{Sum: uint32(v.sum), HasSum: true}},
			doubt: errors.New("its row is lost, and its metadata with it")}
		if err := c.copyStream(lone, c.chunkReader(v.Reference)); err != nil {
			return err
		}
	}
	return nil
}
