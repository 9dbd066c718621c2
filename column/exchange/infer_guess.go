package exchange

import (
	"cmp"
	"context"

	"github.com/apache/arrow-go/v18/arrow"
)

// guess is a sink that keeps nothing of a column but of which type its values are.
type guess struct {
	head  heading
	text  textGuess
	json  jsonGuess
	nulls bool
	// absent says that a value was not even null, as where an object in JSON lacks the key.
	absent bool
	bytes  int
}

func (g *guess) addText(text string, null bool) error {
	if g.bytes += len(text); null {
		return g.addNull()
	}
	g.text.see(text)
	return nil
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

func (g *guess) addArrow(a arrow.Array, i int) error {
	g.nulls = g.nulls || a.IsNull(i)
	return nil
}

func (g *guess) write(context.Context) error { return nil }

// typ is the type that takes all values so far. Of a column without any value nothing is known; text takes most of what may come.
func (g *guess) typ() string {
	typ := cmp.Or(g.head.typ, g.head.kept, g.text.typ(), g.json.typ(), "str")
	if g.nulls && (typ != anyForm || g.absent) {
		typ += ":null"
	}
	return typ
}
