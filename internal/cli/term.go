package cli

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

func (a *app) terminal(stream any) bool { return a.sys.IsTerminal(stream) }

// colour reports whether standard output may be coloured.
func (a *app) colour() bool {
	return a.terminal(a.sys.Out) && a.sys.Getenv("NO_COLOR") == "" && a.sys.Getenv("TERM") != "dumb"
}

// shown is key as standard output gets it: on a terminal quoted if it would not print as it is, else untouched.
func (a *app) shown(key string) string {
	if !a.terminal(a.sys.Out) || plain(key) {
		return key
	}
	return strconv.Quote(key)
}

// plain reports whether a terminal shows key as it is, and nobody could take it for a quoted one.
func plain(key string) bool {
	if !utf8.ValidString(key) || strings.HasPrefix(key, `"`) {
		return false
	}
	return strings.IndexFunc(key, func(r rune) bool { return !strconv.IsPrint(r) }) < 0
}

// looksBinary reports whether the start of a value would do a terminal harm, or tell a person nothing.
func looksBinary(start []byte) bool {
	for len(start) > 0 {
		r, n := utf8.DecodeRune(start)
		switch {
		case r == utf8.RuneError && n == 1:
			// What looks invalid at the very end may only be cut off.
			if utf8.FullRune(start) {
				return true
			}
			return false
		case unicode.IsControl(r) && !strings.ContainsRune("\t\n\r\f", r):
			return true
		}
		start = start[n:]
	}
	return false
}
