package reliability

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault"
)

var logCuts = flag.Int("logcuts", defaultLogCuts, "at how many places a log is cut and overwritten")

// crashed is a vault whose process died: its file, its log and its shared memory, and what it held
// when the log had each length.
type crashed struct {
	file, log, shm []byte
	lengths        []int
	states         []map[string]string
	numbers        []int64
}

// state is what a vault holds whose log is good for n bytes.
func (c *crashed) state(n int) map[string]string {
	last := 0
	for i, length := range c.lengths {
		if length <= n {
			last = i
		}
	}
	return c.states[last]
}

func crash(t *testing.T) *crashed {
	t.Helper()
	ctx, dir := t.Context(), fastDir(t)
	r := &fullRun{dir: dir, roomy: dir, opt: &kvault.Options{PageSize: 1024, OneRowLimit: 20_000, ChunkSize: 8000}}
	if err := errors.Join(r.make(ctx), r.open(ctx)); err != nil {
		t.Fatal(err)
	}
	defer r.close()
	c := &crashed{lengths: []int{0}, states: []map[string]string{maps.Clone(r.values)}, numbers: r.numbers}
	for i := range 10 {
		if err := r.put(ctx, fmt.Sprint("k", i%4), 300*i); err != nil {
			t.Fatal(err)
		}
		log, err := os.ReadFile(r.path() + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		c.lengths = append(c.lengths, framesEnd(log, r.opt.PageSize))
		c.states = append(c.states, maps.Clone(r.values))
	}
	for suffix, to := range map[string]*[]byte{"": &c.file, "-wal": &c.log, "-shm": &c.shm} {
		var err error
		if *to, err = os.ReadFile(r.path() + suffix); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// framesEnd is where the frames of a log end that belong to its header. The file may be longer.
func framesEnd(log []byte, pageSize int) int {
	const header = 24
	end := 32
	for end+header+pageSize <= len(log) && bytes.Equal(log[end+8:end+16], log[16:24]) {
		end += header + pageSize
	}
	return end
}

// reopens fails unless the vault with these files holds want, is sound, and can be written. Nil is
// no file.
func (c *crashed) reopens(t *testing.T, what string, log, shm []byte, want map[string]string) {
	t.Helper()
	dir := filepath.Join(fastDir(t), "crashed")
	r := &fullRun{dir: dir, roomy: dir, opt: &kvault.Options{}, values: maps.Clone(want), numbers: c.numbers}
	err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(r.path(), c.file, 0o600))
	for suffix, data := range map[string][]byte{"-wal": log, "-shm": shm} {
		if data != nil {
			err = errors.Join(err, os.WriteFile(r.path()+suffix, data, 0o600))
		}
	}
	for i := 0; i < 2 && err == nil; i++ {
		if err = r.open(t.Context()); err == nil {
			err = errors.Join(r.expect(t.Context()), r.checks(t.Context()), r.put(t.Context(), "later", 3000), r.close())
		}
	}
	if err == nil {
		err = r.tidy(t.Context())
	}
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// What becomes of the shared memory after a crash does not matter: whoever comes first makes it
// anew.
func TestDamagedSharedMemory(t *testing.T) {
	t.Setenv("TMPDIR", fastDir(t))
	c := crash(t)
	whole := c.states[len(c.states)-1]
	random := rand.NewChaCha8([32]byte{7})
	garbage := make([]byte, len(c.shm))
	random.Read(garbage)
	swapped := append([]byte(nil), c.shm...)
	copy(swapped[48:96], garbage) // the second copy of the header differs from the first
	for what, shm := range map[string][]byte{
		"gone": nil, "as it was": c.shm, "empty": {}, "cut inside its header": c.shm[:100], "cut": c.shm[:len(c.shm)/2], "zeros": make([]byte, len(c.shm)),
		"garbage": garbage, "long garbage": append(garbage, garbage...), "two headers": swapped,
	} {
		c.reopens(t, "shared memory "+what, c.log, shm, whole)
	}
}

// A log that was cut off or overwritten counts up to the last commit before that, and no further.
func TestDamagedLog(t *testing.T) {
	t.Setenv("TMPDIR", fastDir(t))
	c := crash(t)
	random := rand.NewChaCha8([32]byte{8})
	garbage := make([]byte, 5000)
	random.Read(garbage)
	c.reopens(t, "log gone", nil, c.shm, c.states[0])
	c.reopens(t, "log zeros", make([]byte, len(c.log)), c.shm, c.states[0])
	c.reopens(t, "log garbage", garbage, nil, c.states[0])
	c.reopens(t, "garbage behind the log", append(append([]byte(nil), c.log...), garbage...), c.shm, c.states[len(c.states)-1])
	cuts := 0
	for n := 0; n <= len(c.log); n += 1 + len(c.log)/(*logCuts) {
		c.reopens(t, fmt.Sprint("log cut at ", n), c.log[:n], c.shm, c.state(n))
		damaged := append([]byte(nil), c.log...)
		copy(damaged[n:], garbage[:100])
		c.reopens(t, fmt.Sprint("log overwritten at ", n), damaged, nil, c.state(n))
		cuts += 2
	}
	t.Logf("%d damaged logs: the commits before the damage are there, and no other", cuts)
}
