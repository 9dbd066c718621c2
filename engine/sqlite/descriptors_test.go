//go:build linux

package sqlite

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

// Idle connections give their descriptors to those that are needed, of other vaults too. With no
// descriptor left the error says so, and names the file.
func TestOutOfDescriptors(t *testing.T) {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
			t.Error(err)
		}
	}()
	idle := openHeld(t, filepath.Join(t.TempDir(), "idle.kv"), Options{})
	path := filepath.Join(t.TempDir(), "v.kv")
	s := openHeld(t, path, Options{})
	apply(t, s, engine.Op{Kind: engine.Put, Key: "k", Value: []byte("v")})
	keepIdle(t, idle, 4)
	limit := old
	limit.Cur = uint64(nextDescriptor(t)) // no further file
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	first, err := s.Begin(t.Context(), false)
	if err != nil {
		t.Fatalf("with idle connections to be given up: %v", err)
	}
	defer first.Rollback()
	for range 100 {
		tx, err := s.Begin(t.Context(), false)
		if err == nil {
			defer tx.Rollback()
			continue
		}
		if !errors.Is(err, syscall.EMFILE) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "too many open files") {
			t.Errorf("%v", err)
		}
		return
	}
	t.Error("descriptors without end")
}

// keepIdle leaves n connections in the pool for reading.
func keepIdle(t *testing.T, s *Store, n int) {
	t.Helper()
	var txs []engine.Tx
	for range n {
		tx, err := s.Begin(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		txs = append(txs, tx)
	}
	for _, tx := range txs {
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

// nextDescriptor is the lowest that is free, once one was taken until the test ends.
func nextDescriptor(t *testing.T) int {
	t.Helper()
	fd, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	return fd + 1
}

// Every connection that a vault opens takes the descriptors of idle ones: that which writes, that
// which copies the log, and what looks at the marks of commits.
func TestAllOpensSpareDescriptors(t *testing.T) {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	setLimit := func(limit syscall.Rlimit) {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
	}
	defer setLimit(old)
	idle := openHeld(t, filepath.Join(t.TempDir(), "idle.kv"), Options{})
	vault := openHeld(t, filepath.Join(t.TempDir(), "v.kv"), Options{})
	for free := range 8 {
		for name, open := range map[string]func() (closes func() error, err error){
			"vault": func() (func() error, error) {
				s, err := Open(t.Context(), filepath.Join(t.TempDir(), "new.kv"), nil)
				if err != nil {
					return nil, err
				}
				return s.Close, nil
			},
			"copier": func() (func() error, error) {
				c, err := vault.connectCopier(t.Context())
				if err != nil {
					return nil, err
				}
				return c.Close, nil
			},
		} {
			keepIdle(t, idle, 4)
			limit := old
			limit.Cur = uint64(nextDescriptor(t) + free)
			setLimit(limit)
			closes, err := open()
			setLimit(old)
			if err != nil {
				t.Errorf("%s, with %d descriptors free and idle connections to be given up: %v", name, free, err)
			} else if err := closes(); err != nil {
				t.Error(err)
			}
		}
	}
}
