package exchange

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/jsonform"
)

// form is how elements of one Go type are written and read in all formats.
type form[T any] struct {
	text   func(dst []byte, x T) []byte
	json   func(dst []byte, x T) []byte
	quoted bool            // the text may need quotes in CSV
	picky  bool            // a column of the type need not take every x
	refuse func(x T) error // if not nil, says which x cannot be written
	arrow  arrow.DataType
	build  func(b array.Builder, xs []T)

	// parse must not keep text, which changes later.
	parse func(text string) (T, error)
	// fromJSON takes a value as jsonform.Reader gives it: a number is a json.Number.
	fromJSON func(v any) (T, error)
	// fromArrow returns element i of an array of any type it understands.
	fromArrow func(a arrow.Array, i int) (T, error)
	// values, if not nil, returns n elements of an array at once, and the bytes that they take beside
	// the T; nil if they must be taken one by one. Where the array has a null there is any T.
	values func(a arrow.Array, from, n int) (xs []T, bytes int)
	// take, if not nil, appends elements that values can give.
	take  func(dst []T, a arrow.Array, from, n int) (xs []T, bytes int, ok bool)
	nulls bool           // fromArrow takes nulls
	null  func(x T) bool // whether x is a null, of a nullable column
	size  func(x T) int  // about how many bytes an element takes beside the T
}

func unsupported(name, typ string) error {
	return &kvault.Error{Op: "exchange column", Key: name, Err: fmt.Errorf("elements of type %s: %w", typ, kvault.ErrUnsupported)}
}

// jsonString appends a string in JSON.
func jsonString(dst []byte, s string) []byte {
	b, _ := json.Marshal(s) // a string can always be written
	return append(dst, b...)
}

// number returns the text of a JSON number, or of a string that may stand for one.
func number(v any) (string, error) {
	switch v := v.(type) {
	case json.Number:
		return v.String(), nil
	case string:
		return v, nil
	}
	return "", wrongType(v, "a number")
}

func wrongType(v any, want string) error {
	if v == nil {
		return fmt.Errorf("null, want %s: the column is not nullable: make it one of its type with :null behind, or see column.AllowNulls: %w", want, kvault.ErrInvalid)
	}
	return fmt.Errorf("%v, want %s: %w", v, want, kvault.ErrInvalid)
}

func malformed(text, want string) error {
	return fmt.Errorf("%q is not %s: %w", excerpt(text), want, kvault.ErrInvalid)
}

func excerpt(text string) string {
	if len(text) > 60 {
		return text[:60] + "…"
	}
	return text
}

var intForm = &form[int64]{
	text:  func(dst []byte, x int64) []byte { return strconv.AppendInt(dst, x, 10) },
	json:  func(dst []byte, x int64) []byte { return strconv.AppendInt(dst, x, 10) },
	arrow: arrow.PrimitiveTypes.Int64,
	build: func(b array.Builder, xs []int64) { b.(*array.Int64Builder).AppendValues(xs, nil) },
	parse: func(text string) (int64, error) {
		if x, ok := shortInt(text); ok {
			return x, nil
		}
		return parseInt(unpadded(text))
	},
	fromJSON: func(v any) (int64, error) {
		text, err := number(v)
		if err != nil {
			return 0, err
		}
		return parseInt(text)
	},
	fromArrow: intOf,
	values:    int64s,
	take:      taking(int64s),
	size:      func(int64) int { return 0 },
}

// unpadded is the text of a number without the spaces that tables are aligned by.
func unpadded(text string) string { return strings.Trim(text, " ") }

func int64s(a arrow.Array, from, n int) ([]int64, int) {
	if a, ok := a.(*array.Int64); ok {
		return a.Int64Values()[from : from+n], 0
	}
	return nil, 0
}

func float64s(a arrow.Array, from, n int) ([]float64, int) {
	if a, ok := a.(*array.Float64); ok {
		return a.Float64Values()[from : from+n], 0
	}
	return nil, 0
}

