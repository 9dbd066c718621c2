package gitignore

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// answers are what git left out of a tree of files for lists of patterns:
// git ls-files --others --exclude-from, and the same by git check-ignore.
type answers struct {
	Git   string
	Files []string
	Cases []struct {
		Patterns string
		Ignored  []string
	}
}

// byTheManual are patterns that git does not treat as its manual says.
// It takes stars behind plain characters for folders: a**/b is not to match a1/x/b.
var byTheManual = map[string]string{"a**/b": "a1/x/b"}

func TestAsGit(t *testing.T) {
	text, err := os.ReadFile("testdata/git.json")
	if err != nil {
		t.Fatal(err)
	}
	var a answers
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	for _, c := range a.Cases {
		var p Patterns
		if err := p.AddFile(c.Patterns); err != nil {
			if len(c.Ignored) > 0 {
				t.Errorf("%q: %v; git leaves out %q", c.Patterns, err, c.Ignored)
			}
			continue
		}
		var ignored []string
		for _, f := range a.Files {
			if p.LeavesOutFile(f) {
				ignored = append(ignored, f)
			}
		}
		if more, ok := byTheManual[c.Patterns]; ok {
			ignored = append(ignored, more)
		}
		slices.Sort(ignored)
		if !slices.Equal(ignored, c.Ignored) {
			t.Errorf("%q leaves out\n%q; git\n%q", c.Patterns, ignored, c.Ignored)
		}
	}
}

func TestErrors(t *testing.T) {
	for line, want := range map[string]string{
		"/":                       `"/" names nothing`,
		"!":                       `"!" names nothing`,
		"a[":                      "is not complete",
		`a\`:                      "is not complete",
		`[a\`:                     "is not complete",
		"[a-":                     "is not complete",
		"[[:alpha:":               "is not complete",
		"[[:beta:]]":              "there is no class [:beta:]",
		strings.Repeat("a", 4097): "more than 4096 bytes",
	} {
		var p Patterns
		if _, err := p.Add(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", line, err, want)
		}
		if p.LeavesOut("a", false) {
			t.Errorf("%.20q leaves out a file", line)
		}
		if err := p.AddFile("a\n" + line); err == nil || !strings.HasPrefix(err.Error(), "line 2: ") {
			t.Errorf("%.20q: %v does not name the line", line, err)
		}
	}
	for text, want := range map[string]string{
		"\n\xff\xfea\n": "line 2 is not UTF-8",
		"*\x00.\x00":    "line 1 holds a NUL byte",
	} {
		var p Patterns
		if err := p.AddFile(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestBytes: patterns of a command line and names may be of any encoding.
func TestBytes(t *testing.T) {
	var p Patterns
	if ok, err := p.Add("\xff[\x80-\xfe]?"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if !p.LeavesOut("d/\xff\x81\xff", false) || p.LeavesOut("\xffa\xff", false) {
		t.Error("a set of bytes")
	}
}

// TestHostile: a matcher that tried every split would not end before the tests are killed.
func TestHostile(t *testing.T) {
	deep := strings.Repeat("a/", 1000) + strings.Repeat("a", 2000)
	for _, line := range []string{
		strings.Repeat("**/", 1000) + "b",
		strings.Repeat("**/a/", 400) + "b",
		strings.Repeat("*a", 2000) + "b",
		strings.Repeat("**/*a*/", 500) + "b",
		strings.Repeat("*?", 1000) + "[b]",
		strings.Repeat("*[a-z]", 600) + "b",
	} {
		var p Patterns
		if _, err := p.Add(line); err != nil {
			t.Fatal(err)
		}
		if p.LeavesOut(deep, false) {
			t.Errorf("%.20q matches", line)
		}
	}
	var p Patterns
	if _, err := p.Add("**/a/**/a/**/b"); err != nil {
		t.Fatal(err)
	}
	if key := strings.Repeat("a/", 32<<10); p.LeavesOutFile(key) || p.LeavesOutFile(key[:longestPath-1]) {
		t.Error("a key that is longer than paths are, or as long, is left out")
	}
}
