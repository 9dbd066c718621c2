package column_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"go.uber.org/goleak"
)

// A run of the test binary with this variable appends to the columns of the file that it names, and
// does nothing else.
const appendTo = "KVAULT_TEST_APPEND_TO"

const eachProcess = 40

func TestMain(m *testing.M) {
	path := os.Getenv(appendTo)
	if path == "" {
		goleak.VerifyTestMain(m)
	}
	if err := appendNumbers(context.Background(), path, os.Getenv(appendTo+"_FROM")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func appendNumbers(ctx context.Context, path, from string) error {
	first, err := strconv.ParseInt(from, 10, 64)
	if err != nil {
		return err
	}
	v, err := kvault.Open(ctx, path, nil)
	if err != nil {
		return err
	}
	defer v.Close()
	ints, err := column.Ensure(ctx, v, "ints", column.Int64, tiny)
	if err != nil {
		return err
	}
	texts, err := column.Ensure(ctx, v, "texts", column.String, tiny)
	if err != nil {
		return err
	}
	for i := range int64(eachProcess) {
		if err := ints.Append(ctx, first+i); err != nil {
			return err
		}
		if err := texts.Append(ctx, fmt.Sprint(first+i)); err != nil {
			return err
		}
	}
	return v.Close()
}

func TestManyProcesses(t *testing.T) {
	path := newPath(t)
	const processes = 3
	var running []*exec.Cmd
	for p := range processes {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), appendTo+"="+path, fmt.Sprintf("%s_FROM=%d", appendTo, p*1000))
		cmd.Stderr = os.Stderr
		must(t, cmd.Start())
		running = append(running, cmd)
	}
	for _, cmd := range running {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	v := openFile(t, path)
	next, nextText := [processes]int64{}, [processes]int64{}
	for x, err := range openColumn(t, v, "ints", column.Int64).All(t.Context()) {
		must(t, err)
		if x%1000 != next[x/1000] {
			t.Fatalf("%d comes where %d of its process should", x, next[x/1000])
		}
		next[x/1000]++
	}
	for text, err := range openColumn(t, v, "texts", column.String).All(t.Context()) {
		must(t, err)
		x, err := strconv.ParseInt(text, 10, 64)
		must(t, err)
		if x%1000 != nextText[x/1000] {
			t.Fatalf("%d comes where %d of its process should", x, nextText[x/1000])
		}
		nextText[x/1000]++
	}
	for p := range processes {
		if next[p] != eachProcess || nextText[p] != eachProcess {
			t.Errorf("process %d: %d numbers and %d texts, want %d", p, next[p], nextText[p], eachProcess)
		}
	}
}
