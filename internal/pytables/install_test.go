//go:build python

package pytables

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var (
	environment = flag.String("environment", "", "folder in which the Python environment is made and kept; a temporary one if empty")
	python      = flag.String("python", "python3", "the Python that makes the environment")
	all         = flag.Bool("all", false, "compare all files that the packages ship, not only a sample")
	only        = flag.String("only", "", "compare only files whose name contains this")
)

// scratch is where the command and, without a flag, the environment are made.
var scratch string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "pytables")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	scratch = dir
	if *environment == "" {
		*environment = filepath.Join(dir, "python")
	}
	return m.Run()
}

// kvault builds the command, once for all tests.
var kvault = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "kvault")
	out, err := exec.Command("go", "build", "-o", path, "github.com/kohakuvault/kvault/cmd/kvault").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, err
})

// interpreter makes the environment, once for all tests. That it cannot be made fails the tests: a
// comparison that does not take place proves nothing.
var interpreter = sync.OnceValues(func() (string, error) {
	exe := filepath.Join(*environment, "bin", "python3")
	ready := filepath.Join(*environment, "ready")
	var wanted []byte
	installs := [][]string{{"-m", "venv", "--clear", "--without-pip", *environment}}
	for _, list := range []struct {
		file string
		more []string
	}{{"requirements.txt", nil}, {"datasets.txt", []string{"--no-deps"}}} {
		path := filepath.Join("testdata", list.file)
		names, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		wanted = append(wanted, names...)
		install := []string{"-m", "pip", "--python", exe, "install", "--quiet", "--disable-pip-version-check", "--no-compile", "-r", path}
		installs = append(installs, append(install, list.more...))
	}
	if made, err := os.ReadFile(ready); err == nil && string(made) == string(wanted) {
		return exe, nil
	}
	for _, args := range installs {
		if out, err := exec.Command(*python, args...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s %s: %w\n%s", *python, strings.Join(args, " "), err, out)
		}
	}
	return exe, os.WriteFile(ready, wanted, 0o600)
})

// programs are the command and the Python that has the packages.
func programs(t *testing.T) (command, interp string) {
	t.Helper()
	command, err := kvault()
	if err != nil {
		t.Fatal(err)
	}
	if interp, err = interpreter(); err != nil {
		t.Fatalf("the packages cannot be installed: %v", err)
	}
	return command, interp
}
