//go:build !unix

package walvfs

import (
	"errors"
	"os"
)

func stateAt(string) (FileState, error) { return FileState{}, errors.ErrUnsupported }

func StateOf(any) (FileState, bool) { return FileState{}, false }

func MayOpen(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}
