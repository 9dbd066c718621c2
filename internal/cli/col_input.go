package cli

import (
	"context"
	"fmt"
	"io"
	"os"
)

// input is a file to read, removed afterwards if it is a temporary one that still has a name.
type input struct {
	*os.File
	temporary bool
}

func (in *input) close() {
	in.Close()
	if in.temporary {
		os.Remove(in.Name())
	}
}

// wholeInput is the named file, or standard input if it is "-". What arrives bit by bit is
// collected in a temporary file first, so that the vault is not locked while it does.
func (a *app) wholeInput(ctx context.Context, name string) (*input, error) {
	if name != "-" {
		info, err := os.Stat(name)
		switch {
		case err != nil:
			return nil, err
		case info.IsDir():
			return nil, fmt.Errorf("%s is a directory", name)
		case a.vaultFiles().isMain(info):
			return nil, fmt.Errorf("%s is the vault itself", name)
		}
		f, err := os.Open(name)
		if err != nil || info.Mode().IsRegular() {
			return &input{f, false}, err
		}
		defer f.Close()
		return spool(f)
	}
	if a.terminal(a.sys.In) {
		a.note("Reading from the terminal; Ctrl-D ends the rows.")
	}
	in := a.stdin(ctx)
	defer in.Close()
	return spool(in)
}

// spool copies all that r has to a temporary file.
func spool(r io.Reader) (*input, error) {
	f, err := os.CreateTemp("", "kvault-*")
	if err != nil {
		return nil, err
	}
	in := &input{f, os.Remove(f.Name()) != nil} // where an open file can lose its name, a killed process leaves nothing
	if _, err = io.Copy(f, r); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}
