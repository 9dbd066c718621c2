package walvfs

import (
	"os"
	"syscall"
)

// LinkCount is how many names the file at path has, or 1 if it cannot be opened.
func LinkCount(path string) uint64 {
	f, err := os.Open(path)
	if err != nil {
		return 1
	}
	defer f.Close()
	var info syscall.ByHandleFileInformation
	if err := syscall.GetFileInformationByHandle(syscall.Handle(f.Fd()), &info); err != nil {
		return 1
	}
	return uint64(info.NumberOfLinks)
}
