//go:build python

package pyexchange

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// driver is a running process with one version of the package.
type driver struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// args are those of a request: bytes are told as base64 by encoding/json.
type args map[string]any

// start runs the driver of a version. It ends with the test.
func (v *version) start(t *testing.T) *driver {
	t.Helper()
	v.install(t)
	d := &driver{cmd: exec.Command(v.python, filepath.Join("testdata", "driver.py"))}
	d.cmd.Env = append(os.Environ(), "RUST_BACKTRACE=0")
	d.cmd.Stderr = t.Output()
	out, outErr := d.cmd.StdoutPipe()
	in, inErr := d.cmd.StdinPipe()
	if err := errors.Join(outErr, inErr); err != nil {
		t.Fatal(err)
	}
	d.in, d.out = in, bufio.NewReaderSize(out, 1<<20)
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.in.Close()
		if err := d.cmd.Wait(); err != nil {
			t.Errorf("the driver's end: %v", err)
		}
	})
	return d
}

// packageError is what the package raised.
type packageError struct{ text string }

func (e *packageError) Error() string { return e.text }

// send asks for something, and receive waits for the answer to what was asked first.
func (d *driver) send(op string, a args) error {
	request := args{"op": op}
	for k, x := range a {
		request[k] = x
	}
	line, err := json.Marshal(request)
	if err == nil {
		_, err = d.in.Write(append(line, '\n'))
	}
	return err
}

func (d *driver) receive(into any) error {
	line, err := d.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the driver's answer: %w", err)
	}
	var answer struct {
		OK    json.RawMessage
		Error string
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return err
	}
	if answer.Error != "" {
		return &packageError{answer.Error}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer.OK, into)
}

func (d *driver) try(op string, a args, into any) error {
	if err := d.send(op, a); err != nil {
		return err
	}
	return d.receive(into)
}

// do is try of what must succeed.
func (d *driver) do(t *testing.T, op string, a args, into any) {
	t.Helper()
	if err := d.try(op, a, into); err != nil {
		t.Fatalf("%s: %v", op, err)
	}
}

// refuses checks that the package raises an error, and returns it.
func (d *driver) refuses(t *testing.T, op string, a args) string {
	t.Helper()
	var raised *packageError
	if err := d.try(op, a, nil); !errors.As(err, &raised) {
		t.Errorf("%s: %v, want an error of the package", op, err)
		return ""
	}
	return raised.text
}
