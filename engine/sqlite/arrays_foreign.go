package sqlite

import (
	"context"
	"fmt"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

var _ engine.ForeignArrays = (*tx)(nil)

// ForeignArrays lists the columns of versions 1.x of the Python package.
func (x *tx) ForeignArrays(ctx context.Context) (list []engine.Array, err error) {
	err = x.in(ctx, func(ses *session) error {
		if there, err := ses.foreignThere(); err != nil || !there {
			return err
		}
		return ses.each(`SELECT name, dtype, elem_size, length FROM `+format.BlockArrayTable+` ORDER BY col_id`, func(st *driver.Stmt) {
			list = append(list, engine.Array{Name: st.ColString(0), Type: st.ColString(1), ElemSize: st.ColInt(2), Length: st.ColInt(3)})
		})
	})
	return list, err
}

// foreignThere says whether the file has the tables of 1.x.
func (ses *session) foreignThere() (bool, error) {
	columns, err := columnsOf(ses.c, format.BlockArrayTable)
	return firstMissing(columns, "col_id", "name", "dtype", "elem_size", "length") == "", err
}

// notForeign refuses the name of a column of 1.x.
func (ses *session) notForeign(name string) error {
	if there, err := ses.foreignThere(); err != nil || !there {
		return err
	}
	st, err := ses.c.Prepare(`SELECT (SELECT max(version) FROM ` + format.BlockFormatTable + `) FROM ` + format.BlockArrayTable + ` WHERE name = ?1`)
	if err != nil {
		return err
	}
	defer st.Reset()
	there, err := st.Text(1, name).Step()
	if err != nil || !there {
		return err
	}
	return &engine.LayoutError{
		Name:   name,
		Layout: fmt.Sprintf("versions 1.x of the Python package (tables kvault_col_*, format %d)", st.ColInt(0)),
		Way:    "read it with the package, ColumnVault(path)[name].read(), and append the elements to a column of another name here; or keep columns with its version 0.9, whose keys and values are the same",
	}
}
