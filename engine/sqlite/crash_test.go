package sqlite_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
	"go.uber.org/goleak"
)

// Set, these make the test binary the child process of a test, working on the vault that they name.
const (
	crashEnv = "KVAULT_TEST_CRASH"
	countEnv = "KVAULT_TEST_COUNT"
	openEnv  = "KVAULT_TEST_OPEN"
)

func TestMain(m *testing.M) {
	var err error
	if path := os.Getenv(crashEnv); path != "" {
		err = crashChild(path)
	} else if path := os.Getenv(countEnv); path != "" {
		err = countChild(path)
	} else if path := os.Getenv(openEnv); path != "" {
		err = openChild(path)
	} else {
		waitTogether()
		goleak.VerifyTestMain(m)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// waitTogether has more tests go side by side than there are processors, because many of them wait
// for locks, processes and disks.
func waitTogether() {
	flag.Parse()
	asked := flag.Lookup("test.fuzz").Value.String() != "" // for which it is how many processes there are
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked {
		_ = flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0)))
	}
}

var crashOptions = sqlite.Options{OneRowLimit: 1 << 20}

// uploadPart is the part i of the upload of crashChild. Parts span chunks, and small gaps between
// them are filled by the next.
func uploadPart(i int) (p []byte, off int64) {
	return bytes.Repeat([]byte{byte(i + 1)}, 70_001), int64(i) * 70_000
}

// crashChild puts values and writes parts of an upload for ever, saying so on standard output after
// each of both, beside a large value that never ends.
func crashChild(path string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, path, &crashOptions)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() {
		st, err := s.Stage(ctx, engine.StageOptions{ChunkSize: 100_000, Size: -1})
		for chunk := make([]byte, 100_000); err == nil; {
			err = st.WriteChunk(ctx, chunk)
		}
		failed <- err
	}()
	u, err := s.NewUpload(ctx, engine.UploadOptions{Key: "upload", Size: -1, ChunkSize: 100_000, Expires: time.Hour})
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		p, off := uploadPart(i)
		if err := u.WriteAt(ctx, p, off); err != nil {
			return err
		}
		value := noise(i * 1000 % 3_000_000)
		if _, err := s.Apply(ctx, []engine.Op{{Kind: engine.Put, Key: fmt.Sprintf("k%d", i), Value: value}}); err != nil {
			return err
		}
		if _, err := fmt.Println(i); err != nil {
			return err
		}
		select {
		case err := <-failed:
			return err
		default:
		}
	}
}

// A process that is killed loses nothing that it had acknowledged, and what it left half-written is
// swept at the next Open.
func TestKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "v.kv")
	for round := range 4 {
		acknowledged := killedAfter(t, path, 20+round*37)
		s := open(t, path, &crashOptions)
		for i := range acknowledged + 1 {
			e, err := s.Stat(t.Context(), fmt.Sprintf("k%d", i))
			if want := int64(i * 1000 % 3_000_000); err != nil || e.Size != want {
				t.Errorf("round %d: acknowledged k%d: %d bytes, %v; want %d", round, i, e.Size, err, want)
			}
		}
		publishAcknowledged(t, s, acknowledged)
		if err := s.Check(t.Context(), func(p engine.Problem) { t.Errorf("round %d: %+v", round, p) }, nil); err != nil {
			t.Fatal(err)
		}
		waitSwept(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := query(t, path, `SELECT count(*) FROM kvault_chunks WHERE id >> 28 NOT IN (SELECT id FROM kvault_values WHERE owner IS NULL)`); got != "0" {
			t.Errorf("round %d: %s chunk rows without a value", round, got)
		}
	}
}

// publishAcknowledged publishes the upload that a killed child left. It has the parts up to the
// acknowledged one, and at most one more.
func publishAcknowledged(t *testing.T, s *sqlite.Store, acknowledged int) {
	t.Helper()
	page := must[engine.UploadPage](t)(s.Uploads(t.Context(), engine.UploadQuery{Limit: 10}))
	if len(page.Uploads) != 1 {
		t.Fatalf("%d uploads are left, want 1", len(page.Uploads))
	}
	written := page.Uploads[0].Written
	if n := (written.End() - 1) / 70_000; len(written) != 1 || n < int64(acknowledged)+1 || n > int64(acknowledged)+2 {
		t.Fatalf("written %v, %d parts were acknowledged", written, acknowledged+1)
	}
	u := must[engine.Upload](t)(s.OpenUpload(t.Context(), page.Uploads[0].ID))
	if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "upload", Upload: u}}); err != nil {
		t.Fatal(err)
	}
	var want []byte
	for i := range int((written.End() - 1) / 70_000) {
		p, off := uploadPart(i)
		want = append(want[:off], p...)
	}
	if got := must[[]byte](t)(s.Get(t.Context(), "upload")); !bytes.Equal(got, want) {
		t.Errorf("the upload has %d other bytes than were written, want %d", len(got), len(want))
	}
}

