package sqlite_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

// The error of a batch says which op failed, whatever the cause.
func TestErrorsNameTheOp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	foreign(t, path, `CREATE TABLE kvault(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL CHECK(length(value) < 100))`)
	s := open(t, path, nil)
	ops := []engine.Op{{Kind: engine.Put, Key: "a"}, {Kind: engine.Put, Key: "b", Value: noise(100)}, {Kind: engine.Put, Key: "c"}}
	_, err := s.Apply(t.Context(), ops)
	wantOp(t, err)
	tx := must[engine.Tx](t)(s.Begin(t.Context(), true))
	defer tx.Rollback()
	_, err = tx.Apply(t.Context(), ops)
	wantOp(t, err)
}

func wantOp(t *testing.T, err error) {
	t.Helper()
	oe, ok := err.(*engine.OpError)
	if !ok || oe.Index != 1 || oe.Key != "b" || !errors.Is(err, engine.ErrInvalid) {
		t.Errorf("%T: %v", err, err)
	}
}
