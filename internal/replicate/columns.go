package replicate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/engine"
)

// Unfinished is what the names of columns begin with that a copy is still building. Such a column
// gets its name once it is complete. A later Copy goes on with it.
const Unfinished = ".unfinished/"

// copyColumns copies the columns one after another, in the order in which they were made.
//
// All of them are read in one state of the source: the columns of a table
// must be equally long, and elements may move while they are read.
func (c *Copier) copyColumns(ctx context.Context) error {
	return c.src.viewColumns(ctx, func(s source) error { return c.copyColumnsOf(ctx, s) })
}

func (c *Copier) copyColumnsOf(ctx context.Context, s source) error {
	list, err := c.listColumns(ctx, s)
	if err != nil {
		return err
	}
	there, err := c.targetColumns(ctx)
	none := matches(err, kvault.ErrUnsupported)
	if err != nil && !none {
		return err
	}
	wanted := map[string]bool{}
	for _, info := range list {
		name := c.target(info.Name)
		wanted[name], wanted[Unfinished+name] = true, true
		c.seen++
		event := Event{Key: info.Name, Column: true, Size: info.Len}
		if none {
			err := fmt.Errorf("the target cannot keep columns; leave them out: %w",
				kvault.ErrUnsupported)
			if err := c.failed(ctx, event, err); err != nil {
				return err
			}
			continue
		}
		if err := c.reportColumn(ctx, event, func() (int64, error) {
			return c.copyColumn(ctx, s, info, there)
		}); err != nil {
			return err
		}
	}
	for name, info := range there {
		own := strings.HasPrefix(strings.TrimPrefix(name, Unfinished), c.o.ToPrefix)
		if own && !wanted[name] && !info.Foreign {
			c.surplus = append(c.surplus, Surplus{Key: name, Column: true, Size: info.Len})
		}
	}
	return nil
}

// reportColumn runs fn, which returns how many elements it copied, or below 0 if there was nothing
// to do, and reports the column.
func (c *Copier) reportColumn(ctx context.Context, e Event, fn func() (int64, error)) error {
	n, err := fn()
	switch {
	case errors.Is(err, errConflict):
		e.Action, e.Err = Conflict, errConflict
	case err != nil:
		return c.failed(ctx, e, err)
	case n < 0:
		e.Action = Unchanged
	default:
		e.Action, e.Size = Copied, n
	}
	return c.report(e)
}

// listColumns lists the columns to copy.
func (c *Copier) listColumns(ctx context.Context, s source) (list []column.Info, err error) {
	if s.tx != nil {
		list, err = column.List(ctx, s.tx)
	} else {
		list, err = column.List(ctx, s.v)
	}
	if matches(err, kvault.ErrUnsupported) {
		return nil, nil
	}
	var selected []column.Info
	for _, info := range list {
		if strings.HasPrefix(info.Name, c.o.Prefix) && !strings.HasPrefix(info.Name, Unfinished) {
			selected = append(selected, info)
		}
	}
	return selected, err
}

func (c *Copier) targetColumns(ctx context.Context) (map[string]column.Info, error) {
	list, err := column.List(ctx, c.to)
	there := make(map[string]column.Info, len(list))
	for _, info := range list {
		there[info.Name] = info
	}
	return there, err
}

// copyColumn makes the target's column equal to the source's. It appends what is missing at the
// end, or builds the column anew beside the one that is there.
func (c *Copier) copyColumn(
	ctx context.Context, s source, info column.Info, there map[string]column.Info,
) (int64, error) {
	name := c.target(info.Name)
	from, err := openColumn(ctx, s, info.Name)
	if err != nil {
		return 0, err
	}
	if old, exists := there[name]; exists && old.Type == info.Type && old.Len <= info.Len {
		to, err := openColumn(ctx, source{v: c.to}, name)
		if err != nil {
			return 0, err
		}
		begins, err := from.beginsWith(ctx, to, old.Len)
		if err != nil {
			return 0, err
		}
		if begins {
			return c.extend(ctx, from, to, old.Len, info.Len)
		}
	}
	return c.rebuild(ctx, from, info, there)
}

// extend appends to a column what follows its first have elements. It returns how many that were,
// or -1 if none.
func (c *Copier) extend(ctx context.Context, from, to elements, have, want int64) (int64, error) {
	if have == want {
		return -1, nil
	}
	if c.o.DryRun {
		return want - have, nil
	}
	return want - have, from.appendTo(ctx, c, to, have, want)
}

// rebuild copies a whole column under a name for unfinished ones, and then gives it its own.
func (c *Copier) rebuild(
	ctx context.Context, from elements, info column.Info, there map[string]column.Info,
) (int64, error) {
	if c.o.DryRun {
		return info.Len, nil
	}
	name := c.target(info.Name)
	temp := Unfinished + name
	have, err := c.begin(ctx, from, info, there[temp], temp)
	if err != nil {
		return 0, err
	}
	to, err := openColumn(ctx, source{v: c.to}, temp)
	if err != nil {
		return 0, err
	}
	if _, err := c.extend(ctx, from, to, have, info.Len); err != nil {
		return 0, err
	}
	old, exists := there[name]
	return info.Len, column.Update(ctx, c.to, func(tx *kvault.Tx) error {
		return replaceColumn(ctx, tx, name, old.Len, exists)
	})
}

