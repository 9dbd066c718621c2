package typed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDigits bounds an integer, whose conversion takes time in proportion to the square of its length. Python has the same limit.
const maxDigits = 4300

func decodeJSON(b []byte) (any, error) {
	if !utf8.Valid(b) {
		return nil, errNotUTF8
	}
	b, nan := strictJSON(b)
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the value")
	}
	return plainJSON(v, nan, 0)
}

func plainJSON(v any, nan json.Number, depth int) (_ any, err error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	switch v := v.(type) {
	case json.Number:
		if v == nan {
			return math.NaN(), nil
		}
		return number(string(v))
	case []any:
		for i := range v {
			if v[i], err = plainJSON(v[i], nan, depth+1); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range v {
			if v[key], err = plainJSON(v[key], nan, depth+1); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// number reads a number of JSON as Python does: one without a point or an exponent is an integer, and floats overflow to infinity.
func number(s string) (any, error) {
	if strings.ContainsAny(s, ".eE") {
		f, err := strconv.ParseFloat(s, 64)
		if errors.Is(err, strconv.ErrRange) {
			err = nil
		}
		return f, err
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

// strictJSON replaces the words NaN and Infinity, which Python writes for floats that JSON does not have: an infinity by a number that
// overflows to it, and NaN by a number that does not occur otherwise, which is returned.
func strictJSON(b []byte) ([]byte, json.Number) {
	const nanWord, infinityWord, infinity = "NaN", "Infinity", "1e999"
	if !bytes.Contains(b, []byte(nanWord)) && !bytes.Contains(b, []byte(infinityWord)) {
		return b, ""
	}
	// Which number that is cannot be told beforehand: else a payload could have all of them that are short.
	nan := ""
	for nan == "" || bytes.Contains(b, []byte(nan)) {
		nan = "0e" + strconv.FormatUint(rand.Uint64(), 10)
	}
	out := make([]byte, 0, len(b)+len(nan))
	for len(b) > 0 {
		n := 1
		switch {
		case b[0] == '"':
			n = quotedLen(b)
			out = append(out, b[:n]...)
		case bytes.HasPrefix(b, []byte(nanWord)):
			n = len(nanWord)
			out = append(out, nan...)
		case bytes.HasPrefix(b, []byte(infinityWord)):
			n = len(infinityWord)
			out = append(out, infinity...)
		default:
			out = append(out, b[0])
		}
		b = b[n:]
	}
	return out, json.Number(nan)
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

// replacedText says whether JSON that encoding/json wrote has text in the place of one that was not UTF-8. It writes the replacement
// character so, as an escape, only then.
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
