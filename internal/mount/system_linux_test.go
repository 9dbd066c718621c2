//go:build fuse

package mount

import (
	"strings"
	"testing"
)

// A system without FUSE is told what to install.
func TestMissingSystem(t *testing.T) {
	for _, c := range []struct {
		needs *[]string
		text  string
	}{{&devices, "modprobe fuse"}, {&programs, "install"}} {
		kept := *c.needs
		*c.needs = []string{"/none"}
		err := Serve(t.Context(), nil, t.TempDir(), Options{})
		if *c.needs = kept; err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%v", err)
		}
	}
}