// killedAfter runs the child until it has acknowledged n puts, and returns the last number it
// acknowledged.
func killedAfter(t *testing.T, path string, n int) int {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), crashEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last := -1
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, err := fmt.Sscan(lines.Text(), &last); err != nil {
			t.Fatal(err)
		}
		if last == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || last < n {
		t.Fatalf("the child ended by itself after %d: %v", last, err)
	}
	return last
}

func waitSwept(t *testing.T, s *sqlite.Store) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		stats, err := s.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if stats.Staged == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d values are still to be swept", stats.Staged)
		}
	}
}

// While a large value trickles in, other writers are not held up, and another process that opens
// the vault does not take the value for abandoned.
func TestStageHoldsNoLock(t *testing.T) {
	// Enough for the other handle's sweeper, which writes at times of its own; a stage that held
	// the lock would hold it for good.
	const patience = 20 * time.Second
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &sqlite.Options{OneRowLimit: 1 << 20, BusyTimeout: patience})
	st := must[engine.Stage](t)(s.Stage(t.Context(), engine.StageOptions{ChunkSize: 1 << 20, Size: -1}))
	value := noise(1 << 20)
	for i := range 3 {
		if err := st.WriteChunk(t.Context(), value); err != nil {
			t.Fatal(err)
		}
		other := must[*sqlite.Store](t)(sqlite.Open(t.Context(), path, &sqlite.Options{BusyTimeout: patience}))
		for j := range 20 {
			put(t, s, fmt.Sprint("mine", i, j), []byte("v"))
			put(t, other, fmt.Sprint("theirs", i, j), []byte("v"))
		}
		if err := other.Optimize(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "large", Staged: st}}); err != nil {
		t.Fatal(err)
	}
	if e := must[engine.Entry](t)(s.Stat(t.Context(), "large")); e.Size != 3<<20 {
		t.Errorf("%d bytes", e.Size)
	}
	if err := s.Check(t.Context(), func(p engine.Problem) { t.Errorf("%+v", p) }, nil); err != nil {
		t.Error(err)
	}
}

const (
	countProcesses = 4
	countRounds    = 25
)

// countChild adds one to a counter by conditional puts, and stores values of its own beside it.
func countChild(path string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, path, &crashOptions)
	if err != nil {
		return err
	}
	for i := range countRounds {
		own := engine.Op{Kind: engine.Put, Key: fmt.Sprintf("own %d %d", os.Getpid(), i), Value: noise(i * 100_000)}
		if _, err := s.Apply(ctx, []engine.Op{own}); err != nil {
			return err
		}
		for {
			err := addOne(ctx, s)
			if err == nil {
				break
			}
			if !errors.Is(err, engine.ErrTagMismatch) {
				return err
			}
		}
	}
	return s.Close()
}

func addOne(ctx context.Context, s *sqlite.Store) error {
	tx, err := s.Begin(ctx, false)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	e, err := tx.Stat(ctx, "counter")
	if err != nil {
		return err
	}
	value, err := tx.Get(ctx, "counter")
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(value))
	if err != nil {
		return err
	}
	_, err = s.Apply(ctx, []engine.Op{{Kind: engine.Put, Key: "counter", Value: []byte(strconv.Itoa(n + 1)), If: engine.Condition{Tag: e.Meta.Tag}}})
	return err
}

// Several processes write one vault: no update is lost, and each sees the others' tags.
func TestProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &crashOptions)
	put(t, s, "counter", []byte("0"))
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range countProcesses {
		wg.Go(func() {
			cmd := exec.Command(exe)
			cmd.Env = append(os.Environ(), countEnv+"="+path)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	if got := must[[]byte](t)(s.Get(t.Context(), "counter")); string(got) != strconv.Itoa(countProcesses*countRounds) {
		t.Errorf("counter %s, want %d", got, countProcesses*countRounds)
	}
	if n := must[int64](t)(s.Count(t.Context(), engine.Range{})); n != 1+countProcesses*countRounds {
		t.Errorf("%d keys, want %d", n, 1+countProcesses*countRounds)
	}
	if err := s.Check(t.Context(), func(p engine.Problem) { t.Errorf("%+v", p) }, nil); err != nil {
		t.Error(err)
	}
}

// A stage may be given up by the goroutine that is in the middle of a transaction.
func TestAbortInsideTransaction(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "v.kv"), tinyRows)
	st := must[engine.Stage](t)(s.Stage(t.Context(), engine.StageOptions{ChunkSize: 1000, Size: -1}))
	if err := st.WriteChunk(t.Context(), noise(1000)); err != nil {
		t.Fatal(err)
	}
	tx := must[engine.Tx](t)(s.Begin(t.Context(), true))
	if err := st.Abort(); err != nil {
		t.Error(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Error(err)
	}
	waitSwept(t, s)
}
