package sqlite_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// Check says of a file that is cut off that it is, even inside a page where SQLite finds nothing
// wrong; and not of one whose end is in the log.
func TestCheckCutOff(t *testing.T) {
	check := func(path string) (problems []string) {
		s := open(t, path, &sqlite.Options{ReadOnly: true})
		defer s.Close()
		if err := s.Check(t.Context(), func(p engine.Problem) { problems = append(problems, p.Err.Error()) }, nil); err != nil {
			t.Fatal(err)
		}
		return problems
	}
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, nil)
	put(t, s, "film", noise(100_000))
	if got := check(path); len(got) > 0 {
		t.Errorf("with a log: %q", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := check(path); len(got) > 0 {
		t.Errorf("whole: %q", got)
	}
	size := must[os.FileInfo](t)(os.Stat(path)).Size()
	if err := os.Truncate(path, size-100); err != nil {
		t.Fatal(err)
	}
	if got := check(path); len(got) == 0 || !strings.Contains(got[0], "the file is cut off") {
		t.Errorf("cut off: %q", got)
	}
}
