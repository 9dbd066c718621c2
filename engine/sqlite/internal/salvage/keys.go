package salvage

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/salvage/rawfile"
)

// The checksum of a value does not cover its key. What proves a key is that the file has it twice:
// in the row, and in the index of keys, in the record of a large value or with the metadata of a
// table without ids.

// maxRemembered bounds how many keys of each kind are remembered: those that the index contradicts,
// and those of lost values.
const maxRemembered = 1 << 16

var errUnconfirmed = rawfile.Damaged("no entry of the index of keys confirms its key")

// compareKeys finds the rows whose key the index confirms, and those that it has under another one:
// either was altered then.
func (c *rowCopier) compareKeys() {
	c.confirmed = c.rows.RowSet()
	for rowid, key := range c.entries() {
		c.indexed = true
		rec, got, err := c.keyOf(rowid)
		switch {
		case rec == nil || err != nil:
		case bytes.Equal(got, key):
			c.confirmed.Add(rec)
		case len(c.named) < maxRemembered:
			c.named[rowid] = string(key)
		}
	}
}

// entries goes through the row ids and keys that the index of keys still holds.
func (c *rowCopier) entries() iter.Seq2[int64, []byte] {
	return func(yield func(int64, []byte) bool) {
		if c.keys == nil {
			return
		}
		for r := range c.keys.Entries() {
			key, err := r.Bytes(0, engine.MaxKey)
			rowid, idErr := r.Int(1)
			if err == nil && idErr == nil && len(key) > 0 && !yield(rowid, key) {
				return
			}
		}
	}
}

// keyOf returns a row, nil if it is not there, and its key.
func (c *rowCopier) keyOf(rowid int64) (rec *rawfile.Record, key []byte, err error) {
	if rec, err = c.rows.Find(rowid); rec != nil && err == nil {
		key, err = rec.Bytes(c.key, engine.MaxKey)
	}
	return rec, key, err
}

// doubts is all that is doubtful about a value that was copied. If the index has no entry left,
// reportTable says so for all keys at once.
func (c *rowCopier) doubts(v *found) error {
	var err error
	switch {
	case !v.unconfirmed:
	case v.other != "":
		err = fmt.Errorf("the index of keys has it under %q", v.other)
	case c.indexed:
		err = errUnconfirmed
	}
	return also(v.doubt, err)
}

// also joins two errors on one line.
func also(a, b error) error {
	if a != nil && b != nil {
		return fmt.Errorf("%w; %w", a, b)
	}
	return errors.Join(a, b)
}

// lostValue is why a value is lost. If its key is not confirmed, it can be another row's.
type lostValue struct {
	err       error
	confirmed bool
}

// loseValue notes that a value cannot be copied.
func (c *rowCopier) loseValue(v *found, err error) {
	c.loseKey(v.Key, lostValue{err, !v.unconfirmed})
}

func (c *rowCopier) loseKey(key string, l lostValue) {
	if old, there := c.lost[key]; there && (old.confirmed || !l.confirmed) {
		return
	}
	if c.lost[key] = l; len(c.lost) > maxRemembered {
		delete(c.lost, key)
		c.lose(engine.Loss{Table: c.name, Key: key, Err: l.err})
	}
}

// loseSecond reports the loss of a row that has another row's key: its own was altered, and is not
// known.
func (c *rowCopier) loseSecond(key string, err error) {
	c.lose(engine.Loss{Table: c.name,
		Err: fmt.Errorf("a second row with the key %q: %w", key, err)})
}

// loseUnnamed reports the loss of a row whose key cannot be read, unless the index will name it.
func (c *rowCopier) loseUnnamed(rowid int64, err error) {
	c.unread = true
	if c.keys == nil || !c.keys.Whole() {
		c.lose(engine.Loss{Table: c.name, Err: fmt.Errorf("row %d: %w", rowid, err)})
	}
}

// has says whether the new vault has a key.
func (c *rowCopier) has(key string) (bool, error) {
	_, err := c.dst.Stat(c.ctx, key)
	if errors.Is(err, engine.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// reportMissing reports the values that are lost: those whose key could be read, those that the
// index names, and, where the index itself is damaged, the rows that nothing names.
func (c *rowCopier) reportMissing() error {
	for rowid, key := range c.entries() {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		rec, got, why := c.keyOf(rowid)
		same := bytes.Equal(got, key)
		if rec != nil && why == nil && same && !c.unread {
			continue // noted when the row was copied
		}
		there, err := c.has(string(key))
		switch {
		case err != nil:
			return err
		case there || why != nil:
		case rec != nil && !same:
			why = rawfile.Damaged("its row has the key %q", got)
		default:
			why = rawfile.Damaged("its row is not there")
		}
		if !there {
			c.loseKey(string(key), lostValue{why, true})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.lost)) {
		if there, err := c.has(key); err != nil {
			return err
		} else if there {
			c.loseSecond(key, c.lost[key].err)
		} else {
			c.lose(engine.Loss{Table: c.name, Key: key, Err: c.lost[key].err})
		}
	}
	if c.keys != nil && c.keys.Whole() {
		return nil
	}
	for _, g := range c.rows.Gaps {
		c.lose(engine.Loss{Table: c.name,
			Err: fmt.Errorf("rows %d to %d: %w", g.First, g.Last, g.Err)})
	}
	return nil
}

// reportTable reports in one line each that nothing is left of the index of keys, and that no value
// of the table has a checksum.
func (c *rowCopier) reportTable() error {
	doubt := func(err error) { c.lose(engine.Loss{Table: c.name, Copied: true, Err: err}) }
	if c.unconfirmed > 0 && !c.indexed {
		doubt(rawfile.Damaged("its index of keys is lost, so that nothing confirms %d of its keys",
			c.unconfirmed))
	}
	if c.unproven > 0 {
		doubt(fmt.Errorf("no value has a checksum, so that nothing proves %d of them", c.unproven))
	}
	return nil
}
