package exchange

import (
	"encoding/json"
	"strconv"
	"strings"
)

// anyForm is the type of a column for values of any form, of which null is one.
const anyForm = "msgpack"

// jsonGuess is of which kinds the values of a column are.
type jsonGuess struct {
	bools, ints, floats, texts, others bool
	large                              bool // an integer that a float cannot hold exactly
	huge                               bool // a number that no type holds exactly
}

func (g *jsonGuess) see(v any) {
	switch v := v.(type) {
	case bool:
		g.bools = true
	case string:
		g.texts = true
	case json.Number:
		g.seeNumber(v.String())
	default:
		g.others = true
	}
}

func (g *jsonGuess) seeNumber(text string) {
	if strings.ContainsAny(text, ".eE") {
		g.floats = true
		return
	}
	const exact = 1 << 53
	x, err := strconv.ParseInt(text, 10, 64)
	switch {
	case text == "-0":
		g.floats = true
	case err == nil:
		g.ints = true
		g.large = g.large || x > exact || x < -exact
	default:
		_, err := strconv.ParseUint(text, 10, 64)
		g.others, g.huge = true, g.huge || err != nil // as a value of any form it may have 64 bits without a sign
	}
}

// typ is the type that takes all values, or empty if there was none.
func (g *jsonGuess) typ() string {
	switch (jsonGuess{g.bools, g.ints, g.floats, g.texts, g.others, false, false}) {
	case jsonGuess{}:
		return ""
	case jsonGuess{bools: true}:
		return "bool"
	case jsonGuess{ints: true}:
		return "i64"
	case jsonGuess{floats: true}:
		return "f64"
	case jsonGuess{ints: true, floats: true}:
		if !g.large {
			return "f64"
		}
	case jsonGuess{texts: true}:
		return "str"
	}
	return anyForm
}
