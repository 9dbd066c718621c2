package driver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// limit lets the process have so many bytes more of a resource, of which it has what /proc says
// under name.
func limit(t *testing.T, resource int, name string, more uint64) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(status), "\n"+name+":")
	var kib uint64
	if _, err := fmt.Sscan(text, &kib); err != nil {
		t.Fatal(err)
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(resource, &old); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(resource, &old); err != nil {
			t.Fatal(err)
		}
	})
	if err := syscall.Setrlimit(resource, &syscall.Rlimit{Cur: kib<<10 + more, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
}

// A connection sets addresses aside when it opens. Where there are none left it is an error, and
// memory that cannot be had later on is another: in the driver both are panics.
func TestNoAddressesLeft(t *testing.T) {
	conf := Config{Path: filepath.Join(t.TempDir(), "v.db"), Create: true, MaxMemory: 1 << 30}
	c, err := Open(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("when it opens", func(t *testing.T) {
		limit(t, syscall.RLIMIT_AS, "VmSize", 900<<20)
		if c, err := Open(t.Context(), conf); KindOf(err) != IO || !errors.Is(err, syscall.ENOMEM) || !strings.Contains(err.Error(), "1024 MiB") {
			t.Errorf("%v, want ENOMEM and how much was asked for", err)
			c.Close()
		}
	})
	t.Run("later on", func(t *testing.T) {
		const data = 2 // RLIMIT_DATA
		limit(t, data, "VmData", 300<<20)
		if err := c.Exec(`SELECT zeroblob(900000000) || 'x'`); KindOf(err) != OutOfMemory || !errors.Is(err, syscall.ENOMEM) {
			t.Errorf("%v, want ENOMEM", err)
		}
	})
	if !c.Broken() {
		t.Error("the connection is not marked as broken")
	}
	if err := c.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	c, err = Open(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Exec(`CREATE TABLE t(x)`); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
