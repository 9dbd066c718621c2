package driver

import (
	"github.com/ncruces/go-sqlite3"
)

// Stmt is a prepared statement. Bind its parameters, counted from 1, then Exec or Step; the first
// error of a bind comes out there.
type Stmt struct {
	s   *sqlite3.Stmt
	c   *Conn
	err error
	// Parameters stay bound after a statement ran. repeated holds the text of those that Repeated
	// has bound.
	repeated map[int]string
}

// Int binds an integer.
func (s *Stmt) Int(i int, v int64) *Stmt { return s.bound(s.s.BindInt64(i, v)) }

// Text binds a text, or NULL if it is empty.
func (s *Stmt) Text(i int, v string) *Stmt {
	if v == "" {
		return s.Null(i)
	}
	return s.guarded(func() error { return s.s.BindText(i, v) })
}

// Repeated is Text for a parameter that nothing else binds and that is often the same again:
// binding it once is enough.
func (s *Stmt) Repeated(i int, v string) *Stmt {
	if old, ok := s.repeated[i]; ok && old == v {
		return s
	}
	if s.repeated == nil {
		s.repeated = make(map[int]string)
	}
	delete(s.repeated, i)
	if s.Text(i, v); s.err == nil {
		s.repeated[i] = v
	}
	return s
}

// Blob binds bytes; nil is the empty blob, never NULL.
func (s *Stmt) Blob(i int, v []byte) *Stmt {
	if len(v) == 0 {
		return s.Zero(i, 0)
	}
	return s.guarded(func() error { return s.s.BindBlob(i, v) })
}

// Key binds a key as a blob.
func (s *Stmt) Key(i int, key string) *Stmt { return s.Blob(i, []byte(key)) }

// Zero binds a blob of n zero bytes that takes no memory.
func (s *Stmt) Zero(i int, n int64) *Stmt { return s.bound(s.s.BindZeroBlob(i, n)) }

// Null binds NULL.
func (s *Stmt) Null(i int) *Stmt { return s.bound(s.s.BindNull(i)) }

func (s *Stmt) bound(err error) *Stmt {
	if err != nil && s.err == nil {
		s.err = wrap(err)
	}
	return s
}

func (s *Stmt) guarded(bind func() error) *Stmt {
	err := func() (err error) {
		defer guard(s.c, &err)
		return bind()
	}()
	return s.bound(err)
}

// Exec runs the statement to its end.
func (s *Stmt) Exec() (err error) {
	if err := s.bindErr(); err != nil {
		return err
	}
	defer guard(s.c, &err)
	return wrap(s.s.Exec())
}

// Step moves to the next row and says whether there is one. After the last row, and after an error,
// the statement is reset.
func (s *Stmt) Step() (row bool, err error) {
	if err := s.bindErr(); err != nil {
		return false, err
	}
	defer guard(s.c, &err)
	if s.s.Step() {
		return true, nil
	}
	err = wrap(s.s.Err())
	s.s.Reset()
	return false, err
}

// Each calls fn on each row, as long as that fails with none, and resets the statement.
func (s *Stmt) Each(fn func() error) error {
	defer s.Reset()
	for {
		there, err := s.Step()
		if err == nil && there {
			err = fn()
		}
		if err != nil || !there {
			return err
		}
	}
}

// Reset ends the statement before its last row.
func (s *Stmt) Reset() {
	s.err = nil
	var repeated error // that of the last step, out of memory too
	defer guard(s.c, &repeated)
	_ = s.s.Reset()
}

// close releases the statement. It repeats the error of the last step, out of memory too, which
// must not keep the connection from being closed.
func (s *Stmt) close() {
	var repeated error
	defer guard(s.c, &repeated)
	_ = s.s.Close()
}

func (s *Stmt) bindErr() error {
	err := s.err
	s.err = nil
	return err
}

// ColInt returns an integer column, counted from 0; NULL is 0.
func (s *Stmt) ColInt(i int) int64 { return s.s.ColumnInt64(i) }

// ColBytes returns a copy of a blob or text column, never nil.
func (s *Stmt) ColBytes(i int) ([]byte, error) {
	b, err := s.AppendCol(nil, i)
	if b == nil && err == nil {
		b = []byte{}
	}
	return b, err
}

// AppendCol appends a blob or text column to dst.
func (s *Stmt) AppendCol(dst []byte, i int) (_ []byte, err error) {
	defer guard(s.c, &err)
	raw := s.s.ColumnRawBlob(i)
	if err := s.s.Err(); err != nil {
		return nil, wrap(err)
	}
	return append(dst, raw...), nil
}

// ColString returns a blob or text column as a string. If there is no memory for it, the next Step
// says so.
func (s *Stmt) ColString(i int) string {
	var text string
	err := func() (err error) {
		defer guard(s.c, &err)
		text = string(s.s.ColumnRawBlob(i))
		return nil
	}()
	if err != nil {
		s.err = err
	}
	return text
}

// IsNull says whether a column is NULL.
func (s *Stmt) IsNull(i int) bool { return s.s.ColumnType(i) == sqlite3.NULL }
