package preview

import (
	"bytes"
	"html/template"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer/html"
	nethtml "golang.org/x/net/html"

	"github.com/kohakuvault/kvault/web/internal/wire"
)

// markdown lets HTML through: sanitizer takes out of it what may not be.
var markdown = goldmark.New(
	goldmark.WithExtensions(extension.GFM),
	goldmark.WithParserOptions(parser.WithAutoHeadingID()),
	goldmark.WithRendererOptions(html.WithUnsafe()),
)

var sanitizer = newSanitizer()

func newSanitizer() *bluemonday.Policy {
	p := bluemonday.UGCPolicy()
	checkbox := regexp.MustCompile(`^checkbox$`) // of lists of tasks
	p.AllowAttrs("type").Matching(checkbox).OnElements("input")
	p.AllowAttrs("checked", "disabled").OnElements("input")
	return p
}

// maxMarks is how many characters that may mean something stand in one block. The time that
// goldmark takes for a block grows with their square.
const maxMarks = 1024

// maxCells is how many cells a table may have.
const maxCells = 20_000

// nested is a line that begins with more list items than anyone nests. The time that goldmark takes
// for them grows with their square.
var nested = regexp.MustCompile(`^[ \t>]*(?:(?:[-+*]|[0-9]{1,9}[.)])[ \t]+){50}`)

// simple reports whether the text can be parsed in a time that its length bounds.
func simple(text []byte) bool {
	marks, lines, columns := 0, 0, 0
	for line := range bytes.Lines(text) {
		if len(bytes.TrimSpace(line)) == 0 {
			marks, lines, columns = 0, 0, 0 // a block ends here
		}
		// Each row of a table is filled up to the width of its head.
		lines, columns = lines+1, max(columns, bytes.Count(line, []byte("|")))
		if lines*columns > maxCells {
			return false
		}
		for _, c := range line {
			if strings.IndexByte("*_~[]<>`", c) >= 0 {
				marks++
			}
		}
		if marks > maxMarks || nested.Match(line) {
			return false
		}
	}
	return true
}

// markdownOf returns the text of key as HTML, without anything that runs, submits, frames or
// styles. A text that would take too long is shown as it is stored.
func markdownOf(key string, text []byte) (template.HTML, error) {
	text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
	if !simple(text) {
		return template.HTML("<pre>" + template.HTMLEscapeString(string(text)) + "</pre>"), nil
	}
	var b strings.Builder
	ids := parser.WithContext(parser.NewContext(parser.WithIDs(headings{})))
	if err := markdown.Convert(text, &b, ids); err != nil {
		return "", err
	}
	return template.HTML(linked(key, sanitizer.Sanitize(b.String()))), nil
}

// headings counts the headings by the names that links to them have. goldmark's own search for a
// free name takes a time that grows with the square of the headings.
type headings map[string]int

// Generate returns "a-title" for "A Title!", and "a-title-1" for the next that is called so.
func (h headings) Generate(title []byte, _ ast.NodeKind) []byte {
	name := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		case r == ' ':
			return '-'
		}
		return -1
	}, string(title))
	n := h[name]
	h[name]++
	if n > 0 {
		name += "-" + strconv.Itoa(n)
	}
	return []byte(name)
}

// Put takes the name that a text gives to a heading. There is no syntax for that here.
func (h headings) Put([]byte) {}

// linked leads the relative links of the text of key to where its neighbours are, and has links
// open in a tab of their own.
func linked(key, text string) string {
	var b strings.Builder
	z := nethtml.NewTokenizer(strings.NewReader(text))
	for {
		kind := z.Next()
		if kind == nethtml.ErrorToken {
			return b.String() // the text ends here
		}
		raw := string(z.Raw()) // Token changes it
		t := z.Token()
		if kind != nethtml.StartTagToken && kind != nethtml.SelfClosingTagToken ||
			t.Data != "a" && t.Data != "area" && t.Data != "img" {
			b.WriteString(raw)
			continue
		}
		for i, a := range t.Attr {
			switch a.Key {
			case "src":
				t.Attr[i].Val = resolve(key, a.Val, "/v/")
			case "href":
				t.Attr[i].Val = resolve(key, a.Val, "/view/")
				if !strings.HasPrefix(a.Val, "#") {
					t.Attr = append(t.Attr, nethtml.Attribute{Key: "target", Val: "_blank"})
				}
			case "rel":
				t.Attr[i].Val = "nofollow noopener noreferrer"
			}
		}
		b.WriteString(t.String())
	}
}

// resolve returns the URL below mount of what a relative reference in the text of key leads to. A
// reference that begins with a slash begins at the root of the vault, and one that ends in one
// leads to a folder. It returns other references as they are.
func resolve(key, reference, mount string) string {
	u, err := url.Parse(reference)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Path == "" {
		return reference
	}
	to := u.Path
	if !strings.HasPrefix(to, "/") {
		to = key[:strings.LastIndexByte(key, '/')+1] + to
	}
	folder := strings.HasSuffix(to, "/")
	if to = strings.TrimPrefix(path.Clean("/"+to), "/"); to == "" {
		return "/"
	}
	if folder {
		to, mount = to+"/", "/b/"
	}
	resolved := wire.PathOf(mount, to)
	if u.Fragment != "" {
		resolved += "#" + u.EscapedFragment()
	}
	return resolved
}
