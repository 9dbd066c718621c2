//go:build reliability

package reliability

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/kohakuvault/kvault"
)

var torture = flag.Duration("torture", 2*time.Minute, "how long processes write and read beside programs of SQLite")

const (
	tortureProcesses = 3
	tortureWriters   = 2 // of a process, beside as many readers
	tortureSlots     = 48
)

// tortureBoard lies in memory that all processes share. What a process that is killed wrote there
// stays, so readers know which versions they may meet.
type tortureBoard struct {
	// begun is the latest version of each slot that a writer has set out to write, acked the
	// latest whose call has returned.
	begun, acked [tortureSlots]atomic.Uint64
	// What the processes have done, those that were killed included.
	writes, reads, opens atomic.Uint64
}

func mapBoard(path string) (*tortureBoard, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const size = int(unsafe.Sizeof(tortureBoard{}))
	if err := f.Truncate(int64(size)); err != nil {
		return nil, err
	}
	mem, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return (*tortureBoard)(unsafe.Pointer(unsafe.SliceData(mem))), nil
}

// tortureOptions differ between processes: they are those that change how the file is read.
func tortureOptions(process int) *kvault.Options {
	o := &kvault.Options{OneRowLimit: 200_000, ChunkSize: 50_000, BusyTimeout: 2 * time.Minute}
	switch process {
	case 1:
		o.Durability, o.CacheKB = kvault.Full, 256
	case 2:
		o.CacheKB, o.ChunkSize = 8, 8_000
	}
	return o
}

func init() { children["torture"] = tortureChild }

// tortureChild writes and reads until its input ends. Each goroutine has a handle of its own, which
// it closes and opens again now and then.
func tortureChild(ctx context.Context, path string, args []string, _ io.Writer) error {
	process, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	board, err := mapBoard(args[1])
	if err != nil {
		return err
	}
	var over atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, bufio.NewReader(os.Stdin))
		over.Store(true)
	}()
	ended := make(chan error)
	for g := range 2 * tortureWriters {
		w := &tortureWorker{board: board, path: path, opt: tortureOptions(process)}
		for slot := range tortureSlots {
			if slot%(tortureProcesses*tortureWriters) == process*tortureWriters+g {
				w.own = append(w.own, slot)
			}
		}
		go func() { ended <- w.run(ctx, g < tortureWriters, &over) }()
	}
	for range 2 * tortureWriters {
		err = errors.Join(err, <-ended)
	}
	return err
}

// tortureChildren keeps a process alive: every other one is killed at a random moment.
func tortureChildren(t *testing.T, path, board string, process int, until time.Time) (killed int) {
	for round := 0; time.Now().Before(until) && !t.Failed(); round++ {
		c := startChild(t, "torture", path, process, board)
		life := time.Duration(rand.IntN(2000)) * time.Millisecond
		if round%2 == 1 {
			life *= 3
		}
		time.Sleep(min(life, time.Until(until)))
		if round%2 == 0 {
			_ = c.Process.Kill()
			killed++
		}
		_ = c.in.Close()
		if err := c.Wait(); err != nil && c.ProcessState.Exited() {
			t.Errorf("process %d: %v", process, err)
		}
	}
	return killed
}

// Several processes write and read one vault beside SQLite's own shell, which checkpoints in every
// mode, vacuums, spills, and changes the schema, and all of them are killed at random. Nobody ever
// reads a version older than one that was acknowledged before the read began, on whatever process.
func TestTorture(t *testing.T) {
	for _, pageSize := range []int{1024, 8192} {
		t.Run(fmt.Sprint(pageSize), func(t *testing.T) {
			dir := fastDir(t)
			path, name := filepath.Join(dir, "v.kv"), filepath.Join(dir, "board")
			board, err := mapBoard(name)
			if err != nil {
				t.Fatal(err)
			}
			opt := tortureOptions(0)
			opt.PageSize = pageSize
			shut(t, open(t, path, opt))
			until := time.Now().Add(*torture / 2)
			var all sync.WaitGroup
			var killed, foreign atomic.Int64
			for process := range tortureProcesses {
				all.Go(func() { killed.Add(int64(tortureChildren(t, path, name, process, until))) })
			}
			for range 2 {
				all.Go(func() { foreign.Add(int64(shells(t, path, until))) })
			}
			all.Wait()
			shellSound(t, path)
			v := open(t, path, opt)
			defer shut(t, v)
			check(t, v)
			w := &tortureWorker{board: board, v: v}
			for slot := range tortureSlots {
				if err := w.read(t.Context(), slot, viaGet); err != nil {
					t.Error(err)
				}
			}
			t.Logf("%d processes killed; %d writes, %d reads, %d opens, %d calls of the shell",
				killed.Load(), board.writes.Load(), board.reads.Load(), board.opens.Load(), foreign.Load())
			if board.writes.Load() == 0 || board.reads.Load() == 0 || foreign.Load() == 0 {
				t.Error("nothing was done")
			}
		})
	}
}
