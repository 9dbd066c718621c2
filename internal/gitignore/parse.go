package gitignore

import (
	"fmt"
	"strings"
)

// byteSet is a set of bytes. Patterns are about bytes, not letters, as they are for git.
type byteSet [4]uint64

func (s *byteSet) has(b byte) bool { return s[b>>6]&(1<<(b&63)) != 0 }

func (s *byteSet) add(from, to byte) {
	for c := int(from); c <= int(to); c++ {
		s[c>>6] |= 1 << (c & 63)
	}
}

// invert makes the set that of all other bytes.
func (s *byteSet) invert() {
	for i := range s {
		s[i] = ^s[i]
	}
}

// parse splits a pattern at its slashes.
func parse(text string) (parts []part, err error) {
	var s part
	for i := 0; i < len(text); i++ {
		var e element
		c := text[i]
		switch {
		case c == '*':
			e.star = true
		case c == '?':
			e.set.invert()
		case c == '[':
			if e.set, i, err = parseSet(text, i+1); err != nil {
				return nil, err
			}
		case c == '\\' && i+1 == len(text):
			return nil, errOpen
		default:
			if c == '\\' {
				i++
				c = text[i]
			}
			if c == '/' {
				parts, s = append(parts, s), nil
				continue
			}
			e.set.add(c, c)
		}
		s = append(s, e)
	}
	return append(parts, s), nil
}

// classes are the sets that have a name within brackets, as ranges of bytes.
var classes = map[string]string{
	"alnum": "09AZaz", "alpha": "AZaz", "blank": "  \t\t", "cntrl": "\x00\x1f\x7f\x7f",
	"digit": "09", "graph": "!~", "lower": "az", "print": " ~", "punct": "!/:@[`{~",
	"space": "\t\r  ", "upper": "AZ", "xdigit": "09AFaf",
}

// parseSet reads the set whose first byte behind the bracket is text[i], and returns where its
// closing bracket is. A closing bracket that comes first is one of its bytes.
func parseSet(text string, i int) (set byteSet, end int, err error) {
	negated := i < len(text) && (text[i] == '!' || text[i] == '^')
	if negated {
		i++
	}
	low, ranges := byte(0), false // what a range could begin with
	for first := i; i < len(text); i++ {
		c := text[i]
		switch {
		case c == ']' && i > first:
			if negated {
				set.invert()
			}
			return set, i, nil
		case c == '[' && strings.HasPrefix(text[i+1:], ":"):
			name, length := className(text[i+2:])
			if length < 0 {
				return set, 0, errOpen
			}
			if length > 0 {
				class, known := classes[name]
				if !known {
					return set, 0, fmt.Errorf("there is no class [:%.20s:]", name)
				}
				for j := 0; j < len(class); j += 2 {
					set.add(class[j], class[j+1])
				}
				i, ranges = i+1+length, false
				continue
			}
		case c == '-' && ranges && i+1 < len(text) && text[i+1] != ']':
			i++
			if text[i] == '\\' {
				i++
			}
			if i == len(text) {
				return set, 0, errOpen
			}
			set.add(low, text[i])
			ranges = false
			continue
		case c == '\\':
			if i++; i == len(text) {
				return set, 0, errOpen
			}
			c = text[i]
		}
		set.add(c, c)
		low, ranges = c, true
	}
	return set, 0, errOpen
}

// className reads the name of a class up to its ":]", and returns how much of text that takes: 0 if
// the next bracket does not follow a colon, and -1 if there is none.
func className(text string) (name string, length int) {
	end := strings.IndexByte(text, ']')
	if end < 0 {
		return "", -1
	}
	name, isClass := strings.CutSuffix(text[:end], ":")
	if !isClass {
		return "", 0
	}
	return name, end + 1
}
