//go:build !unix

package driver

import (
	"errors"
	"os"
)

func stateAt(string) (fileState, error) { return fileState{}, errors.ErrUnsupported }

func stateOf(any) (fileState, bool) { return fileState{}, false }

func mayOpen(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}
