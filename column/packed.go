package column

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/plain"
)

// packed is one of the formats for values of any form.
type packed struct {
	name  string
	depth int // how deep values may lie in one another
	// marshal appends x to dst. The keys of maps may be in any order.
	marshal func(dst []byte, x any) ([]byte, error)
	// head reads the beginning of a value, of those that marshal writes at least.
	head func(b []byte) (head, bool)
	// length is that of the value that b begins with. If it gives no error, unmarshal neither runs
	// out of stack nor of memory.
	length func(b []byte) (int, error)
	// unmarshal reads b into the variable that p points to.
	unmarshal func(b []byte, p any) error
}

// head is the beginning of an encoded value.
type head struct {
	size     int    // of itself
	payload  uint64 // bytes that follow
	children uint64 // values that follow those; of a map its keys and values, in turn
	text     bool   // the payload is text
	dict     bool
}

// packedCodec keeps values of type T in one of the formats.
type packedCodec[T any] struct {
	*packed
	fixed bool
	size  int
}

func (c *packedCodec[T]) Type() string { return (&typeName{base: c.name, size: c.size}).String() }
func (c *packedCodec[T]) Size() int    { return c.size }
func (c *packedCodec[T]) check() error { return checkSize(c.fixed, c.size) }

func (c *packedCodec[T]) Append(dst []byte, x T) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	before := len(dst)
	dst, err := c.marshal(dst, x)
	if err == nil {
		var n int
		if n, err = c.walk(dst[before:], 0, true); err == nil && n != len(dst)-before {
			err = errMalformed
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%T as %s: %w: %w", x, c.name, err, kvault.ErrInvalid)
	}
	if !c.fixed {
		return dst, nil
	}
	return pad(dst, before, c.size)
}

// placeholder is what a null leaves in the data of a nullable column: a null of the format, for
// programs that read the data alone.
func (c *packedCodec[T]) placeholder() []byte {
	b, err := c.marshal(nil, nil)
	if err != nil {
		panic(err) // nil can always be encoded
	}
	return append(b, make([]byte, max(c.size-len(b), 0))...)
}

func (c *packedCodec[T]) Decode(b []byte) (x T, err error) {
	n, err := c.length(b)
	if err == nil && (!c.fixed && n < len(b) || len(bytes.TrimRight(b[n:], "\x00")) > 0) {
		err = errBehind
	}
	if err != nil {
		return x, fmt.Errorf("%w: element in %s: %w", kvault.ErrCorrupt, c.name, err)
	}
	if err := c.unmarshal(b[:n], &x); err != nil {
		return x, fmt.Errorf("element in %s does not fit %s: %w: %w", c.name, reflect.TypeFor[T](), err, kvault.ErrInvalid)
	}
	if err := plain.Variable(&x); err != nil {
		return x, fmt.Errorf("%w: element in %s: %w", kvault.ErrCorrupt, c.name, err)
	}
	return x, nil
}

var (
	errMalformed = errors.New("it is malformed")
	errBehind    = errors.New("something follows it")
	errText      = errors.New("it has text that is not valid UTF-8")
)

// walk goes through the value that b begins with and returns its length. If it is to sort, it puts
// the keys of all maps in order, by their bytes, which is how the Python package writes them.
func (p *packed) walk(b []byte, depth int, sort bool) (int, error) {
	if depth > p.depth {
		return 0, fmt.Errorf("values lie more than %d deep in one another", p.depth)
	}
	h, ok := p.head(b)
	if !ok || h.payload > uint64(len(b)-h.size) || h.children > uint64(len(b)-h.size) {
		return 0, errMalformed
	}
	at := h.size + int(h.payload)
	if h.text && !utf8.Valid(b[h.size:at]) {
		return 0, errText
	}
	var few [16]int
	ends, begin := few[:0], at // where the keys and values of a map end
	var before []byte
	ascending := true // the keys are texts in order, as most are
	for i := range h.children {
		n, err := p.walk(b[at:], depth+1, sort)
		if err != nil {
			return 0, err
		}
		if h.dict && i%2 == 0 {
			key, _ := p.head(b[at : at+n])
			text := b[at+key.size : at+n]
			ascending = ascending && key.text && (i == 0 || bytes.Compare(before, text) < 0)
			before = text
		}
		if at += n; h.dict {
			ends = append(ends, at)
		}
	}
	if ascending {
		return at, nil
	}
	pairs := p.pairs(b, begin, ends)
	if err := p.distinct(pairs); err != nil {
		return 0, err
	}
	if sort {
		sortPairs(pairs)
	}
	return at, nil
}

// pair is a key without its head, the whole key, and that with its value.
type pair struct {
	key, whole, both []byte
	text             bool
}

// pairs are those of a map in b that begin at begin. They lie side by side, and each key and each
// value ends at one of ends.
func (p *packed) pairs(b []byte, begin int, ends []int) []pair {
	pairs := make([]pair, len(ends)/2)
	for i := range pairs {
		whole := b[begin:ends[2*i]]
		key, _ := p.head(whole)
		pairs[i] = pair{whole[key.size:], whole, b[begin:ends[2*i+1]], key.text}
		begin = ends[2*i+1]
	}
	return pairs
}

// distinct refuses two keys that would be one once they have been read: the same text, or the same
// number in two widths.
func (p *packed) distinct(pairs []pair) error {
	seen := make(map[any]struct{}, len(pairs))
	for _, pair := range pairs {
		key := p.keyOf(pair)
		if _, twice := seen[key]; twice {
			return fmt.Errorf("a map has the key %.100v twice, or in two widths: only one entry could be kept", key)
		}
		seen[key] = struct{}{}
	}
	return nil
}

// keyOf is the text or the number that a key is, or its encoded form.
func (p *packed) keyOf(key pair) any {
	if key.text {
		return string(key.key)
	}
	var x any
	if h, _ := p.head(key.whole); h.children == 0 && p.unmarshal(key.whole, &x) == nil {
		switch x := plain.Number(x).(type) {
		case int64, uint64, float64:
			return x
		}
	}
	type encoded string
	return encoded(key.whole)
}

// sortPairs puts pairs in order that lie side by side, where they lie.
func sortPairs(pairs []pair) {
	byKey := func(a, b pair) int { return cmp.Or(bytes.Compare(a.key, b.key), bytes.Compare(a.both, b.both)) }
	if slices.IsSortedFunc(pairs, byKey) {
		return
	}
	first := pairs[0].both
	slices.SortStableFunc(pairs, byKey)
	var all []byte
	for _, p := range pairs {
		all = append(all, p.both...)
	}
	copy(first[:len(all)], all)
}
