package contract

import (
	"io/fs"
	"os"
	"path/filepath"
)

// Tree lists the regular files below a folder, as slash-separated relative paths. Empty files are
// left out: not every contender takes an empty value.
func Tree(dir string) ([]string, error) {
	var files []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Size() > 0 {
			files = append(files, name)
		}
		return err
	})
	return files, err
}

// FoldTree is the checksum of all files below a folder.
func FoldTree(dir string) (sum uint64, err error) {
	files, err := Tree(dir)
	for _, name := range files {
		var b []byte
		if b, err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			return 0, err
		}
		sum += Fold(0, b)
	}
	return sum, err
}
