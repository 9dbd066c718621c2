package salvage

import (
	"errors"
	"fmt"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/salvage/rawfile"
)

// rowCopier copies one key-value table.
type rowCopier struct {
	*Salvage
	*keyTable
	dst engine.Transactor
	// tx is a transaction on the new vault that has written size bytes, or nil.
	tx   engine.Tx
	size int64
	// confirmed are the rows that the index has with the same key, named the keys that it has for
	// others. indexed says that it has any entry.
	confirmed *rawfile.RowSet
	named     map[int64]string
	indexed   bool
	// tried are the large values that a row led to.
	tried map[int64]bool
	// lost are the values that are lost, by their keys. They are reported when all rows are copied:
	// a damaged file can have a key in several places.
	lost map[string]lostValue
	// unread says that the key of some row could not be read.
	unread bool
	// unconfirmed is the number of values that were copied under a key that nothing confirmed.
	unconfirmed int64
	// unproven is the number of values copied without a checksum, if no value of the table can have
	// one.
	unproven int64
}

// found is a value on its way into the new vault.
type found struct {
	engine.Entry
	// doubt is what is doubtful about the value although it was copied.
	doubt error
	// stale says that the metadata may be that of an earlier value, unless the checksum is right.
	stale bool
	// unconfirmed says that no other place in the file has its key, though one should; other is the
	// one that the index has instead.
	unconfirmed bool
	other       string
}

// txBytes bounds one transaction on the new vault: each row counts as at least rowBytes.
const (
	txBytes  = 1 << 20
	rowBytes = 4 << 10
)

func (s *Salvage) copyTable(dst engine.Transactor, kv *keyTable) (err error) {
	c := &rowCopier{Salvage: s, keyTable: kv, dst: dst, named: map[int64]string{},
		tried: map[int64]bool{}, lost: map[string]lostValue{}}
	defer func() {
		if c.tx != nil {
			err = errors.Join(err, c.tx.Rollback())
		}
	}()
	c.compareKeys()
	// The keys that are confirmed come first, so that none of them is taken by a row whose own key
	// was altered.
	skipped, err := c.copyRows(true)
	if err == nil && skipped {
		_, err = c.copyRows(false)
	}
	for _, step := range []func() error{c.copyUnreferenced, c.reportTable, c.reportMissing} {
		if err == nil {
			err = step()
		}
	}
	return err
}

// copyRows copies the rows whose keys are confirmed, or the others, and says whether it left any.
func (c *rowCopier) copyRows(confirmed bool) (skipped bool, err error) {
	for rowid, r := range c.rows.Rows() {
		if err := c.ctx.Err(); err != nil {
			return skipped, err
		}
		c.unread = c.unread || r.Err != nil
		if (r.Err == nil && c.confirmed.Has(r.Record)) != confirmed {
			skipped = true
			continue
		}
		if err := c.copyRow(rowid, r); err != nil {
			return skipped, err
		}
	}
	return skipped, c.commit()
}

// copyRow copies one row. It reports a damaged one; an error says that the new vault cannot be
// written.
func (c *rowCopier) copyRow(rowid int64, r rawfile.RecordResult) error {
	if r.Err != nil {
		c.loseUnnamed(rowid, r.Err)
		return nil
	}
	if r.Len() > 0 && r.Class(c.key) != fileformat.Blob && !c.wasKey(rowid, r.Record) {
		return nil
	}
	key, err := r.Bytes(c.key, engine.MaxKey)
	if err != nil || len(key) == 0 {
		c.loseUnnamed(rowid, also(errors.New("its key cannot be read"), err))
		return nil
	}
	v := &found{Entry: engine.Entry{Key: string(key)}, other: c.named[rowid],
		unconfirmed: c.keys != nil && !c.confirmed.Has(r.Record)}
	if v.unconfirmed && c.lost[v.Key].confirmed {
		c.loseSecond(v.Key, errUnconfirmed)
		return nil
	}
	c.metadata(rowid, v, r.Record)
	return c.copyValue(v, r.Record)
}

// wasKey says that a row whose key is no blob has one that was altered. If neither the index nor
// metadata says so, it is of another program, and no kvault sees it.
func (c *rowCopier) wasKey(rowid int64, r *rawfile.Record) bool {
	if c.confirmed.Has(r) {
		return true
	}
	if c.meta > 0 {
		return r.Class(c.meta) == fileformat.Int
	}
	if c.rowMeta == nil {
		return false
	}
	rec, err := c.rowMeta.Find(rowid)
	if err != nil {
		c.loseUnnamed(rowid, fmt.Errorf("its key is no blob, and its metadata is lost: %w", err))
	}
	return rec != nil && err == nil
}

// put writes a value to the new vault, and reports its loss if the vault refuses it.
func (c *rowCopier) put(v *found, value []byte, st engine.Stage, size int64) (err error) {
	if c.tx == nil {
		if c.tx, err = c.dst.Begin(c.ctx, true); err != nil {
			return err
		}
	}
	op := engine.Op{Kind: engine.Put, Key: v.Key, Value: value, Staged: st, Meta: v.Meta,
		If: engine.Condition{Absent: true}}
	_, err = c.tx.Apply(c.ctx, []engine.Op{op})
	switch {
	case err == nil:
		c.copied(v, size)
	case errors.Is(err, engine.ErrExists):
		c.loseSecond(v.Key, also(v.doubt, err))
	case errors.Is(err, engine.ErrInvalid), errors.Is(err, engine.ErrTooLarge):
		c.loseValue(v, err)
	default:
		return err
	}
	if c.size += size + rowBytes; c.size < txBytes {
		return nil
	}
	return c.commit()
}

// commit ends the transaction if there is one.
func (c *rowCopier) commit() error {
	if c.tx == nil {
		return nil
	}
	err := c.tx.Commit(c.ctx)
	if err == nil {
		c.tx, c.size = nil, 0
	}
	return err
}

// copied counts a value that is in the new vault, and reports what is doubtful about it.
func (c *rowCopier) copied(v *found, size int64) {
	c.report.Keys++
	c.report.Bytes += size
	hasMeta := c.meta > 0 || c.rowMeta != nil || c.metaByKey != nil
	switch {
	case v.Meta.HasSum:
	case !hasMeta:
		c.unproven++ // one line says so for all
		c.report.Unproven++
	default:
		c.report.Unproven++
		if v.doubt == nil {
			v.doubt = errors.New("it has no checksum, so that nothing proves the value")
		}
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
