package sqlite

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// plannedItems is for how many items of a page memory is made at once.
const plannedItems = 1000

// List returns one page of a query. It is one statement, so one snapshot.
func (s *Store) List(ctx context.Context, q engine.Query) (page engine.Page, err error) {
	err = s.read(ctx, s.reads, q.Values, func(ses *session) error {
		page, err = ses.list(q)
		return err
	})
	return page, err
}

func (ses *session) list(q engine.Query) (page engine.Page, err error) {
	if q.Limit < 1 {
		return page, fmt.Errorf("limit %d: want at least 1: %w", q.Limit, engine.ErrInvalid)
	}
	if q.Range.Empty() {
		return page, nil
	}
	st, err := ses.c.Prepare(ses.t.list(q))
	if err != nil {
		return page, err
	}
	defer st.Reset()
	budget := q.MaxBytes
	if budget <= 0 {
		budget = math.MaxInt64
	}
	bindQuery(st, q, min(budget, smallBytes))
	if !q.Values {
		page.Items = make([]engine.Item, 0, min(q.Limit, plannedItems))
	}
	for {
		there, err := st.Step()
		if err != nil || !there {
			return page, err
		}
		if len(page.Items) == q.Limit {
			page.More = true
			return page, nil
		}
		r, err := scanRow(st)
		if err != nil {
			return page, err
		}
		item := engine.Item{Entry: r.entry}
		if q.Values {
			if budget -= r.entry.Size; budget < 0 && len(page.Items) > 0 {
				page.More = true
				return page, nil
			}
			if item.Value, err = ses.listed(st, r); err != nil {
				return page, fmt.Errorf("value of %q: %w", r.entry.Key, err)
			}
		}
		page.Items = append(page.Items, item)
	}
}

// AppendKeys lists keys, from their index alone.
func (s *Store) AppendKeys(ctx context.Context, dst []string, q engine.Query) (keys []string, more bool, err error) {
	err = s.read(ctx, s.reads, false, func(ses *session) error {
		keys, more, err = ses.appendKeys(dst, q)
		return err
	})
	return keys, more, err
}

func (ses *session) appendKeys(dst []string, q engine.Query) (keys []string, more bool, err error) {
	if q.Limit < 1 {
		return nil, false, fmt.Errorf("limit %d: want at least 1: %w", q.Limit, engine.ErrInvalid)
	}
	if q.Range.Empty() {
		return dst, false, nil
	}
	dst = slices.Grow(dst, min(q.Limit, plannedItems))
	if keys, more, err = ses.fastKeys(dst, q); err == nil {
		return keys, more, nil
	}
	return ses.keysThrough(dst, q)
}

// keysThrough is appendKeys through SQLite.
func (ses *session) keysThrough(dst []string, q engine.Query) (keys []string, more bool, err error) {
	q.Values = false
	st, err := ses.c.Prepare(ses.t.listKeys(q))
	if err != nil {
		return nil, false, err
	}
	defer st.Reset()
	bindQuery(st, q, 0)
	keys = dst
	for {
		there, err := st.Step()
		switch {
		case len(keys)-len(dst) == q.Limit: // a damaged page behind the last key that is wanted is for the next call to tell
			return keys, there || err != nil, nil
		case err != nil:
			return nil, false, err
		case !there:
			return keys, false, nil
		}
		keys = append(keys, st.ColString(0))
	}
}

func bindQuery(st *driver.Stmt, q engine.Query, small int64) {
	st.Key(1, q.Start)
	if q.End != "" {
		st.Key(2, q.End)
	}
	st.Int(3, int64(min(q.Limit, math.MaxInt-1))+1)
	if q.Values {
		st.Int(4, small)
	}
}

// listed is the value of the row that st stands on: from the statement if it is small, else in parts.
func (ses *session) listed(st *driver.Stmt, r *row) ([]byte, error) {
	const valueColumn = 9
	if r.chunked || st.IsNull(valueColumn) {
		return ses.readAll(r)
	}
	return st.ColBytes(valueColumn)
}
