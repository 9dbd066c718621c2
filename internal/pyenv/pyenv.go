// Package pyenv makes virtual environments with the Python package KohakuVault, for tests of what
// is shared with it. Importing it defines the flags -environments and -python.
package pyenv

import (
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

var (
	// Environments is the folder in which environments are made and kept, or empty: then the test
	// chooses one that it removes. Tests that run at once must not make the same environment in it.
	Environments = flag.String("environments", "",
		"folder in which the Python environments are made and kept; a temporary one if empty")
	python = flag.String("python", "python3", "the Python that makes the environments")
)

// Interpreter returns the Python of an environment in dir that has a version of the package, and
// more packages. It makes the environment with pip unless it is there. pip compiles nothing,
// because the tests import little of what it installs.
func Interpreter(dir, version string, more ...string) (string, error) {
	dir = filepath.Join(dir, version)
	exe := filepath.Join(dir, "bin", "python3")
	want := "kohakuvault " + version
	if installed(exe) == want {
		return exe, nil
	}
	venv := []string{"-m", "venv", "--clear", "--without-pip", dir}
	install := []string{"-m", "pip", "--python", exe, "install", "--quiet",
		"--disable-pip-version-check", "--no-compile", "kohakuvault==" + version}
	for _, args := range [][]string{venv, append(install, more...)} {
		if out, err := exec.Command(*python, args...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s %s: %w\n%s", *python, strings.Join(args, " "), err, out)
		}
	}
	if got := installed(exe); got != want {
		return "", fmt.Errorf("installed %q, want %q", got, want)
	}
	return exe, nil
}

const askVersion = `import kohakuvault
from importlib.metadata import version
print('kohakuvault', version('kohakuvault'))`

// installed is the package and its version, or empty if it cannot be imported.
func installed(python string) string {
	out, err := exec.Command(python, "-c", askVersion).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