// utf8s returns texts that share one copy of the array's bytes. Those that are not in UTF-8 are
// taken one by one, so that an error can name the row.
func utf8s(a arrow.Array, from, n int) (xs []string, bytes int) {
	texts, ok := a.(*array.String)
	if !ok || n == 0 {
		return nil, 0
	}
	offsets := texts.ValueOffsets()
	first, offsets := offsets[0], offsets[from:from+n+1]
	whole := string(texts.ValueBytes()[offsets[0]-first : offsets[n]-first])
	if !utf8.ValidString(whole) {
		return nil, 0
	}
	xs = make([]string, n)
	for i := range xs {
		xs[i] = whole[offsets[i]-offsets[0] : offsets[i+1]-offsets[0]]
		if xs[i] != "" && !utf8.RuneStart(xs[i][0]) {
			return nil, 0
		}
	}
	return xs, len(whole)
}

// taking takes elements of which none is null.
func taking[T any](values func(arrow.Array, int, int) ([]T, int)) func([]T, arrow.Array, int, int) ([]T, int, bool) {
	return func(dst []T, a arrow.Array, from, n int) ([]T, int, bool) {
		if n == 0 || a.NullN() > 0 {
			return dst, 0, false
		}
		xs, bytes := values(a, from, n)
		return append(dst, xs...), bytes, xs != nil
	}
}

// shortInt reads an integer that has so few digits that it cannot overflow, in less than half the
// time that strconv takes. It refuses what is written in another way, valid or not.
func shortInt(text string) (x int64, ok bool) {
	const most = 18
	digits := text
	if digits != "" && digits[0] == '-' {
		digits = digits[1:]
	}
	if digits == "" || len(digits) > most {
		return 0, false
	}
	for i := range len(digits) {
		if !isDigit(digits[i]) {
			return 0, false
		}
		x = 10*x + int64(digits[i]-'0')
	}
	if len(digits) < len(text) {
		x = -x
	}
	return x, true
}

func parseInt(text string) (int64, error) {
	x, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, malformed(text, "an integer of 64 bits")
	}
	return x, nil
}

func intOf(a arrow.Array, i int) (int64, error) {
	switch a := a.(type) {
	case *array.Int64:
		return a.Value(i), nil
	case *array.Int32:
		return int64(a.Value(i)), nil
	case *array.Int16:
		return int64(a.Value(i)), nil
	case *array.Int8:
		return int64(a.Value(i)), nil
	case *array.Uint64:
		if x := a.Value(i); x > math.MaxInt64 {
			return 0, fmt.Errorf("%d needs more than 63 bits: %w", x, kvault.ErrTooLarge)
		}
		return int64(a.Value(i)), nil
	case *array.Uint32:
		return int64(a.Value(i)), nil
	case *array.Uint16:
		return int64(a.Value(i)), nil
	case *array.Uint8:
		return int64(a.Value(i)), nil
	}
	return countOf(a, i)
}

func wrongArrow(a arrow.Array, typ string) error {
	return fmt.Errorf("values of type %s do not fit a column of type %s: %w", a.DataType(), typ, kvault.ErrInvalid)
}

var floatForm = &form[float64]{
	text: func(dst []byte, x float64) []byte {
		if !finite(x) {
			return strconv.AppendFloat(dst, x, 'g', -1, 64)
		}
		return jsonform.AppendFloat(dst, x, 64)
	},
	json:  func(dst []byte, x float64) []byte { return appendFloat(dst, x, 64) },
	arrow: arrow.PrimitiveTypes.Float64,
	build: func(b array.Builder, xs []float64) { b.(*array.Float64Builder).AppendValues(xs, nil) },
	parse: func(text string) (float64, error) { return parseFloat(unpadded(text)) },
	fromJSON: func(v any) (float64, error) {
		text, err := number(v)
		if err != nil {
			return 0, err
		}
		return parseFloat(text)
	},
	fromArrow: func(a arrow.Array, i int) (float64, error) {
		switch a := a.(type) {
		case *array.Float64:
			return a.Value(i), nil
		case *array.Float32:
			return float64(a.Value(i)), nil
		case *array.Float16:
			return float64(a.Value(i).Float32()), nil
		}
		if text, ok := decimalOf(a, i); ok {
			return parseFloat(text)
		}
		return 0, wrongArrow(a, "f64")
	},
	values: float64s,
	take:   taking(float64s),
	size:   func(float64) int { return 0 },
}

func parseFloat(text string) (float64, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, malformed(text, "a floating-point number of 64 bits")
	}
	return x, nil
}

func finite(x float64) bool { return !math.IsInf(x, 0) && !math.IsNaN(x) }

