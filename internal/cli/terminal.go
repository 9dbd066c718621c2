package cli

import (
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

func (a *app) terminal(stream any) bool { return a.sys.IsTerminal(stream) }

// outColumns is the width of the terminal that standard output is, or else no limit.
func (a *app) outColumns() int {
	if a.sys.Columns != nil && a.terminal(a.sys.Out) {
		if n := a.sys.Columns(a.sys.Out); n > 0 {
			return n
		}
	}
	return math.MaxInt
}

// colour reports whether standard output may be coloured.
func (a *app) colour() bool {
	return a.terminal(a.sys.Out) && a.sys.Getenv("NO_COLOR") == "" && a.sys.Getenv("TERM") != "dumb"
}

// shown is a key, or other text that the vault holds, as standard output gets it: quoted if it has
// control characters, which would make lines and columns of their own, and on a terminal also if it
// would not print as it is.
func (a *app) shown(text string) string {
	if a.terminal(a.sys.Out) && !plain(text) || !a.terminal(a.sys.Out) && !oneLine(text) {
		return strconv.Quote(text)
	}
	return text
}

// oneLine reports whether text has no control characters, and is not what strconv.Quote makes of
// one that has.
func oneLine(text string) bool {
	if strings.HasPrefix(text, `"`) {
		if _, err := strconv.Unquote(text); err == nil {
			return false
		}
	}
	return strings.IndexFunc(text, unicode.IsControl) < 0
}

// plain reports whether a terminal shows key as it is, and nobody could take it for a quoted one.
func plain(key string) bool {
	if !utf8.ValidString(key) || strings.HasPrefix(key, `"`) {
		return false
	}
	return strings.IndexFunc(key, func(r rune) bool { return !strconv.IsPrint(r) }) < 0
}

// looksBinary reports whether the start of a value would do a terminal harm, or tell a person
// nothing.
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

// sanitized is w, on the way to stream, as a sanitizer writer if that is a terminal.
func (a *app) sanitized(w io.Writer, stream any) io.Writer {
	if a.terminal(stream) {
		return &sanitizer{w: w}
	}
	return w
}

// sanitizer replaces what would control a terminal: the control characters of ASCII but tab and line
// feed, and those that UTF-8 writes as C2 80 to C2 9F.
type sanitizer struct {
	w io.Writer
	// lead says that the last byte was C2.
	lead bool
}

func (h *sanitizer) Write(p []byte) (int, error) {
	clean := make([]byte, 0, len(p))
	for _, b := range p {
		switch {
		case h.lead && b >= 0x80 && b < 0xa0:
			b = 0xbf // C2 BF is an inverted question mark
		case b < ' ' && b != '\t' && b != '\n', b == 0x7f:
			b = '?'
		}
		h.lead = b == 0xc2
		clean = append(clean, b)
	}
	if _, err := h.w.Write(clean); err != nil {
		return 0, err
	}
	return len(p), nil
}
