package driver

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
)

// BenchmarkInPlace is what a commit of one small row pays for looking whether the database is in
// its place, in pairs of commits.
func BenchmarkInPlace(b *testing.B) {
	path := filepath.Join(b.TempDir(), "v.db")
	c, err := Open(b.Context(), Config{Path: path, Create: true, Watch: true, Place: &walvfs.Place{Names: []string{path}}})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; CREATE TABLE t(id INTEGER PRIMARY KEY, v)`); err != nil {
		b.Fatal(err)
	}
	place := c.place
	var spent [2]time.Duration
	for n := 0; b.Loop(); n++ {
		for k := range 2 {
			i := (n + k) % 2 // each is the first as often
			c.place = []*walvfs.Place{place, nil}[i]
			begun := time.Now()
			if err := c.Begin(true); err != nil {
				b.Fatal(err)
			}
			if err := c.run(`INSERT INTO t(v) VALUES(zeroblob(100))`); err != nil {
				b.Fatal(err)
			}
			if err := c.Commit(); err != nil {
				b.Fatal(err)
			}
			spent[i] += time.Since(begun)
		}
	}
	c.place = place
	b.ReportMetric(float64(spent[0].Nanoseconds())/float64(b.N), "checked-ns")
	b.ReportMetric(float64(spent[1].Nanoseconds())/float64(b.N), "unchecked-ns")
}