// textForm is the form of texts. UTF-8 of any length takes all that is parsed.
func textForm(typ string) *form[string] {
	var kept textKeeper
	f := &form[string]{
		text:   func(dst []byte, x string) []byte { return append(dst, x...) },
		json:   jsonString,
		quoted: true,
		picky:  typ != "str:utf8",
		arrow:  arrow.BinaryTypes.String,
		build:  func(b array.Builder, xs []string) { b.(*array.StringBuilder).AppendValues(xs, nil) },
		parse: func(text string) (string, error) {
			x, err := parseText(text, kept.keep)
			if err != nil {
				err = fmt.Errorf("%w; convert the file, as with %s", err, iconv("LATIN1"))
			}
			return x, err
		},
		fromJSON: func(v any) (string, error) {
			if s, ok := v.(string); ok {
				return s, nil
			}
			return "", wrongType(v, "a string")
		},
		fromArrow: func(a arrow.Array, i int) (string, error) {
			if text, ok := textOf(a, i); ok {
				return parseText(text, kept.keep)
			}
			if text, ok := decimalOf(a, i); ok {
				return text, nil
			}
			return "", wrongArrow(a, "str")
		},
		size: func(x string) int { return len(x) },
	}
	if !f.picky {
		f.values, f.take = utf8s, taking(utf8s)
	}
	return f
}

// textKeeper copies texts out of memory that changes later. Many short ones share an allocation,
// which lasts as long as any of them.
type textKeeper struct{ b strings.Builder }

func (t *textKeeper) keep(text string) string {
	const least, most = 64, 16 << 10 // bytes of an allocation: a table may have very many columns
	if t.b.Cap()-t.b.Len() < len(text) {
		room := min(max(2*t.b.Cap(), least), most)
		t.b.Reset()
		t.b.Grow(max(room, len(text)))
	}
	at := t.b.Len()
	t.b.WriteString(text)
	return t.b.String()[at:]
}

// parseText returns what keep makes of a text in UTF-8.
func parseText(text string, keep func(string) string) (string, error) {
	if !utf8.ValidString(text) {
		return "", malformed(text, "text in UTF-8")
	}
	return keep(text), nil
}

// bytesForm is the form of byte strings, of one length or of any.
func bytesForm(typ string) *form[[]byte] {
	most := fixedLength(typ)
	checked := func(x []byte, err error) ([]byte, error) {
		if err == nil && most > 0 && len(x) > most {
			return nil, fmt.Errorf("%d bytes, the column holds %d each: %w", len(x), most, kvault.ErrTooLarge)
		}
		return x, err
	}
	f := &form[[]byte]{
		text:   func(dst, x []byte) []byte { return base64.StdEncoding.AppendEncode(dst, x) },
		json:   func(dst, x []byte) []byte { return jsonString(dst, base64.StdEncoding.EncodeToString(x)) },
		quoted: true,
		arrow:  arrow.BinaryTypes.Binary,
		build:  func(b array.Builder, xs [][]byte) { b.(*array.BinaryBuilder).AppendValues(xs, nil) },
		parse:  func(text string) ([]byte, error) { return checked(parseBase64(text)) },
		fromJSON: func(v any) ([]byte, error) {
			if s, ok := v.(string); ok {
				return checked(parseBase64(s))
			}
			return nil, wrongType(v, "base64 in a string")
		},
		fromArrow: func(a arrow.Array, i int) ([]byte, error) { return checked(bytesOf(a, i, typ)) },
		size:      func(x []byte) int { return len(x) },
	}
	if most > 0 {
		f.arrow = &arrow.FixedSizeBinaryType{ByteWidth: most}
		f.build = func(b array.Builder, xs [][]byte) { b.(*array.FixedSizeBinaryBuilder).AppendValues(xs, nil) }
	}
	return f
}

// fixedLength is the N of the type bytes:N, or 0.
func fixedLength(typ string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(typ, "bytes:"))
	return n
}

func parseBase64(text string) ([]byte, error) {
	x, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, malformed(text, "base64")
	}
	return x, nil
}

func bytesOf(a arrow.Array, i int, typ string) ([]byte, error) {
	if x, ok := rawBytes(a, i); ok {
		return append([]byte{}, x...), nil
	}
	return nil, wrongArrow(a, typ)
}
