package typed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// maxDepth is how deep a value may nest. It is what the Python package reads of MessagePack.
const maxDepth = 1024

var errTooDeep = fmt.Errorf("it nests deeper than %d levels", maxDepth)

// mpReader decodes MessagePack. The library's own way to decode any value would follow any depth,
// down to the end of the stack.
type mpReader struct {
	in  *bytes.Reader
	dec *msgpack.Decoder
}

func decodeMessagePack(b []byte) (any, error) {
	in := bytes.NewReader(b)
	r := mpReader{in, msgpack.NewDecoder(in)} // it reads from in as it goes, so in.Len is what is left
	v, err := r.value(0)
	if err == nil && in.Len() > 0 {
		err = fmt.Errorf("%d bytes follow the value", in.Len())
	}
	return v, err
}

func (r mpReader) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	code, err := r.dec.PeekCode()
	switch {
	case err != nil:
		return nil, err
	case code == msgpcode.Nil:
		return nil, r.dec.DecodeNil()
	case code == msgpcode.False, code == msgpcode.True:
		return r.dec.DecodeBool()
	case code == msgpcode.Float, code == msgpcode.Double:
		return r.dec.DecodeFloat64()
	case msgpcode.Uint8 <= code && code <= msgpcode.Uint64:
		n, err := r.dec.DecodeUint64()
		return smallest(n), err
	case msgpcode.IsFixedNum(code), msgpcode.Int8 <= code && code <= msgpcode.Int64:
		return r.dec.DecodeInt64()
	case msgpcode.IsString(code):
		return r.text()
	case msgpcode.IsBin(code):
		if err := r.announced(); err != nil {
			return nil, err
		}
		return r.dec.DecodeBytes()
	case msgpcode.IsFixedArray(code), code == msgpcode.Array16, code == msgpcode.Array32:
		return r.array(depth)
	case msgpcode.IsFixedMap(code), code == msgpcode.Map16, code == msgpcode.Map32:
		return r.table(depth)
	}
	return nil, fmt.Errorf("code %02x, an extension, is of no type that is known", code)
}

// smallest is n as an int64 if it fits.
func smallest(n uint64) any {
	if n <= math.MaxInt64 {
		return int64(n)
	}
	return n
}

// announced fails if a text, or bytes, are said to be longer than what is left. Where an int has 32
// bits the library would take some lengths for negative ones.
func (r mpReader) announced() error {
	var head [5]byte
	n, _ := r.in.ReadAt(head[:], r.in.Size()-int64(r.in.Len())) // one that is shorter has no such length
	if n < len(head) || head[0] != msgpcode.Str32 && head[0] != msgpcode.Bin32 {
		return nil
	}
	if size := binary.BigEndian.Uint32(head[1:]); int64(size) > int64(r.in.Len()) {
		return fmt.Errorf("%d bytes are announced where %d are left", size, r.in.Len())
	}
	return nil
}

func (r mpReader) text() (string, error) {
	if err := r.announced(); err != nil {
		return "", err
	}
	s, err := r.dec.DecodeString()
	if err == nil && !utf8.ValidString(s) {
		err = errNotUTF8
	}
	return s, err
}

var errNotUTF8 = errors.New("text is not UTF-8")

// room bounds what is set aside for the announced number of items before they have been seen.
const room = 64

func (r mpReader) array(depth int) (any, error) {
	n, err := r.dec.DecodeArrayLen()
	if err == nil && uint(n) > uint(r.in.Len()) { // an int of 32 bits is negative where there are too many
		err = fmt.Errorf("a list of %d items ends after %d bytes", uint32(n), r.in.Len())
	}
	if err != nil {
		return nil, err
	}
	list := make([]any, 0, min(n, room))
	for range n {
		item, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, nil
}

func (r mpReader) table(depth int) (any, error) {
	n, err := r.dec.DecodeMapLen()
	if err == nil && uint(n) > uint(r.in.Len()/2) {
		err = fmt.Errorf("a map of %d entries ends after %d bytes", uint32(n), r.in.Len())
	}
	if err != nil {
		return nil, err
	}
	table := make(map[string]any, min(n, room))
	for range n {
		code, err := r.dec.PeekCode()
		if err == nil && !msgpcode.IsString(code) {
			err = fmt.Errorf("a map has a key of code %02x, which is no text", code)
		}
		if err != nil {
			return nil, err
		}
		key, err := r.text()
		if err != nil {
			return nil, err
		}
		if _, twice := table[key]; twice {
			return nil, fmt.Errorf("a map has the key %.100q twice", key)
		}
		if table[key], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return table, nil
}

func encodeMessagePack(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := msgpack.NewEncoder(&b)
	enc.UseCompactInts(true)
	enc.SetSortMapKeys(true)
	err := enc.Encode(v)
	return b.Bytes(), err
}
