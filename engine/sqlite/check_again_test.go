package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

// A part of the check that runs again because the file changed under it tells what it finds once,
// and one that never ran undisturbed tells nothing.
func TestCheckTellsOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s, err := Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.writer.conn.Exec(`INSERT INTO kvault(key, value) VALUES('text', 'v')`); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, info.Size()-100)
	}
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Open(t.Context(), path, &Options{ReadOnly: true}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for what, check := range map[string]func(*checker, *session) error{"odd keys": (*checker).checkOddKeys, "length": (*checker).checkLength} {
		for disturbed, want := range map[int]int{0: 1, 1: 1, readAttempts: 0} {
			told, runs := 0, 0
			c := &checker{Store: s, ctx: t.Context(), report: func(engine.Problem) { told++ }}
			err := c.part(what, func(ses *session) error {
				if err := check(c, ses); err != nil {
					return err
				}
				if runs++; runs <= disturbed {
					return errAgain
				}
				return nil
			})
			if again := errors.Is(err, errAgain); told != want || again != (want == 0) {
				t.Errorf("%s, disturbed %d times: told %d times, %v; want %d", what, disturbed, told, err, want)
			}
		}
	}
}
