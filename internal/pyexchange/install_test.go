//go:build python

package pyexchange

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/kohakuvault/kvault/internal/pyenv"
)

// versions are those of the package that files are exchanged with, each the last of its way of
// keeping keys, values and columns.
var versions = []*version{
	{name: "0.2.2", sized: true, joined: true, noStreams: true},
	{name: "0.5.0", sized: true},
	{name: "0.6.0"},
	{name: "0.8.6", typed: true},
	{name: "1.1.0", typed: true, blocks: true},
}

// version is what the tests must know of a version of the package.
type version struct {
	name string
	// sized versions make and need a column size in the key-value table.
	sized bool
	// typed versions tell encoded values by a header.
	typed bool
	// joined versions keep elements of differing size back to back, and cannot change them in
	// place. Those with blocks keep columns in tables that are not known here.
	joined, blocks bool
	// noStreams versions fail on their own files when they stream a value in.
	noStreams bool

	once   sync.Once
	python string
	err    error
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if *pyenv.Environments == "" {
		dir, err := os.MkdirTemp("", "pyexchange")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		*pyenv.Environments = dir
	}
	return m.Run()
}

// eachVersion runs a test with each version of the package.
func eachVersion(t *testing.T, test func(t *testing.T, v *version)) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) { test(t, v) })
	}
}

// install makes a virtual environment with the package in it, once for all tests. That it cannot be
// made fails the test: an exchange that does not take place proves nothing.
func (v *version) install(t *testing.T) {
	t.Helper()
	v.once.Do(func() { v.python, v.err = pyenv.Interpreter(*pyenv.Environments, v.name) })
	if v.err != nil {
		t.Fatalf("the package cannot be installed: %v", v.err)
	}
}
