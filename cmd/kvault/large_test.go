//go:build large && unix

package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
)

const (
	largeSize   = 3 << 30
	memoryLimit = 300 << 20
)

// pattern is largeSize bytes that no two blocks have alike, without a known length: it is no file
// and has no Size.
type pattern struct {
	block [1 << 20]byte
	off   int64
	sum   hash.Hash
}

func newPattern() *pattern {
	p := &pattern{sum: sha256.New()}
	r := rand.NewChaCha8([32]byte{7})
	r.Read(p.block[:])
	return p
}

// at fills b with the pattern from off.
func (p *pattern) at(b []byte, off int64) {
	for n := 0; n < len(b); {
		i := (off + int64(n)) % int64(len(p.block))
		binary.BigEndian.PutUint64(p.block[:8], uint64((off+int64(n))/int64(len(p.block))))
		n += copy(b[n:], p.block[i:])
	}
}

func (p *pattern) Read(b []byte) (int, error) {
	if p.off == largeSize {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), largeSize-p.off)]
	p.at(b, p.off)
	p.sum.Write(b)
	p.off += int64(len(b))
	return len(b), nil
}

// A 3 GiB value of unknown length goes in and comes out, and the command's memory stays below 300
// MiB.
//
//	go test -tags large -run TestLargeValue -v ./cmd/kvault
func TestLargeValue(t *testing.T) {
	dir := t.TempDir()
	bin, vault := filepath.Join(dir, "kvault"), filepath.Join(dir, "v.kv")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	in := newPattern()
	measure(t, "put", in, io.Discard, bin, "-f", vault, "put", "large", "-")
	out := sha256.New()
	measure(t, "get", nil, out, bin, "-f", vault, "get", "large", "-")
	if got, want := out.Sum(nil), in.sum.Sum(nil); !slices.Equal(got, want) {
		t.Errorf("sha256 of what came out %x, want %x", got, want)
	}
	measure(t, "check", nil, io.Discard, bin, "-f", vault, "check")
	randomReads(t, vault, in)
}

func measure(t *testing.T, name string, in io.Reader, out io.Writer, args ...string) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, os.Stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	t.Logf("%s: %.0f MiB/s, peak resident memory %d MiB", name, largeSize/time.Since(start).Seconds()/(1<<20), peak>>20)
	if peak > memoryLimit {
		t.Errorf("%s: peak resident memory %d MiB, want at most %d", name, peak>>20, memoryLimit>>20)
	}
}

func randomReads(t *testing.T, path string, p *pattern) {
	ctx := context.Background()
	v, err := kvault.Open(ctx, path, &kvault.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	r, err := v.NewReader(ctx, "large")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, want := make([]byte, 4096), make([]byte, 4096)
	var times []time.Duration
	for range 2000 {
		off := rand.Int64N(largeSize - 4096)
		start := time.Now()
		if _, err := r.ReadAt(got, off); err != nil {
			t.Fatal(err)
		}
		times = append(times, time.Since(start))
		if p.at(want, off); !slices.Equal(got, want) {
			t.Fatalf("4 KiB at %d differ", off)
		}
	}
	slices.Sort(times)
	t.Logf("4 KiB at random offsets: median %v, 99 of 100 within %v", times[len(times)/2], times[len(times)*99/100])
}
