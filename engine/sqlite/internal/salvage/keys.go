package salvage

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/salvage/rawfile"
)

// The checksum of a value does not cover its key. What proves a key is that the file has it twice:
// in the row, and in the index of keys, in the record of a large value or with the metadata of a
// table without ids.

// maxContradiction bounds how many keys of each kind are remembered: those that the index
// contradicts, those that were told lost, and those of lost values that nothing confirmed.
const maxContradiction = 1 << 16

var errUnconfirmed = fmt.Errorf("%w: no entry of the index of keys confirms its key", rawfile.ErrDamaged)

// compareKeys finds the rows whose key the index confirms, and those that it has under another one:
// either was altered then.
func (c *rowCopier) compareKeys() {
	c.confirmed = c.rows.Marks()
	for rowid, key := range c.entries() {
		c.indexed = true
		rec, err := c.rows.Find(rowid)
		if err != nil || rec == nil {
			continue
		}
		switch got, err := rec.Bytes(c.key, engine.MaxKey); {
		case err != nil:
		case bytes.Equal(got, key):
			c.confirmed.Add(rec)
		case len(c.named) < maxContradiction:
			c.named[rowid] = string(key)
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
			key, err := r.Bytes(0, engine.MaxKey)
			rowid, idErr := r.Int(1)
			if err == nil && idErr == nil && len(key) > 0 && !yield(rowid, key) {
				return
			}
		}
	}
}

// doubts is all that is doubtful about a value that was copied. If the index has no entry left,
// tellUnconfirmed says so for all keys at once.
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

// loseValue tells that a value cannot be brought over. If nothing confirms its key, that waits
// until all rows are copied: it can be another row's.
func (c *rowCopier) loseValue(v *found, err error) {
	if _, there := c.unsure[v.Key]; v.unconfirmed && !there && len(c.unsure) < maxContradiction {
		c.unsure[v.Key] = err
		return
	}
	c.loseKey(v.Key, err)
}

func (c *rowCopier) loseKey(key string, err error) {
	if c.told[key] {
		return
	}
	if len(c.told) < maxContradiction {
		c.told[key] = true
	}
	c.lose(engine.Loss{Table: c.name, Key: key, Err: err})
}

// loseSecond tells the loss of a row that has another row's key: its own was altered, and is not known.
func (c *rowCopier) loseSecond(key string, err error) {
	c.lose(engine.Loss{Table: c.name, Err: fmt.Errorf("a second row with the key %q: %w", key, err)})
}

// tellUnsure tells the losses that were put off.
func (c *rowCopier) tellUnsure() error {
	for _, key := range slices.Sorted(maps.Keys(c.broken)) {
		c.loseKey(key, c.broken[key])
	}
	for _, key := range slices.Sorted(maps.Keys(c.unsure)) {
		_, err := c.dst.Stat(c.ctx, key)
		switch {
		case errors.Is(err, engine.ErrNotFound):
			c.loseKey(key, c.unsure[key])
		case err != nil:
			return err
		default:
			c.loseSecond(key, c.unsure[key])
		}
	}
	return nil
}

// tellMissing tells the keys that the index names and the new vault does not hold, and, where the
// index itself is damaged, the rows that nothing names.
func (c *rowCopier) tellMissing() error {
	for rowid, key := range c.entries() {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		rec, why := c.rows.Find(rowid)
		if rec != nil {
			got, err := rec.Bytes(c.key, engine.MaxKey)
			if err == nil && bytes.Equal(got, key) && !c.unread {
				continue // told when the row was copied
			}
			if why = err; err == nil && !bytes.Equal(got, key) {
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
		c.loseKey(string(key), why)
	}
	if c.keys != nil && c.keys.Whole() {
		return nil
	}
	for _, g := range c.rows.Gaps {
		c.lose(engine.Loss{Table: c.name, Err: fmt.Errorf("rows %d to %d: %w", g.First, g.Last, g.Err)})
	}
	return nil
}

// tellUnconfirmed tells in one line that nothing is left of the index of keys.
func (c *rowCopier) tellUnconfirmed() {
	if c.unconfirmed > 0 && !c.indexed {
		c.lose(engine.Loss{Table: c.name, Copied: true,
			Err: fmt.Errorf("%w: its index of keys is lost, so that nothing confirms %d of its keys", rawfile.ErrDamaged, c.unconfirmed)})
	}
}

// doubtValue makes it doubtful that a value has no checksum, as one of another program has none.
// Where no value of the table can have one, one line says so for all.
func (c *rowCopier) doubtValue(v *found) {
	switch {
	case c.meta == nil && c.metaByKey == nil:
		c.unproven++
	case v.doubt == nil:
		v.doubt = errors.New("it has no checksum, so that nothing proves the value")
	}
}

func (c *rowCopier) tellUnproven() {
	if c.unproven > 0 {
		c.lose(engine.Loss{Table: c.name, Copied: true, Err: fmt.Errorf("no value has a checksum, so that nothing proves %d of them", c.unproven)})
	}
}
