package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// BenchmarkForeignCheckpoint shows how long another program waits that puts a row and empties the
// log, while two goroutines read small values: through the vault, which keeps snapshots, and with
// SQLite's own statements. It reports the medians, in milliseconds.
//
//	go test ./engine/sqlite -run '^$' -bench ForeignCheckpoint -benchtime 200x
func BenchmarkForeignCheckpoint(b *testing.B) {
	s := openBench(b, Options{})
	const n = 1000
	for i := range n {
		if _, err := s.Apply(context.Background(), []engine.Op{{Kind: engine.Put, Key: fmt.Sprint(i), Value: make([]byte, 1<<10)}}); err != nil {
			b.Fatal(err)
		}
	}
	conf := s.conf
	conf.BusyTimeout = time.Minute
	other, err := driver.Open(context.Background(), conf)
	if err != nil {
		b.Fatal(err)
	}
	defer other.Close()
	if err := other.Exec(`CREATE TABLE other(x)`); err != nil {
		b.Fatal(err)
	}
	var none, kept, plain clock
	for b.Loop() {
		for c, read := range map[*clock]func(i int) func() error{
			&none: nil,
			&kept: func(int) func() error {
				return func() error {
					_, err := s.Get(context.Background(), fmt.Sprint(rand.IntN(n)))
					return err
				}
			},
			&plain: func(int) func() error { return plainReader(b, conf, n) },
		} {
			stop := readOn(read)
			time.Sleep(10 * time.Millisecond)
			if err := other.Exec(`INSERT INTO other VALUES(randomblob(2000))`); err != nil {
				b.Fatal(err)
			}
			time.Sleep(time.Duration(rand.IntN(5000)) * time.Microsecond)
			c.time(func() error { _, _, err := other.Checkpoint(true); return err })
			if err := stop(); err != nil {
				b.Fatal(err)
			}
		}
	}
	for name, c := range map[string]*clock{"without": &none, "vault": &kept, "plain": &plain} {
		if c.err != nil {
			b.Fatal(name, c.err)
		}
		b.ReportMetric(c.median()/1e6, name+"-ms")
	}
}

// readOn calls what two calls of reader return again and again, each on a goroutine of its own,
// until stop is called.
func readOn(reader func(i int) func() error) (stop func() error) {
	if reader == nil {
		return func() error { return nil }
	}
	var group sync.WaitGroup
	var ended atomic.Bool
	errs := make([]error, 2)
	for i := range errs {
		read := reader(i)
		group.Go(func() {
			for !ended.Load() && errs[i] == nil {
				errs[i] = read()
			}
		})
	}
	return func() error {
		ended.Store(true)
		group.Wait()
		if errs[0] != nil {
			return errs[0]
		}
		return errs[1]
	}
}

// plainReader reads values by a statement on a connection of its own.
func plainReader(b *testing.B, conf driver.Config, n int) func() error {
	c, err := driver.Open(context.Background(), conf)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return func() error {
		st, err := c.Prepare(`SELECT value FROM kvault WHERE key = CAST(? AS BLOB)`)
		if err != nil {
			return err
		}
		defer st.Reset()
		_, err = st.Text(1, fmt.Sprint(rand.IntN(n))).Step()
		return err
	}
}
