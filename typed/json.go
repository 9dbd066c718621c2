package typed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/kohakuvault/kvault/internal/jsonform"
)

// maxDigits bounds an integer, whose conversion takes time in proportion to the square of its
// length. Python has the same limit.
const maxDigits = 4300

func decodeJSON(b []byte) (any, error) {
	b, words := plainWords(b)
	r := jsonform.NewReader(bytes.NewReader(b))
	r.MaxDepth = maxDepth
	r.Number = func(text string, at int64) (any, error) {
		if len(words) == 0 || at+int64(len(text)) <= words[0].at {
			return number(text)
		}
		word := words[0]
		words = words[1:]
		if at < word.at { // its sign
			return -word.value, nil
		}
		return word.value, nil
	}
	v, err := r.Read()
	switch {
	case err == io.EOF:
		err = errors.New("there is nothing")
	case errors.Is(err, jsonform.ErrTooDeep):
		err = errTooDeep
	case err == nil:
		err = r.End()
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

// number reads a number of JSON as Python does: one without a point or an exponent is an integer.
func number(s string) (any, error) {
	if strings.ContainsAny(s, ".eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, fmt.Errorf("%.40s is above every floating-point number of 64 bits", s)
		}
		return f, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, nil
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return n, nil
	}
	if len(s) > maxDigits {
		return nil, fmt.Errorf("an integer of %d digits, at most %d are possible", len(s), maxDigits)
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return nil, fmt.Errorf("%q is no number", s)
	}
	return n, nil
}

// word is one of the words that Python writes for floats that JSON does not have, and the number
// that it stands for.
type word struct {
	at    int64
	value float64
}

// plainWords replaces the words NaN, Infinity and -Infinity, where they are a value, by numbers of
// the same length.
func plainWords(b []byte) ([]byte, []word) {
	const nan, infinity = "NaN", "Infinity"
	if !bytes.Contains(b, []byte(nan)) && !bytes.Contains(b, []byte(infinity)) {
		return b, nil
	}
	b = bytes.Clone(b)
	var words []word
	for i := 0; i < len(b); {
		switch rest := b[i:]; {
		case b[i] == '"':
			i += quotedLen(rest)
		case bytes.HasPrefix(rest, []byte(nan)) && standsAlone(b, i, i+len(nan)):
			words = append(words, word{int64(i), math.NaN()})
			i += copy(rest, "0e0")
		case bytes.HasPrefix(rest, []byte(infinity)) && standsAlone(b, i-signs(b[:i]), i+len(infinity)):
			words = append(words, word{int64(i), math.Inf(1)})
			i += copy(rest, "1e000000")
		default:
			i++
		}
	}
	return b, words
}

// signs is 1 if b ends in a minus.
func signs(b []byte) int {
	if bytes.HasSuffix(b, []byte("-")) {
		return 1
	}
	return 0
}

// standsAlone says that b[start:end] is not part of anything longer.
func standsAlone(b []byte, start, end int) bool {
	const before, behind = " \t\r\n[:,", " \t\r\n]},"
	return (start == 0 || strings.IndexByte(before, b[start-1]) >= 0) && (end == len(b) || strings.IndexByte(behind, b[end]) >= 0)
}

// quotedLen is the length of the string that b begins with.
func quotedLen(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	if err == nil && replacedText(b.Bytes()) {
		err = errNotUTF8
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// replacedText says whether JSON that encoding/json wrote has text in the place of one that was not
// UTF-8. It writes the replacement character so, as an escape, only then.
func replacedText(b []byte) bool {
	const escape = "ufffd"
	for {
		at := bytes.IndexByte(b, '\\')
		if at < 0 || at+1 == len(b) {
			return false
		}
		if b = b[at+1:]; bytes.HasPrefix(b, []byte(escape)) {
			return true
		}
		b = b[1:] // a backslash that was escaped begins nothing
	}
}
