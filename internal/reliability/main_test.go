package reliability

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/kohakuvault/kvault"
	"go.uber.org/goleak"
)

// childEnv, if set, makes the test binary a child process: it names the part to play and holds its
// arguments.
const childEnv = "KVAULT_TEST_CHILD"

// children are the parts. A child works on the vault at path, and what it writes to out its parent
// reads.
var children = map[string]func(ctx context.Context, path string, args []string, out io.Writer) error{
	"hostile": hostileChild,
	"bank":    bankChild,
	"hold":    holdChild,
	"kill":    killChild,
	"size":    sizeChild,
	"upgrade": upgradeChild,
}

func TestMain(m *testing.M) {
	call := os.Getenv(childEnv)
	if call == "" {
		goleak.VerifyTestMain(m)
	}
	part, rest, _ := strings.Cut(call, "\n")
	path, args, _ := strings.Cut(rest, "\n")
	if err := children[part](context.Background(), path, strings.Fields(args), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, part, "child:", err)
		os.Exit(1)
	}
}

// child is a running child process.
type child struct {
	*exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
}

func startChild(t *testing.T, part, path string, args ...any) *child {
	t.Helper()
	return startChildIn(t, nil, part, path, args...)
}

// startChildIn starts a child with attributes of its own.
func startChildIn(t *testing.T, attr *syscall.SysProcAttr, part, path string, args ...any) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{Cmd: exec.CommandContext(t.Context(), exe)}
	c.Env = append(os.Environ(), childEnv+"="+part+"\n"+path+"\n"+fmt.Sprintln(args...))
	c.Stderr, c.SysProcAttr = os.Stderr, attr
	out, outErr := c.StdoutPipe()
	in, inErr := c.StdinPipe()
	if err := errors.Join(outErr, inErr); err != nil {
		t.Fatal(err)
	}
	c.in, c.lines = in, bufio.NewScanner(out)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

func open(t *testing.T, path string, o *kvault.Options) *kvault.Vault {
	t.Helper()
	v, err := kvault.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func shut(t *testing.T, v *kvault.Vault) {
	t.Helper()
	if err := v.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func check(t *testing.T, v *kvault.Vault) {
	t.Helper()
	if _, err := v.Check(t.Context(), nil); err != nil {
		t.Errorf("check: %v", err)
	}
}

// fastDir is a folder in memory where there is one: a disk's syncs would take most of the time of
// tests that make many small vaults.
func fastDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "kvault-test-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
