package race

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kohakuvault/kvault/bench/internal/contract"
)

// pipe is a named pipe with the harness at its other end.
type pipe struct {
	path string
	done chan error
	end  *os.File
}

// patience is how long the last bytes may take to arrive after the contender has ended.
const patience = 10 * time.Second

// newPipe makes one that gives the stream, or takes and compares it.
func newPipe(path string, d *contract.Data, size int64, gives bool) (*pipe, error) {
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return nil, err
	}
	// Opened for both, so that opening does not wait for the contender, nor for ever if there is none.
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	p := &pipe{path: path, done: make(chan error, 1), end: f}
	go func() { p.done <- p.serve(d, size, gives) }()
	return p, nil
}

func (p *pipe) serve(d *contract.Data, size int64, gives bool) error {
	if !gives {
		_, err := io.CopyBuffer(struct{ io.Writer }{d.Compare()}, io.LimitReader(p.end, size), make([]byte, 1<<20))
		return err
	}
	// The reader sees the end only when nobody has the pipe open for writing.
	_, err := io.CopyBuffer(struct{ io.Writer }{p.end}, d.Stream(size), make([]byte, 1<<20))
	return errors.Join(err, p.end.Close())
}

// finish waits for the harness's end once the contender has ended.
func (p *pipe) finish(contenderErr error) error {
	if contenderErr != nil {
		_ = p.end.Close()
	}
	_ = p.end.SetReadDeadline(time.Now().Add(patience)) // a contender that wrote too little must not keep us waiting
	err := <-p.done
	if contenderErr == nil {
		_ = p.end.Close()
	} else {
		err = nil
	}
	return errors.Join(err, os.Remove(p.path))
}

// writeStream makes the file that the contenders read.
func writeStream(path string, d *contract.Data, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, d.Stream(size), make([]byte, 1<<20))
	return errors.Join(err, f.Sync(), f.Close())
}
