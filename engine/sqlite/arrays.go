package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

var _ engine.Arrays = (*tx)(nil)

// reading runs fn if the file has the tables of arrays, and returns engine.ErrNotFound if not.
func (x *tx) reading(ctx context.Context, fn func(*session) error) error {
	return x.in(ctx, func(ses *session) error {
		there, err := ses.findArrays()
		if err == nil && !there {
			err = engine.ErrNotFound
		}
		if err != nil {
			return err
		}
		return fn(ses)
	})
}

// changing is reading, in a transaction that may write.
func (x *tx) changing(ctx context.Context, fn func(*session) error) error {
	if !x.writable {
		return x.in(ctx, func(*session) error { return engine.ErrReadOnly })
	}
	return x.reading(ctx, fn)
}

// Arrays lists the arrays in the order they were made.
func (x *tx) Arrays(ctx context.Context) (list []engine.Array, err error) {
	err = x.in(ctx, func(ses *session) error {
		there, err := ses.findArrays()
		if err != nil || !there {
			return err
		}
		return ses.each(ses.arrays.selectArray()+` ORDER BY col_id`, func(st *driver.Stmt) { list = append(list, ses.arrays.scan(st)) })
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// Array returns the array of that name.
func (x *tx) Array(ctx context.Context, name string) (a engine.Array, err error) {
	err = x.reading(ctx, func(ses *session) error { a, err = ses.array(name); return err })
	if errors.Is(err, engine.ErrNotFound) {
		err = cmp.Or(x.in(ctx, func(ses *session) error { return ses.notForeign(name) }), err)
	}
	return a, err
}

// ArraysNamed returns the arrays of some names.
func (x *tx) ArraysNamed(ctx context.Context, names ...string) (list []engine.Array, err error) {
	err = x.in(ctx, func(ses *session) error {
		there, err := ses.findArrays()
		if err != nil || !there {
			return err
		}
		// One statement for all of the names would make a table of them each time.
		for _, name := range names {
			switch arr, err := ses.array(name); {
			case err == nil:
				list = append(list, arr)
			case !errors.Is(err, engine.ErrNotFound):
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (ses *session) array(name string) (engine.Array, error) {
	st, err := ses.c.Prepare(ses.arrays.selectArray() + ` WHERE name = ?1`)
	if err != nil {
		return engine.Array{}, err
	}
	defer st.Reset()
	there, err := st.Text(1, name).Step()
	if err == nil && !there {
		err = engine.ErrNotFound
	}
	if err != nil {
		return engine.Array{}, err
	}
	return ses.arrays.scan(st), nil
}

// CreateArray makes an empty array, and the tables of arrays if the file has none yet.
func (x *tx) CreateArray(ctx context.Context, a engine.Array) (made engine.Array, err error) {
	err = x.in(ctx, func(ses *session) error {
		if !x.writable {
			return engine.ErrReadOnly
		}
		if a.Name == "" || a.ElemSize < 1 || a.Length != 0 || a.MinChunk < 1 || a.MaxChunk < a.MinChunk {
			return fmt.Errorf("array %+v: want a name, and sizes above 0: %w", a, engine.ErrInvalid)
		}
		if err := ses.notForeign(a.Name); err != nil {
			return err
		}
		return ses.savepoint(func() error {
			if err := ses.makeArrays(); err != nil {
				return err
			}
			made, err = ses.createArray(a)
			return err
		})
	})
	return made, err
}

func (ses *session) createArray(a engine.Array) (engine.Array, error) {
	sql := `INSERT INTO col_meta(name, dtype, elem_size, length, chunk_bytes, min_chunk_bytes, max_chunk_bytes)
		VALUES(?1, ?2, ?3, 0, ?4, ?4, ?5)`
	chunkBytes := a.MinChunk
	if !ses.arrays.bounded {
		sql, chunkBytes = `INSERT INTO col_meta(name, dtype, elem_size, length, chunk_bytes) VALUES(?1, ?2, ?3, 0, ?4)`, a.MaxChunk
	}
	st, err := ses.c.Prepare(sql)
	if err != nil {
		return engine.Array{}, err
	}
	st.Text(1, a.Name).Text(2, a.Type).Int(3, a.ElemSize).Int(4, chunkBytes)
	if ses.arrays.bounded {
		st.Int(5, a.MaxChunk)
	}
	if err := st.Exec(); err != nil {
		if driver.KindOf(err) == driver.Constraint {
			err = engine.ErrExists
		}
		return engine.Array{}, err
	}
	return ses.array(a.Name)
}

// DropArray removes an array with its chunks.
func (x *tx) DropArray(ctx context.Context, id int64) error {
	return x.changing(ctx, func(ses *session) error {
		return ses.savepoint(func() error {
			if _, err := ses.update(`DELETE FROM col_chunks WHERE col_id = ?1`, id); err != nil {
				return err
			}
			return ses.updateOne(`DELETE FROM col_meta WHERE col_id = ?1`, id)
		})
	})
}

// RenameArray gives an array another name.
func (x *tx) RenameArray(ctx context.Context, id int64, name string) error {
	return x.changing(ctx, func(ses *session) error {
		if name == "" {
			return fmt.Errorf("array without a name: %w", engine.ErrInvalid)
		}
		if err := ses.notForeign(name); err != nil {
			return err
		}
		st, err := ses.c.Prepare(`UPDATE col_meta SET name = ?2 WHERE col_id = ?1`)
		if err != nil {
			return err
		}
		err = st.Int(1, id).Text(2, name).Exec()
		if driver.KindOf(err) == driver.Constraint {
			return engine.ErrExists
		}
		if err == nil && ses.c.Changes() == 0 {
			return engine.ErrNotFound
		}
		return err
	})
}

// SetArrayLength stores the number of elements.
func (x *tx) SetArrayLength(ctx context.Context, id, length int64) error {
	return x.changing(ctx, func(ses *session) error {
		if length < 0 {
			return fmt.Errorf("length %d: %w", length, engine.ErrInvalid)
		}
		return ses.updateOne(`UPDATE col_meta SET length = ?2 WHERE col_id = ?1`, id, length)
	})
}

// each runs a query and scan on each of its rows.
func (ses *session) each(sql string, scan func(*driver.Stmt)) error {
	st, err := ses.c.Prepare(sql)
	if err != nil {
		return err
	}
	return st.Each(func() error { scan(st); return nil })
}

// one runs a query and scan on its row, which must be there.
func (ses *session) one(sql string, scan func(*driver.Stmt), args ...int64) error {
	st, err := ses.c.Prepare(sql)
	if err != nil {
		return err
	}
	defer st.Reset()
	for i, arg := range args {
		st.Int(i+1, arg)
	}
	there, err := st.Step()
	if err == nil && !there {
		err = engine.ErrNotFound
	}
	if err == nil {
		scan(st)
	}
	return err
}

// update runs a statement that changes rows, and returns how many.
func (ses *session) update(sql string, args ...int64) (int64, error) {
	st, err := ses.c.Prepare(sql)
	if err != nil {
		return 0, err
	}
	for i, arg := range args {
		st.Int(i+1, arg)
	}
	err = st.Exec()
	return ses.c.Changes(), err
}

// updateOne is update of a row that must be there.
func (ses *session) updateOne(sql string, args ...int64) error {
	n, err := ses.update(sql, args...)
	if err == nil && n == 0 {
		err = engine.ErrNotFound
	}
	return err
}
