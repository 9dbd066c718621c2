package sqlite

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

// pattern is a value of which every 8 bytes tell the version and where they are.
func pattern(version uint64, n int) []byte {
	b := make([]byte, 0, n+8)
	for at := uint64(0); len(b) < n; at++ {
		b = binary.LittleEndian.AppendUint64(b, version*0x9e3779b97f4a7c15^at*0xbf58476d1ce4e5b9)
	}
	return b[:n]
}

func openFast(t testing.TB, path string, o Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), path, &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func putFast(t testing.TB, s *Store, key string, value []byte) {
	t.Helper()
	if _, err := s.Apply(context.Background(), []engine.Op{{Kind: engine.Put, Key: key, Value: value}}); err != nil {
		t.Fatal(err)
	}
}

// passive copies what it can of the log into the file.
func (w *writer) passive() error {
	if err := w.acquire(context.Background()); err != nil {
		return err
	}
	defer w.release()
	_, _, err := w.conn.Checkpoint(false)
	return err
}

// canTell says whether the latest commit can be told here, without which there are no fast reads.
func canTell(s *Store) (can bool) {
	_ = s.read(context.Background(), s.reads, true, func(ses *session) error {
		can = ses.c.CanSyncBackfill()
		return nil
	})
	return can
}

// keepLog keeps a store from copying a short log once nobody commits: a busy machine may take
// longer than idleTime for the next line of a test.
func keepLog(s *Store) {
	s.writer.turn <- struct{}{}
	defer s.writer.release()
	s.writer.ckpt.idle.Stop()
	s.writer.ckpt.idle = time.AfterFunc(time.Hour, func() {})
}

// childEnv, if set, makes a test the process that writes the file which it names.
const childEnv = "KVAULT_TEST_CHILD"

// inChild returns the file that this process is to write, empty if it is none of these, and says
// when that is over.
func inChild() (path string, over *atomic.Bool) {
	over = new(atomic.Bool)
	if path = os.Getenv(childEnv); path != "" {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			over.Store(true)
		}()
	}
	return path, over
}

// writeInChild has another process, which runs a test, write a file until stop is called.
func writeInChild(t *testing.T, test, path string) (stop func()) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^"+test+"$")
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %s", err, out.Bytes())
		}
	}
}
