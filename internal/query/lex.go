// Package query chooses rows of columns of one length: by a condition, at random, in an order. It
// is no SQL: there is one table, and nothing is computed.
package query

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SyntaxError says what is wrong with a condition, and where.
type SyntaxError struct {
	// At is the number of the character, from 1.
	At   int
	Text string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("condition, at character %d: %s", e.At, e.Text)
}

// kind is that of a token.
type kind int

const (
	end kind = iota
	name
	quotedName
	text
	number
	operator // = != < <= > >=
	open
	closing
)

type token struct {
	kind kind
	text string
	at   int // in bytes
}

// is says whether t is that keyword, in capitals or not.
func (t token) is(keyword string) bool { return t.kind == name && strings.EqualFold(t.text, keyword) }

func (t token) String() string {
	switch t.kind {
	case end:
		return "the end"
	case text:
		return "'" + strings.ReplaceAll(t.text, "'", "''") + "'"
	case quotedName:
		return `"` + strings.ReplaceAll(t.text, `"`, `""`) + `"`
	}
	return t.text
}

// lexer takes a condition apart.
type lexer struct {
	source string
	at     int
}

// fail is an error at a byte of the condition.
func (l *lexer) fail(at int, format string, args ...any) error {
	return &SyntaxError{utf8.RuneCountInString(l.source[:at]) + 1, fmt.Sprintf(format, args...)}
}

func (l *lexer) next() (token, error) {
	rest := strings.TrimLeftFunc(l.source[l.at:], unicode.IsSpace)
	l.at = len(l.source) - len(rest)
	if rest == "" {
		return token{end, "", l.at}, nil
	}
	r, size := utf8.DecodeRuneInString(rest)
	switch {
	case r == '(':
		return l.take(open, size), nil
	case r == ')':
		return l.take(closing, size), nil
	case r == '\'':
		return l.quoted(text, '\'')
	case r == '"' || r == '`':
		return l.quoted(quotedName, byte(r))
	case strings.ContainsRune("=!<>", r):
		return l.operator()
	case strings.ContainsRune("+-.0123456789", r):
		return l.number()
	case r == '_' || unicode.IsLetter(r):
		n := strings.IndexFunc(rest, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r) && !strings.ContainsRune("_./-:", r)
		})
		if n < 0 {
			n = len(rest)
		}
		return l.take(name, n), nil
	}
	return token{}, l.fail(l.at, "%q has no meaning here; quote the names of columns that have it, as in \"a b\"", r)
}

func (l *lexer) take(k kind, n int) token {
	t := token{k, l.source[l.at : l.at+n], l.at}
	l.at += n
	return t
}

// quoted takes what stands between two quotes; a quote in it is doubled.
func (l *lexer) quoted(k kind, quote byte) (token, error) {
	t := token{kind: k, at: l.at}
	var b strings.Builder
	for i := l.at + 1; i < len(l.source); i++ {
		if l.source[i] != quote {
			b.WriteByte(l.source[i])
			continue
		}
		if i+1 < len(l.source) && l.source[i+1] == quote {
			b.WriteByte(quote)
			i++
			continue
		}
		t.text, l.at = b.String(), i+1
		return t, nil
	}
	return t, l.fail(l.at, "the quote %c has no end", quote)
}

func (l *lexer) operator() (token, error) {
	rest := l.source[l.at:]
	for _, wrong := range [][2]string{{"==", "="}, {"<>", "!="}} {
		if strings.HasPrefix(rest, wrong[0]) {
			return token{}, l.fail(l.at, "write %s for %s", wrong[1], wrong[0])
		}
	}
	for _, op := range []string{"!=", "<=", ">=", "=", "<", ">"} {
		if strings.HasPrefix(rest, op) {
			return l.take(operator, len(op)), nil
		}
	}
	return token{}, l.fail(l.at, `write "not" for !`)
}

// number takes a sign, digits with a point, and an exponent.
func (l *lexer) number() (token, error) {
	rest := l.source[l.at:]
	n := 0
	digits := func() (count int) {
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n, count = n+1, count+1
		}
		return count
	}
	if rest[n] == '+' || rest[n] == '-' {
		n++
	}
	count := digits()
	if n < len(rest) && rest[n] == '.' {
		n++
		count += digits()
	}
	good := count > 0
	if good && n < len(rest) && (rest[n] == 'e' || rest[n] == 'E') {
		if n++; n < len(rest) && (rest[n] == '+' || rest[n] == '-') {
			n++
		}
		good = digits() > 0
	}
	if next, _ := utf8.DecodeRuneInString(rest[n:]); !good || next == '_' || next == '.' || unicode.IsLetter(next) {
		return token{}, l.fail(l.at, "this is no number; quote texts and dates as in '2013-01-31', and names of columns as in \"2nd\"")
	}
	return l.take(number, n), nil
}
