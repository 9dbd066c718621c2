package exchange

import (
	"cmp"
	"context"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// guess is a sink that keeps nothing of a column but of which type its values are.
type guess struct {
	head heading
	text textGuess
	// values is text without those that often stand for null, of which word is one.
	values textGuess
	word   string
	words  bool // there were several
	json   jsonGuess
	nulls  bool
	// absent says that a value was not even null, as where an object in JSON lacks the key.
	absent bool
	bytes  int
}

func (g *guess) addText(text string, null bool) error {
	if g.bytes += len(text); null {
		return g.addNull()
	}
	g.text.see(text)
	if word := g.word; !nullWords[text] {
		g.values.see(text)
	} else if g.word = strings.Clone(text); word != "" && word != text {
		g.words = true
	}
	return nil
}

// nullWords are texts by which tables say that a value is missing.
var nullWords = map[string]bool{"NA": true, "N/A": true, "n/a": true, "NULL": true, "null": true, "None": true, "NaN": true, "nan": true, "-": true, "?": true, ".": true}

// saysNull is the word that keeps the column from another type than text, or empty.
func (g *guess) saysNull() string {
	if g.head.typ != "" || g.word == "" || g.words || g.typ() == g.values.typ() || g.text.typ() != "str" || !g.values.some || g.values.typ() == "str" {
		return ""
	}
	return g.word
}

func (g *guess) nullable() bool { return true }

func (g *guess) addNull() error {
	g.nulls, g.absent = true, true
	return nil
}

func (g *guess) addJSON(v any) error {
	if v == nil {
		g.nulls = true
	} else {
		g.json.see(v)
	}
	return nil
}

func (g *guess) addArrows(a arrow.Array, from, n int) (int, error) {
	for i := from; i < from+n && !g.nulls; i++ {
		g.nulls = isNull(a, i)
	}
	return n, nil
}

func (g *guess) turn() {}

func (g *guess) write(context.Context) error { return nil }

// typ is the type that takes all values so far. Of a column without any value nothing is known;
// text takes most of what may come.
func (g *guess) typ() string {
	typ := cmp.Or(g.head.typ, g.head.kept, g.text.typ(), g.json.typ(), "str")
	if g.nulls && (typ != anyForm || g.absent) {
		typ += ":null"
	}
	return typ
}
