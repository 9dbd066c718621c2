package cli

import (
	"io/fs"
	"os"
	"path/filepath"
)

// vaultFiles knows the files of the vault in use, so that no command reads or replaces them as if
// they were data: opening and closing the database behind SQLite's back drops its locks, and a
// foreign journal is taken for its own.
type vaultFiles struct {
	main, dir fs.FileInfo
	folder    string
	names     map[string]bool
}

// vaultFiles is for the vault that the flags name. The file need not exist. A vault in a bucket has
// none.
func (a *app) vaultFiles() vaultFiles {
	if a.inBucket() {
		return vaultFiles{}
	}
	name := a.flags.file
	if resolved, err := filepath.EvalSymlinks(name); err == nil {
		name = resolved
	}
	base := filepath.Base(name)
	g := vaultFiles{folder: filepath.Dir(name), names: map[string]bool{base: true, base + "-wal": true, base + "-shm": true, base + "-journal": true}}
	// What cannot be examined is not there: then no other file is the same.
	g.main, _ = os.Stat(name)
	g.dir, _ = os.Stat(filepath.Dir(name))
	return g
}

// hasOpen reports whether info, of a file that this process has open, is of one of the vault's
// files.
func (g vaultFiles) hasOpen(info fs.FileInfo) bool {
	for name := range g.names {
		if file, err := os.Stat(filepath.Join(g.folder, name)); err == nil && os.SameFile(file, info) {
			return true
		}
	}
	return false
}

// isMain reports whether info is of the vault's main file.
func (g vaultFiles) isMain(info fs.FileInfo) bool {
	return info != nil && g.main != nil && os.SameFile(g.main, info)
}

// has reports whether name in the directory dir is, or would be, a file of the vault.
func (g vaultFiles) has(dir fs.FileInfo, name string) bool {
	return g.names[name] && dir != nil && g.dir != nil && os.SameFile(g.dir, dir)
}
