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

// copyChunks copies a value that is kept in chunk rows. The reference has a checksum of its own, so
// the record of the large value is needed only to prove that the chunks are this key's, and may be
// lost.
func (c *rowCopier) copyChunks(v *found, ref format.Reference) error {
	c.tried[ref.ID] = true
	rec, err := c.record(ref.ID)
	switch {
	case rec == nil && err == nil:
		c.loseValue(v, rawfile.Damaged("its value is a reference to chunk rows that are not there"))
		return nil
	case rec == nil:
	case rec.Reference != ref || rec.owned:
		c.loseValue(v, rawfile.Damaged("its value is a reference to chunk rows of another"))
		return nil
	case rec.key == v.Key:
		v.unconfirmed = false
	case !c.chooseKey(v, rec.key):
		return nil
	}
	if rec != nil && !v.Meta.HasSum {
		v.Meta.Sum, v.Meta.HasSum = rec.sum, true
	}
	chunks := ref.ID
	if rec != nil {
		chunks = rec.chunks
	}
	return c.copyStream(v, &chunkReader{chunks: c.plan.chunks, ref: ref, id: chunks})
}

// chooseKey chooses between the key of a row and that of its large value. The row's is right if it
// is confirmed, and its metadata, which a row that another program has copied does not have, will
// prove the value. If nothing confirms it, the other is taken.
func (c *rowCopier) chooseKey(v *found, key string) bool {
	switch {
	case !v.unconfirmed && v.Meta.HasSum:
		v.doubt = also(v.doubt, rawfile.Damaged("the record of its chunk rows has the key %q", key))
	case !v.unconfirmed:
		c.loseValue(v, rawfile.Damaged("its value is a reference to chunk rows of the key %q", key))
		return false
	case key == "" || c.lost[key].confirmed:
		c.loseSecond(key, rawfile.Damaged("its row has the key %q", v.Key))
		return false
	default:
		v.doubt = also(v.doubt, rawfile.Damaged("its row has the key %q", v.Key))
		v.unconfirmed = v.other != key
		v.Key = key
	}
	return true
}

// largeValue is a row of kvault_values.
type largeValue struct {
	format.Reference
	sum        uint32
	table, key string
	chunks     int64 // the id of the value in whose chunk rows it lies
	// owned says that it is no key's value: it is still being written, was abandoned, or is kept for
	// copies alone.
	owned bool
}

// record returns the row of a large value; nil with an error if it is lost, nil alone if there is
// none.
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
	if !valueForm.fits(r) {
		return nil, rawfile.Damaged("the record of large value %d has other columns", id)
	}
	v := &largeValue{Reference: format.Reference{ID: id}, owned: r.Class(6) != fileformat.Blob}
	var sum, beat int64
	var errs []error
	for i, to := range map[int]*int64{1: &v.Nonce, 2: &v.ChunkBytes, 3: &v.Size, 4: &sum, 8: &beat} {
		n, err := r.Int(i)
		*to, errs = n, append(errs, err)
	}
	v.chunks = format.ChunksOf(id, beat)
	table, err := r.Bytes(5, engine.MaxKey)
	key, keyErr := r.Bytes(6, engine.MaxKey)
	v.sum, v.table, v.key = uint32(sum), string(table), string(key)
	if err := errors.Join(append(errs, err, keyErr)...); err != nil {
		return nil, err
	}
	return v, nil
}

// chunkReader reads the chunk rows of a value in order, each against its checksum.
type chunkReader struct {
	chunks *rawfile.Table
	ref    format.Reference
	id     int64 // of the value whose chunk rows these are
	off    int64
	rest   bytes.Reader
}

// Read reads on.
func (r *chunkReader) Read(p []byte) (int, error) {
	for r.rest.Len() == 0 {
		if r.off == r.ref.Size {
			return 0, io.EOF
		}
		i, n := r.off/r.ref.ChunkBytes, min(r.ref.ChunkBytes, r.ref.Size-r.off)
		b, err := r.chunk(i, n)
		if err != nil {
			return 0, fmt.Errorf("chunk %d: %w", i, err)
		}
		r.rest.Reset(b)
		r.off += n
	}
	return r.rest.Read(p)
}

// chunk returns the i-th chunk, which has n bytes.
func (r *chunkReader) chunk(i, n int64) ([]byte, error) {
	if r.chunks == nil {
		return nil, rawfile.Damaged("there is no table of chunks")
	}
	rec, err := r.chunks.Find(format.ChunkRow(r.id, i))
	if err != nil {
		return nil, err
	}
	if rec == nil || !chunkForm.fits(rec) || rec.Size(2) != n {
		return nil, rawfile.Damaged("no row has its %d bytes", n)
	}
	sum, err := rec.Int(1)
	if err != nil {
		return nil, err
	}
	b, err := rec.Bytes(2, n)
	if got := crc32.Checksum(b, format.Castagnoli); err == nil && got != uint32(sum) {
		err = rawfile.Damaged("checksum %08x, stored with %08x", got, uint32(sum))
	}
	return b, err
}

// copyUnreferenced copies the large values whose key-value row is lost: their own record names the
// key. Without all of the list of values that were replaced it cannot be told which are.
func (c *rowCopier) copyUnreferenced() error {
	damaged := !c.rows.Whole() || c.keys == nil || !c.keys.Whole() || len(c.lost) > 0 || c.unread
	if !damaged || c.plan.values == nil || c.plan.orphans == nil || !c.plan.orphans.Whole() {
		return nil
	}
	for id, r := range c.plan.values.Rows() {
		if r.Err != nil || c.tried[id] {
			continue
		}
		large, err := readLarge(id, r.Record)
		if err != nil || large.owned || large.table != c.name || large.Size < 0 ||
			large.ChunkBytes < 1 || large.key == "" {
			continue
		}
		if orphan, err := c.plan.orphans.Find(id); orphan != nil || err != nil {
			continue
		}
		if there, err := c.has(large.key); there || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		v := &found{doubt: errors.New("its row is lost, and its metadata with it")}
		v.Key, v.Meta = large.key, engine.Meta{Sum: large.sum, HasSum: true}
		delete(c.lost, v.Key)
		err = c.copyStream(v, &chunkReader{chunks: c.plan.chunks, ref: large.Reference, id: large.chunks})
		if err != nil {
			return err
		}
	}
	return nil
}
