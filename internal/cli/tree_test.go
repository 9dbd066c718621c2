package cli

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// makeTree fills a directory with files of many sizes, names, modes and times. It makes the same
// tree every time.
func makeTree(dir string) error {
	names := []string{
		"empty", "a.txt", "a-b", "a/b", "a/b.c", "a/c/d/e/f/deep", "a0", "with space", "new\nline", `quo"te`, "ünïcödé/日本",
		"latin\xff1", ".hidden", "-dash", "big/one", "big/two", "exact/chunk", "exact/chunk+1", "UPPER/lower",
	}
	for i := range 60 {
		names = append(names, fmt.Sprintf("many/%d/%02d.bin", i%3, i))
	}
	sizes := map[string]int{"empty": 0, "big/one": 3<<20 + 17, "big/two": 2 << 20, "exact/chunk": 1 << 20, "exact/chunk+1": 1<<20 + 1}
	modes := []fs.FileMode{0o644, 0o600, 0o755, 0o444}
	random := rand.NewChaCha8([32]byte{1})
	for i, name := range names {
		size, ok := sizes[name]
		if !ok {
			size = i * 37
		}
		content := make([]byte, size)
		random.Read(content)
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
		when := time.Date(2001+i%30, 2, 3, 4, 5, 6, 123456789+i, time.UTC)
		if err := os.Chtimes(path, when, when); err != nil {
			return err
		}
		if err := os.Chmod(path, modes[i%len(modes)]); err != nil {
			return err
		}
	}
	return nil
}

// compareTrees fails unless two trees have the same files with the same content, mode and time.
func compareTrees(a, b string) error {
	x, err := readTree(a)
	if err != nil {
		return err
	}
	y, err := readTree(b)
	if err != nil {
		return err
	}
	for name, f := range x {
		g, ok := y[name]
		switch {
		case !ok:
			return fmt.Errorf("%q is only in %s", name, a)
		case !bytes.Equal(f.content, g.content):
			return fmt.Errorf("%q has another content", name)
		case f.mode != g.mode:
			return fmt.Errorf("%q has mode %v and %v", name, f.mode, g.mode)
		case !f.modTime.Equal(g.modTime):
			return fmt.Errorf("%q has time %v and %v", name, f.modTime, g.modTime)
		}
		delete(y, name)
	}
	for name := range y {
		return fmt.Errorf("%q is only in %s", name, b)
	}
	return nil
}

type treeFile struct {
	content []byte
	mode    fs.FileMode
	modTime time.Time
}

func readTree(dir string) (map[string]treeFile, error) {
	files := map[string]treeFile{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files[name] = treeFile{content, info.Mode(), info.ModTime()}
		return err
	})
	if len(files) == 0 && err == nil {
		err = fmt.Errorf("%s is empty", dir)
	}
	return files, err
}
