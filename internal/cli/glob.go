package cli

import (
	"path"
	"slices"
	"strings"
)

// longestGlob bounds what a hostile pattern costs: matching takes time in proportion to the length
// of the pattern times that of the key.
const longestGlob = 1024

const globHelp = `In a GLOB, * stands for any characters but "/", ? for one of them, [a-z] for one
of a set, and ** between slashes for folders of any depth. A backslash takes the
special meaning from the next character. Quote a GLOB, since the shell would
replace it by names of files.`

// glob selects keys by a pattern of path.Match for each part, with "**" for any number of parts.
type glob struct {
	parts []string
	// fixed is what all keys that match begin with.
	fixed string
}

// parseGlob reads the GLOB that a flag of a command gives.
func parseGlob(flag, text string) (*glob, error) {
	if text == "" || len(text) > longestGlob {
		return nil, usagef("--%s is empty, or longer than %d bytes", flag, longestGlob)
	}
	g := &glob{parts: strings.Split(text, "/"), fixed: text}
	if i := strings.IndexAny(text, `*?[\`); i >= 0 {
		g.fixed = text[:i]
	}
	for _, part := range g.parts {
		if _, err := path.Match(part, ""); err != nil {
			return nil, usagef(`--%s %q: %q has a "[" or a backslash that is not complete`, flag, text, part)
		}
		if strings.Contains(part, "**") && part != "**" {
			return nil, usagef(`--%s %q: "**" stands alone between slashes`, flag, text)
		}
	}
	// "a/**" is what lies below a, and not a itself.
	if g.parts[len(g.parts)-1] == "**" {
		g.parts = append(g.parts, "*")
	}
	g.parts = slices.CompactFunc(g.parts, func(x, y string) bool { return x == "**" && y == "**" })
	return g, nil
}

// folder is the folder that all keys which match lie in.
func (g *glob) folder() string { return g.fixed[:strings.LastIndexByte(g.fixed, '/')+1] }

// match reports whether the whole key matches. It tries again only from the last "**" that it met,
// so the time does not explode.
func (g *glob) match(key string) bool {
	names := strings.Split(key, "/")
	at, part, again, deep := 0, 0, 0, -1
	for at < len(names) {
		switch {
		case part < len(g.parts) && g.parts[part] == "**":
			deep, again = part, at
			part++
			continue
		case part < len(g.parts) && matchPart(g.parts[part], names[at]):
			at, part = at+1, part+1
			continue
		case deep < 0:
			return false
		}
		again++
		at, part = again, deep+1
	}
	return part == len(g.parts)
}

func matchPart(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}
