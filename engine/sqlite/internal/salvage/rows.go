package salvage

import (
	"errors"
	"fmt"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/salvage/rawfile"
)

// rowCopier brings over one key-value table.
type rowCopier struct {
	*Salvage
	*rawTable
	dst  engine.Transactor
	plan *plan
	// confirmed are the rows that the index has with the same key, and indexed says that it has any entry.
	confirmed *rawfile.Marks
	indexed   bool
	// named are rows whose key the index knows by another name.
	named map[int64]string
	// tried are the large values that a row led to.
	tried map[int64]bool
	// broken are the keys of damaged values that have the length of a reference.
	broken map[string]error
	// unsure are the keys of other damaged values, if nothing confirmed them.
	unsure map[string]error
	// told are keys that were told lost: a damaged file can name one in several places.
	told map[string]bool
	// unread says that the key of some row could not be read.
	unread bool
	// unconfirmed counts the values that were copied under a key that nothing confirmed.
	unconfirmed int64
	// unproven counts the values that were copied without a checksum, if no value of the table can have one.
	unproven int64
	batch    []*found
	size     int
}

// found is a value on its way into the new vault.
type found struct {
	engine.Entry
	value []byte
	// doubt is what is doubtful about it all the same.
	doubt error
	// unconfirmed says that no other place in the file has its key, though one should; other is the
	// one that the index has instead.
	unconfirmed bool
	other       string
}

func (v *found) op() engine.Op {
	return engine.Op{Kind: engine.Put, Key: v.Key, Value: v.value, Meta: v.Meta, If: engine.Condition{Absent: true}}
}

// batchOps bounds one transaction on the new vault.
const batchOps = 256

func (s *Salvage) copyTable(dst engine.Transactor, p *plan, kv *rawTable) error {
	c := &rowCopier{Salvage: s, rawTable: kv, dst: dst, plan: p, named: map[int64]string{}, tried: map[int64]bool{}, broken: map[string]error{},
		unsure: map[string]error{}, told: map[string]bool{}}
	c.compareKeys()
	// The keys that are confirmed come first, so that none of them is taken by a row whose own key was altered.
	for _, confirmed := range []bool{true, false} {
		if err := c.copyRows(confirmed); err != nil {
			return err
		}
	}
	if err := c.copyUnreferenced(); err != nil {
		return err
	}
	if err := c.tellUnsure(); err != nil {
		return err
	}
	c.tellUnconfirmed()
	c.tellUnproven()
	return c.tellMissing()
}

func (c *rowCopier) copyRows(confirmed bool) error {
	if !confirmed && c.confirmed.All() && !c.unread {
		return nil
	}
	for rowid, r := range c.rows.Rows() {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if r.Err != nil && confirmed { // told with the rows that nothing confirms
			c.unread = true
			continue
		}
		if c.confirmed.Has(r.Record) != confirmed {
			continue
		}
		if err := c.copyRow(rowid, r); err != nil {
			return err
		}
	}
	return c.flush()
}

// copyRow brings over one row. A damaged one is told; an error says that the new vault cannot be written.
func (c *rowCopier) copyRow(rowid int64, r rawfile.RowResult) error {
	if r.Err != nil {
		c.unnamed(rowid, r.Err)
		return nil
	}
	if r.Len() > 0 && r.Class(c.key) != fileformat.Blob && !c.ours(rowid, r.Record) {
		return nil
	}
	key, err := r.Bytes(c.key, engine.MaxKey)
	if err != nil || len(key) == 0 {
		c.unnamed(rowid, also(errors.New("its key cannot be read"), err))
		return nil
	}
	v := &found{Entry: engine.Entry{Key: string(key)}, unconfirmed: c.keys != nil && !c.confirmed.Has(r.Record), other: c.named[rowid]}
	if v.unconfirmed && c.told[v.Key] {
		c.loseSecond(v.Key, errUnconfirmed)
		return nil
	}
	c.metadata(rowid, v)
	return c.copyValue(v, r.Record)
}

// ours says that a row whose key is no blob has one that was altered. If neither the index nor
// metadata says so, it is of another program, and no kvault sees it.
func (c *rowCopier) ours(rowid int64, r *rawfile.Record) bool {
	if c.meta == nil || c.confirmed.Has(r) {
		return c.confirmed.Has(r)
	}
	rec, err := c.meta.Find(rowid)
	if err != nil {
		c.unnamed(rowid, fmt.Errorf("its key is no blob, and its metadata is lost: %w", err))
	}
	return rec != nil && err == nil
}

// unnamed tells the loss of a row whose key cannot be read, unless the index will name it.
func (c *rowCopier) unnamed(rowid int64, err error) {
	c.unread = true
	if c.keys == nil || !c.keys.Whole() {
		c.lose(engine.Loss{Table: c.name, Err: fmt.Errorf("row %d: %w", rowid, err)})
	}
}

// add puts a small value into the batch.
func (c *rowCopier) add(v *found) error {
	c.batch = append(c.batch, v)
	if c.size += len(v.value); len(c.batch) < batchOps && c.size < smallBytes {
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
	ops := make([]engine.Op, len(batch))
	for i, v := range batch {
		ops[i] = v.op()
	}
	_, err := c.dst.Apply(c.ctx, ops)
	if err == nil {
		for _, v := range batch {
			c.copied(v, int64(len(v.value)))
		}
	}
	if !refused(err) {
		return err
	}
	for i, v := range batch {
		_, err := c.dst.Apply(c.ctx, ops[i:i+1])
		if err := c.settle(v, int64(len(v.value)), err); err != nil {
			return err
		}
	}
	return nil
}

// refused says that the vault takes something not because of what it is.
func refused(err error) bool {
	return errors.Is(err, engine.ErrExists) || errors.Is(err, engine.ErrInvalid) || errors.Is(err, engine.ErrTooLarge)
}

// settle counts a value if err, which came of writing it, is nil, and tells its loss if it was refused.
func (c *rowCopier) settle(v *found, size int64, err error) error {
	switch {
	case err == nil:
		c.copied(v, size)
	case errors.Is(err, engine.ErrExists):
		c.loseSecond(v.Key, also(v.doubt, err))
	case refused(err):
		c.loseKey(v.Key, err)
	default:
		return err
	}
	return nil
}

// copied counts a value that is in the new vault, and tells what is doubtful about it.
func (c *rowCopier) copied(v *found, size int64) {
	c.report.Keys++
	c.report.Bytes += size
	if !v.Meta.HasSum {
		c.report.Unproven++
		c.doubtValue(v)
	}
	if v.unconfirmed {
		c.report.Unconfirmed++
		c.unconfirmed++
	}
	if err := c.doubts(v); err != nil {
		c.lose(engine.Loss{Table: c.name, Key: v.Key, Copied: true, Err: err})
	}
	c.progress()
}
