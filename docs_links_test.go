package kvault_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// files returns the slash-separated names of the files in the module that have one of the
// extensions, without those of testdata.
func files(t *testing.T, extensions ...string) (names []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git"):
			return fs.SkipDir
		case !d.IsDir() && slices.Contains(extensions, path.Ext(name)):
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

var (
	fencedCode = regexp.MustCompile("(?ms)^```.*?^```$")
	codeLine   = regexp.MustCompile(`(?m)^    .*$`)
	link       = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading    = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInSlugs = regexp.MustCompile(`[^\p{L}\p{N} _-]+`)
)

// anchors returns the names by which links lead to the headings of a page, as GitHub makes them.
func anchors(page string) (names []string) {
	for _, m := range heading.FindAllStringSubmatch(fencedCode.ReplaceAllString(page, ""), -1) {
		text := link.ReplaceAllString(m[1], "")
		slug := notInSlugs.ReplaceAllString(strings.ToLower(text), "")
		names = append(names, strings.ReplaceAll(slug, " ", "-"))
	}
	return names
}

// brokenLinks returns the relative links of a page that lead to no file or to no heading. read
// returns the text of a file, or "" for a folder.
func brokenLinks(name, page string, read func(string) (string, error)) (broken []string) {
	text := page
	for _, code := range []*regexp.Regexp{fencedCode, codeLine, codeSpan} {
		text = code.ReplaceAllString(text, "")
	}
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		if strings.Contains(m[1], "://") {
			continue
		}
		file, anchor, _ := strings.Cut(m[1], "#")
		target := page
		if file != "" {
			var err error
			if target, err = read(path.Join(path.Dir(name), file)); err != nil {
				broken = append(broken, m[1])
				continue
			}
		}
		if anchor != "" && !slices.Contains(anchors(target), anchor) {
			broken = append(broken, m[1])
		}
	}
	return broken
}

// readAny returns the text of a file, or "" for a folder.
func readAny(name string) (string, error) {
	if info, err := os.Stat(filepath.FromSlash(name)); err != nil || info.IsDir() {
		return "", err
	}
	text, err := os.ReadFile(filepath.FromSlash(name))
	return string(text), err
}

func TestDocsLinks(t *testing.T) {
	pages := files(t, ".md")
	if len(pages) < 80 {
		t.Errorf("%d pages", len(pages))
	}
	for _, name := range pages {
		for _, l := range brokenLinks(name, readDoc(t, name), readAny) {
			t.Errorf("%s links to %s, which is not there", name, l)
		}
	}
}

// The test of the links can fail.
func TestDocsBrokenLinks(t *testing.T) {
	read := func(name string) (string, error) {
		if name == "docs/other.md" {
			return "# `Put`, in short\n\n## Two words\n", nil
		}
		return "", fs.ErrNotExist
	}
	for text, want := range map[string]string{
		"[a](other.md)":                       "",
		"[a](other.md#two-words)":             "",
		"[a](other.md#put-in-short)":          "",
		"[a](other.md#three-words)":           "other.md#three-words",
		"[a](../other.md)":                    "../other.md",
		"[a](gone.md#two-words)":              "gone.md#two-words",
		"![a](gone.svg)":                      "gone.svg",
		"[a](#here)\n\n# Here\n":              "",
		"[a](#here)\n\n# There\n":             "#here",
		"[a](https://example.com/gone.md)":    "",
		"`[a](gone.md)`":                      "",
		"```\n[a](gone.md)\n```\n":            "",
		"text\n\n    [a](gone.md)\n\ntext\n":  "",
		"[a](other.md) and [b](gone.md) here": "gone.md",
	} {
		if got := strings.Join(brokenLinks("docs/page.md", text, read), " "); got != want {
			t.Errorf("broken links of %q: %q, want %q", text, got, want)
		}
	}
}

var namedPage = regexp.MustCompile(`\b(?:(?:docs|bench)/[\w/.-]+|[A-Z]+)\.md\b`)

// Comments, messages and scripts name no page that is gone.
func TestDocsNamedInCode(t *testing.T) {
	scripts, err := filepath.Glob(".ci/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(scripts, files(t, ".go")...) {
		if name == "docs_links_test.go" || strings.Contains(name, "testdata") {
			continue
		}
		for _, page := range namedPage.FindAllString(readDoc(t, name), -1) {
			if _, err := os.Stat(filepath.FromSlash(page)); err != nil {
				t.Errorf("%s names %s: %v", name, page, err)
			}
		}
	}
}

// The index of each folder of documents names all of its pages.
func TestDocsIndexes(t *testing.T) {
	for _, dir := range []string{"docs/decisions", "docs/performance"} {
		index := readDoc(t, dir+"/README.md")
		pages, err := filepath.Glob(dir + "/*.md")
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			name := filepath.Base(page)
			if name != "README.md" && !strings.Contains(index, "]("+name+")") {
				t.Errorf("%s/README.md does not name %s", dir, name)
			}
		}
	}
}
