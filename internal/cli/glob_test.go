package cli

import (
	"strings"
	"testing"
)

func TestGlob(t *testing.T) {
	tests := []struct {
		glob, fixed string
		yes, no     string // keys, separated by spaces
	}{
		{"a", "a", "a", "b a/a"},
		{"a/a/b", "a/a/b", "a/a/b", "a/b"},
		{"*.txt", "", "x.txt .txt", "a/x.txt x.txt/"},
		{"a/*.txt", "a/", "a/x.txt", "a/b/x.txt b/x.txt"},
		{"a/**", "a/", "a/b a/b/c a/", "a ab"},
		{"**", "", "a a/b /", ""},
		{"**/*.txt", "", "x.txt a/x.txt a/b/x.txt", "x.go a/x.txt/b"},
		{"a/**/b/*.go", "a/", "a/b/x.go a/1/2/b/x.go a/b/b/x.go", "a/x.go b/x.go a/b/c/x.go"},
		{"a/**/**/b", "a/", "a/b a/x/b", "a/x"},
		{"**/a/**/b", "", "a/b x/a/y/a/b a/b/b", "b a b/a"},
		{`\*`, "", "*", "a **"},
		{"?[a-c]", "", "xa \xffb", "xd a"},
		{"user:*", "user:", "user:1 user:", "user user:1/x"},
	}
	for _, test := range tests {
		g, err := parseGlob("glob", test.glob)
		if err != nil {
			t.Fatal(err)
		}
		if g.fixed != test.fixed {
			t.Errorf("%q: fixed %q, not %q", test.glob, g.fixed, test.fixed)
		}
		for key := range strings.FieldsSeq(test.yes) {
			if !g.match(key) {
				t.Errorf("%q does not match %q", test.glob, key)
			}
		}
		for key := range strings.FieldsSeq(test.no) {
			if g.match(key) {
				t.Errorf("%q matches %q", test.glob, key)
			}
		}
	}
}

func TestBadGlob(t *testing.T) {
	for _, text := range []string{"[", "a[b", `a\`, "a**", "**a", "a/**b/c", "[]", strings.Repeat("a", longestGlob+1)} {
		if _, err := parseGlob("glob", text); err == nil {
			t.Errorf("parseGlob takes %.20q", text)
		}
	}
}

// A matcher that tries every way would not end within the age of the world.
func TestGlobsDoNotExplode(t *testing.T) {
	for text, key := range map[string]string{
		strings.Repeat("*a", 500) + "b":    strings.Repeat("a", 60_000),
		strings.Repeat("**/a/", 200) + "b": strings.Repeat("a/", 30_000),
		"**/*/b":                           strings.Repeat("a/", 30_000),
		strings.Repeat("[a-b]*", 170):      strings.Repeat("a", 160) + "c",
	} {
		g, err := parseGlob("glob", text)
		if err != nil {
			t.Fatal(err)
		}
		if g.match(key) {
			t.Errorf("%.20q matches %.20q", text, key)
		}
	}
}
