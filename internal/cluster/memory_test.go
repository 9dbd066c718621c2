//go:build ceph

package cluster

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

var largeSize = flag.Int64("large", 256<<20, "the length in bytes of the value that goes through the command in little memory")

// mostMemory is what the command may take, whatever the length of a value: some parts of 8 MiB, as
// much again until they are collected, and the program. It is less than the shortest value here.
const mostMemory = 224 << 20

// TestMemory puts a value of unknown length from a pipe into a bucket by the command, and gets it back
// into another.
func TestMemory(t *testing.T) {
	c := running(t)
	_, url := bucketOf(t, c)
	program := filepath.Join(t.TempDir(), "kvault")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/kohakuvault/kvault/cmd/kvault").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sent, got := sha256.New(), sha256.New()
	source := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{1}), *largeSize), sent)
	in, inTime := peak(t, exec.Command(program, "-f", url, "put", "large", "-"), source, io.Discard)
	out, outTime := peak(t, exec.Command(program, "-f", url, "get", "large"), nil, got)
	if !bytes.Equal(got.Sum(nil), sent.Sum(nil)) {
		t.Errorf("the value that came out is not the one of %d bytes that went in", *largeSize)
	}
	mbs := func(d time.Duration) float64 { return float64(*largeSize) / 1e6 / d.Seconds() }
	t.Logf("streams of %d MiB through the command: put took %d MiB of memory, at %.0f MB/s; get %d MiB, at %.0f MB/s",
		*largeSize>>20, in>>20, mbs(inTime), out>>20, mbs(outTime))
	if in > mostMemory || out > mostMemory {
		t.Errorf("more than %d MiB of memory", mostMemory>>20)
	}
}

// peak runs a command, and returns the most memory in bytes that it had, which is that of this process
// at least, and how long it ran.
func peak(t *testing.T, cmd *exec.Cmd, in io.Reader, out io.Writer) (int64, time.Duration) {
	t.Helper()
	var errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, &errs
	began := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, errs.String())
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok || usage.Maxrss == 0 {
		t.Fatal("the system does not tell how much memory a process took")
	}
	return usage.Maxrss << 10, time.Since(began)
}
