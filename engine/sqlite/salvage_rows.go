package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/rawfile"
)

// rowCopier brings over one key-value table.
type rowCopier struct {
	*salvage
	*rawTable
	dst  *Store
	plan *plan
	// named are rows whose key the index knows by another name.
	named map[int64]string
	// tried are the large values that a row led to.
	tried map[int64]bool
	// broken are the keys of damaged values that have the length of a reference.
	broken map[string]error
	// told are keys that were told lost: a damaged file can name one in several places.
	told map[string]bool
	// unread says that the key of some row could not be read.
	unread bool
	batch  []engine.Op
	size   int
}

// The bounds of one transaction on the new vault, of how many contradictions the index is believed, and of how many lost keys are told once only.
const (
	batchOps         = 256
	maxContradiction = 1 << 16
)

func (s *salvage) copyTable(dst *Store, p *plan, kv *rawTable) error {
	c := &rowCopier{salvage: s, rawTable: kv, dst: dst, plan: p, named: map[int64]string{}, tried: map[int64]bool{}, broken: map[string]error{},
		told: map[string]bool{}}
	c.compareKeys()
	for rowid, r := range kv.rows.Rows() {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		if err := c.copyRow(rowid, r); err != nil {
			return err
		}
	}
	if err := c.flush(); err != nil {
		return err
	}
	if err := c.copyUnreferenced(); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(c.broken)) {
		c.loseKey(key, false, c.broken[key])
	}
	return c.tellMissing()
}

// compareKeys finds the rows whose key is not that which the index has for them: one of the two was altered.
func (c *rowCopier) compareKeys() {
	for rowid, key := range c.entries() {
		rec, err := c.rows.Find(rowid)
		if err != nil || rec == nil {
			continue
		}
		if got, err := rec.Bytes(c.key, MaxKey); err == nil && !bytes.Equal(got, key) {
			c.named[rowid] = string(key)
		}
		if len(c.named) > maxContradiction {
			clear(c.named)
			return
		}
	}
}

// entries goes through what the index of keys still holds.
func (c *rowCopier) entries() func(yield func(int64, []byte) bool) {
	return func(yield func(int64, []byte) bool) {
		if c.keys == nil {
			return
		}
		for r := range c.keys.Entries() {
			if r.Err != nil || !isKeyEntry(r.Record) {
				continue
			}
			key, err := r.Bytes(0, MaxKey)
			rowid, idErr := r.Int(1)
			if err == nil && idErr == nil && len(key) > 0 && !yield(rowid, key) {
				return
			}
		}
	}
}

// copyRow brings over one row. A damaged one is told; an error says that the new vault cannot be written.
func (c *rowCopier) copyRow(rowid int64, r rawfile.RowResult) error {
	if r.Err != nil {
		c.unnamed(rowid, r.Err)
		return nil
	}
	if r.Len() > 0 && r.Class(c.key) != rawfile.Blob { // of another program, whose key no kvault sees
		return nil
	}
	key, err := r.Bytes(c.key, MaxKey)
	if err != nil || len(key) == 0 {
		c.unnamed(rowid, errors.Join(err, fmt.Errorf("its key cannot be read")))
		return nil
	}
	e := engine.Entry{Key: string(key)}
	doubt := c.metadata(rowid, &e)
	if other, named := c.named[rowid]; named {
		doubt = errors.Join(doubt, fmt.Errorf("the index of keys has it under %q", other))
	}
	return c.copyValue(e, r.Record, doubt)
}

// unnamed tells the loss of a row whose key cannot be read, unless the index will name it.
func (c *rowCopier) unnamed(rowid int64, err error) {
	c.unread = true
	if c.keys == nil || !c.keys.Whole() {
		c.lose(engine.Loss{Table: c.name, Err: fmt.Errorf("row %d: %w", rowid, err)})
	}
}

func (c *rowCopier) loseKey(key string, copied bool, err error) {
	if !copied && c.told[key] {
		return
	}
	if !copied && len(c.told) < maxContradiction {
		c.told[key] = true
	}
	c.lose(engine.Loss{Table: c.name, Key: key, Copied: copied, Err: err})
}

// add puts a small value into the batch.
func (c *rowCopier) add(op engine.Op) error {
	c.batch = append(c.batch, op)
	if c.size += len(op.Value); len(c.batch) < batchOps && c.size < smallBytes {
		return nil
	}
	return c.flush()
}

// flush writes the batch: one by one if two of its rows have the same key, which a damaged file can have.
func (c *rowCopier) flush() error {
	batch := c.batch
	c.batch, c.size = nil, 0
	if len(batch) == 0 {
		return nil
	}
	_, err := c.dst.Apply(c.ctx, batch)
	if !refused(err) {
		if err == nil {
			c.count(batch)
		}
		return err
	}
	for _, op := range batch {
		_, err := c.dst.Apply(c.ctx, []engine.Op{op})
		if refused(err) {
			c.loseKey(op.Key, false, fmt.Errorf("a second row: %w", err))
			continue
		}
		if err != nil {
			return err
		}
		c.count([]engine.Op{op})
	}
	return nil
}

// refused says that the vault takes something not because of what it is.
func refused(err error) bool {
	return errors.Is(err, engine.ErrExists) || errors.Is(err, engine.ErrInvalid) || errors.Is(err, engine.ErrTooLarge)
}

func (c *rowCopier) count(ops []engine.Op) {
	for _, op := range ops {
		size := int64(len(op.Value))
		if op.Staged != nil {
			size = op.Staged.Size()
		}
		c.report.Keys++
		c.report.Bytes += size
	}
	c.progress()
}

// tellMissing tells the keys that the index names and the new vault does not hold, and, where the index itself is damaged,
// the rows that nothing names.
func (c *rowCopier) tellMissing() error {
	for rowid, key := range c.entries() {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		rec, why := c.rows.Find(rowid)
		if rec != nil {
			got, err := rec.Bytes(c.key, MaxKey)
			if err == nil && bytes.Equal(got, key) {
				continue // told when the row was copied
			}
			if why = err; err == nil {
				why = fmt.Errorf("%w: its row has the key %q", rawfile.ErrDamaged, got)
			}
		}
		_, err := c.dst.Stat(c.ctx, string(key))
		if !errors.Is(err, engine.ErrNotFound) {
			if err != nil {
				return err
			}
			continue
		}
		if why == nil {
			why = fmt.Errorf("%w: its row is not there", rawfile.ErrDamaged)
		}
		c.loseKey(string(key), false, why)
	}
	if c.keys != nil && c.keys.Whole() {
		return nil
	}
	for _, g := range c.rows.Gaps {
		c.lose(engine.Loss{Table: c.name, Err: fmt.Errorf("rows %d to %d: %w", g.First, g.Last, g.Err)})
	}
	return nil
}
