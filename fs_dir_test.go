package kvault_test

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"testing"
	"testing/fstest"
)

func TestFSReadDir(t *testing.T) {
	tests := []struct {
		name string
		keys []string
		dir  string
		want []string
	}{
		{"files and folders", []string{"b", "a/x", "a/y", "c/d/e"}, ".", []string{"a/", "b", "c/"}},
		{"of a folder", []string{"a/x", "a/y/z", "ab", "a-b/c"}, "a", []string{"x", "y/"}},
		{"by name, not by key", []string{"a!", "a/x", "a.b"}, ".", []string{"a/", "a!", "a.b"}},
		{"the folder wins", []string{"a", "a/b"}, ".", []string{"a/"}},
		{
			"the folder wins, with keys between", []string{"a", "a!", "a!!", "a!!/x", "a-", "a-/x", "a-b", "a/b", "b"}, ".",
			[]string{"a/", "a!", "a!!/", "a-/", "a-b", "b"},
		},
		{"a file that only looks like a folder", []string{"a", "a-", "a-b", "a0/x"}, ".", []string{"a", "a-", "a-b", "a0/"}},
		{"keys that are no paths", []string{"/a", "a//b", "./a", "../a", ".", "..", "a/../b", "ok", "\xff", "\xff/a", "d/", "//"}, ".", []string{"a/", "d/", "ok"}},
		{"a folder of keys that are no paths", []string{"a//b", "a/.", "a/../b", "a/\xff", "a/ok"}, "a", []string{"ok"}},
		{"a folder marker", []string{"a/"}, "a", []string{}},
		{"dots in names", []string{".hidden", "...", "a/..b"}, ".", []string{"...", ".hidden", "a/"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := newVault(t, nil)
			fill(t, v, tt.keys...)
			fsys := v.FS(t.Context())
			if got := readDir(t, fsys, tt.dir); !slices.Equal(got, tt.want) {
				t.Errorf("ReadDir(%q): %q, want %q", tt.dir, got, tt.want)
			}
			var expected []string
			for _, name := range tt.want {
				expected = append(expected, path.Join(tt.dir, name))
			}
			if len(expected) == 0 {
				expected = []string{tt.dir}
			}
			if err := fstest.TestFS(fsys, expected...); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFSReadDirInParts lists a large folder a few entries at a time, while it changes.
func TestFSReadDirInParts(t *testing.T) {
	v := newVault(t, nil)
	items := map[string][]byte{}
	for i := range 500 {
		items[fmt.Sprintf("big/%03d", i)] = nil
		items[fmt.Sprintf("big/%03d.d/%d", i, i)] = nil
	}
	if err := v.PutAll(t.Context(), func(yield func(string, []byte) bool) {
		for key, value := range items {
			if !yield(key, value) {
				return
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	f, err := v.FS(t.Context()).Open("big")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []fs.DirEntry
	for n := 1; ; n = n%130 + 7 {
		entries, err := f.(fs.ReadDirFile).ReadDir(n)
		all = append(all, entries...)
		if err == io.EOF {
			break
		}
		if err != nil || len(entries) == 0 || len(entries) > n {
			t.Fatalf("ReadDir(%d): %d entries, %v", n, len(entries), err)
		}
		fill(t, v, fmt.Sprintf("before/%d", len(all)), fmt.Sprintf("big.%d", len(all)))
	}
	got := names(all)
	slices.Sort(got)
	if len(got) != 1000 || len(slices.Compact(got)) != 1000 {
		t.Errorf("%d entries, %d of them different; want 1000", len(all), len(slices.Compact(got)))
	}
	if rest, err := f.(fs.ReadDirFile).ReadDir(-1); err != nil || len(rest) != 0 {
		t.Errorf("ReadDir(-1) at the end: %d entries, %v", len(rest), err)
	}
}

// TestFSReadDirIsPaged: the first entries of a large folder must not cost reading all of it, nor
// what is in its folders.
func TestFSReadDirIsPaged(t *testing.T) {
	v, f := newFaultyVault(t, nil)
	if err := v.PutAll(t.Context(), func(yield func(string, []byte) bool) {
		for i := range 3000 {
			if !yield(fmt.Sprintf("folder/%04d", i), nil) || !yield(fmt.Sprintf("many%04d", i), nil) {
				return
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	root, err := v.FS(t.Context()).Open(".")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := root.(fs.ReadDirFile).ReadDir(3)
	if err != nil || !slices.Equal(names(entries), []string{"folder/", "many0000", "many0001"}) {
		t.Errorf("ReadDir(3): %q, %v", names(entries), err)
	}
	read := 0
	for _, q := range f.queries() {
		read += q.Limit
	}
	if read > 1000 {
		t.Errorf("three entries of 3001 asked the engine for up to %d keys", read)
	}
}

func TestFSFolderFile(t *testing.T) {
	v := newVault(t, nil)
	fill(t, v, "folder/x")
	d, err := v.FS(t.Context()).Open("folder")
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Read(make([]byte, 1))
	wantPathError(t, "Read of a folder", "folder", err, nil)
	if err := d.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	_, err = d.Read(make([]byte, 1))
	wantPathError(t, "Read after Close", "folder", err, fs.ErrClosed)
	_, err = d.Stat()
	wantPathError(t, "Stat after Close", "folder", err, fs.ErrClosed)
	_, err = d.(fs.ReadDirFile).ReadDir(-1)
	wantPathError(t, "ReadDir after Close", "folder", err, fs.ErrClosed)
}
