package preview

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"strings"
)

const (
	// MaxJSON is the longest JSON text in bytes that is shown as a tree.
	MaxJSON = 512 << 10
	// maxNodes is how many values such a tree has, and maxDepth how many of them are in one another.
	maxNodes = 20_000
	maxDepth = 100
	// openDepth is how far the tree is open at first.
	openDepth = 2
)

var errLarge = errors.New("the JSON text is too large to be shown as a tree")

// JSON returns a JSON text as a tree of HTML whose objects and lists open and close without script.
// Numbers are as they stand, and members in their order, also where a name is there twice. The
// error says why the text is no JSON, or that it is too large; it is for people.
func JSON(text []byte) (template.HTML, error) {
	if len(text) > MaxJSON {
		return "", errLarge
	}
	if !json.Valid(text) {
		return "", errors.New("this is no valid JSON")
	}
	t := &tree{d: json.NewDecoder(bytes.NewReader(text))}
	t.d.UseNumber()
	if err := t.value("", 0); err != nil {
		return "", err
	}
	if _, err := t.d.Token(); err != io.EOF {
		return "", errors.New("there is more than one JSON value")
	}
	return template.HTML(t.b.String()), nil
}

type tree struct {
	d     *json.Decoder
	b     strings.Builder
	nodes int
}

// value writes the next value, behind its label, which is HTML.
func (t *tree) value(label string, depth int) error {
	if t.nodes++; t.nodes > maxNodes || depth > maxDepth {
		return errLarge
	}
	token, err := t.d.Token()
	if err != nil {
		return fmt.Errorf("this is no valid JSON: %w", err)
	}
	switch x := token.(type) {
	case json.Delim:
		return t.members(label, x, depth)
	case string:
		t.leaf(label, "string", quote(x))
	case json.Number:
		t.leaf(label, "number", x.String())
	default:
		t.leaf(label, "word", strings.ReplaceAll(fmt.Sprint(x), "<nil>", "null"))
	}
	return nil
}

// members writes an object or a list.
func (t *tree) members(label string, start json.Delim, depth int) error {
	outer := t.b
	t.b = strings.Builder{}
	n := 0
	for ; t.d.More(); n++ {
		name := fmt.Sprintf(`<span class="index">%d</span>`, n)
		if start == '{' {
			token, err := t.d.Token()
			if err != nil {
				return err
			}
			name = `<span class="member">` + template.HTMLEscapeString(quote(fmt.Sprint(token))) + "</span>"
		}
		if err := t.value(name+": ", depth+1); err != nil {
			return err
		}
	}
	inner := t.b.String()
	t.b = outer
	if _, err := t.d.Token(); err != nil { // the end of it
		return err
	}
	kind, open := "list", ""
	if start == '{' {
		kind = "object"
	}
	if depth < openDepth {
		open = " open"
	}
	if n == 0 {
		t.leaf(label, "word", "empty "+kind)
		return nil
	}
	fmt.Fprintf(&t.b, `<details%s><summary>%s<span class="soft">%s of %d</span></summary>`+
		`<div class="members">%s</div></details>`, open, label, kind, n, inner)
	return nil
}

func (t *tree) leaf(label, class, text string) {
	text = template.HTMLEscapeString(text)
	fmt.Fprintf(&t.b, `<div>%s<span class="%s">%s</span></div>`, label, class, text)
}

// quote returns a text as JSON has it.
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(s) // of a text it cannot fail
	return strings.TrimSuffix(b.String(), "\n")
}