// begin makes the unfinished column, or goes on with one that an interrupted copy has left, if that
// is the beginning of the source's. It returns its length.
func (c *Copier) begin(
	ctx context.Context, from elements, info, left column.Info, temp string,
) (int64, error) {
	if left.Name != "" {
		if left.Type == info.Type && left.Len <= info.Len {
			to, err := openColumn(ctx, source{v: c.to}, temp)
			if err != nil {
				return 0, err
			}
			if begins, err := from.beginsWith(ctx, to, left.Len); begins || err != nil {
				return left.Len, err
			}
		}
		if err := column.Drop(ctx, c.to, temp); err != nil {
			return 0, err
		}
	}
	_, err := column.CreateAny(ctx, c.to, temp, info.Type, nil)
	return 0, err
}

// replaceColumn puts the complete column in its place, if the one there, if any, is as long as it
// was.
func replaceColumn(
	ctx context.Context, tx *kvault.Tx, name string, length int64, exists bool,
) error {
	if exists {
		if err := sameLength(ctx, tx, name, length); err != nil {
			return err
		}
		if err := column.Drop(ctx, tx, name); err != nil {
			return err
		}
	}
	err := column.Rename(ctx, tx, Unfinished+name, name)
	if matches(err, kvault.ErrExists) {
		return errConflict
	}
	return err
}

// sameLength fails with errConflict unless the column has so many elements.
func sameLength(ctx context.Context, tx *kvault.Tx, name string, length int64) error {
	list, err := column.List(ctx, tx)
	if err != nil {
		return err
	}
	for _, info := range list {
		if info.Name == name && info.Len == length {
			return nil
		}
	}
	return errConflict
}

// elements is a column of any type, as the bytes of its elements.
type elements interface {
	// beginsWith reports whether the first n elements are all n of to.
	beginsWith(ctx context.Context, to elements, n int64) (bool, error)
	// appendTo appends the elements from number have to want to a column that has have.
	appendTo(ctx context.Context, c *Copier, to elements, have, want int64) error
}

func openColumn(ctx context.Context, s source, name string) (elements, error) {
	var d column.Dynamic
	var err error
	if s.tx != nil {
		d, err = column.OpenStored(ctx, s.tx, name)
	} else {
		d, err = column.OpenStored(ctx, s.v, name)
	}
	if err != nil {
		return nil, err
	}
	switch col := d.(type) {
	case *column.Column[[]byte]:
		return stored[[]byte]{col, bytes.Equal}, nil
	case *column.Column[column.Null[[]byte]]:
		return stored[column.Null[[]byte]]{col, func(a, b column.Null[[]byte]) bool {
			return a.Valid == b.Valid && bytes.Equal(a.V, b.V)
		}}, nil
	}
	return nil, fmt.Errorf("column %q of type %s: %w", name, d.Type(), kvault.ErrUnsupported)
}

// stored are elements that are, or are not, nullable.
type stored[E any] struct {
	*column.Column[E]
	equal func(a, b E) bool
}

func (s stored[E]) beginsWith(ctx context.Context, to elements, n int64) (bool, error) {
	other, ok := to.(stored[E])
	length, err := s.Len(ctx)
	if err != nil || !ok || n > length {
		return false, err
	}
	next, stop := iter.Pull2(other.BlocksOf(ctx, 0, n))
	defer stop()
	var theirs []E
	for ours, err := range s.BlocksOf(ctx, 0, n) {
		if err != nil {
			return false, err
		}
		for len(ours) > 0 {
			if len(theirs) == 0 {
				var more bool
				if theirs, err, more = next(); err != nil || !more {
					return false, err
				}
				continue
			}
			for k := min(len(ours), len(theirs)); k > 0; k-- {
				if !s.equal(ours[0], theirs[0]) {
					return false, nil
				}
				ours, theirs = ours[1:], theirs[1:]
			}
		}
	}
	return true, nil
}

func (s stored[E]) appendTo(ctx context.Context, c *Copier, to elements, have, want int64) error {
	target, ok := to.(stored[E])
	if !ok {
		return errConflict
	}
	for block, err := range s.BlocksOf(ctx, have, want) {
		if err != nil {
			return err
		}
		if err := appendAt(ctx, c.to, target.Column, have, block); err != nil {
			return err
		}
		have += int64(len(block))
	}
	if have != want {
		return errChanged // a source without transactions
	}
	return nil
}

// appendAt appends a block to a column that has so many elements. If the reply to that is lost, the
// length of the column tells what has become of it.
func appendAt[E any](
	ctx context.Context, v *kvault.Vault, to *column.Column[E], have int64, block []E,
) error {
	err := column.Update(ctx, v, func(tx *kvault.Tx) error {
		in := to.In(tx)
		n, err := in.Len(ctx)
		if err == nil && n != have {
			err = errConflict
		}
		if err != nil {
			return err
		}
		return in.Extend(ctx, block)
	})
	if !matches(err, engine.ErrUnknown) {
		return err
	}
	n, failed := to.Len(ctx)
	switch {
	case failed != nil:
		return errors.Join(err, failed)
	case n == have+int64(len(block)):
		return nil
	case n != have:
		return errConflict
	}
	return err
}
