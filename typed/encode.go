package typed

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"unicode/utf8"
)

// Encode encodes v as the Python package encodes such a value, header included:
//
//	[]byte, and types made of it    raw, with a header only if it needs one
//	string                          Text
//	integers                        DataPacker, or MessagePack where that would be read as another number
//	float32, float64                the same
//	Vector, slices of numbers       DataPacker; a []byte is raw
//	Pickled                         Pickle
//	nil, bool, lists, maps, structs MessagePack
//
// What the Python package would not read back as the same value is an error that matches ErrValue.
func Encode(v any) ([]byte, error) {
	switch x := v.(type) {
	case []byte:
		return EncodeAs(Raw, x)
	case Pickled:
		return EncodeAs(Pickle, x)
	case string:
		return EncodeAs(Text, x)
	case Vector:
		return EncodeAs(DataPacker, x)
	}
	if b, ok := rawBytes(v); ok {
		return EncodeAs(Raw, b)
	}
	if b, exact := encodeNumber(v); b != nil {
		if !exact {
			return EncodeAs(MessagePack, v)
		}
		return append(AppendHeader(nil, DataPacker), b...), nil
	}
	if (Vector{Data: v}).element() > 0 {
		return EncodeAs(DataPacker, v)
	}
	return EncodeAs(MessagePack, v)
}

// EncodeAs encodes v in an encoding of the caller's choice, header included. Raw and Pickle take
// bytes, Text takes a string, DataPacker a number, a slice of numbers or a Vector, and JSON,
// MessagePack and CBOR whatever their libraries encode, as long as the result is made of nil,
// booleans, numbers, text, lists, and maps with text for keys. Everything else is an error that
// matches ErrValue. JSON keeps by encoding/json's rules: a float without a fraction comes back as
// an integer, and bytes inside a value as Base64 text.
func EncodeAs(e Encoding, v any) ([]byte, error) {
	var payload []byte
	var err error
	switch e {
	case Raw:
		b, ok := rawBytes(v)
		if !ok {
			return nil, badValue(e, "%T is not bytes", v)
		}
		if !looksHeaded(b) {
			return b, nil
		}
		payload = b
	case Pickle:
		payload, err = pickleBytes(v)
	case Text:
		payload, err = textBytes(v)
	case DataPacker:
		payload, err = encodePacked(v)
	case JSON, MessagePack, CBOR:
		payload, err = encodeTree(e, v)
	default:
		err = fmt.Errorf("there is no such encoding")
	}
	if err != nil {
		return nil, badValue(e, "%w", err)
	}
	return append(AppendHeader(make([]byte, 0, HeaderSize+len(payload)), e), payload...), nil
}

// rawBytes takes types that are made of []byte too, such as json.RawMessage. A pickle has an
// encoding of its own.
func rawBytes(v any) ([]byte, bool) {
	r := reflect.ValueOf(v)
	if _, pickle := v.(Pickled); pickle || !r.IsValid() || r.Kind() != reflect.Slice || r.Type().Elem() != reflect.TypeFor[byte]() {
		return nil, false
	}
	return r.Bytes(), true
}

func pickleBytes(v any) ([]byte, error) {
	switch b := v.(type) {
	case Pickled:
		return b, nil
	case []byte:
		return b, nil
	}
	return nil, fmt.Errorf("%T is not the bytes of a pickle", v)
}

func textBytes(v any) ([]byte, error) {
	s, ok := v.(string)
	if !ok {
		return nil, fmt.Errorf("%T is not text", v)
	}
	if !utf8.ValidString(s) {
		return nil, errNotUTF8
	}
	return []byte(s), nil
}

// encodeNumber returns the eight bytes of a number, or nil if v is none that has them. It reports
// false for those that would be taken for another number.
func encodeNumber(v any) (b []byte, exact bool) {
	switch r := reflect.ValueOf(v); {
	case r.IsValid() && r.CanInt():
		return encodeInt(r.Int())
	case r.IsValid() && r.CanUint():
		b, exact = encodeInt(int64(r.Uint()))
		return b, exact && r.Uint() <= math.MaxInt64
	case r.IsValid() && r.CanFloat():
		return encodeFloat(r.Float())
	}
	return nil, false
}

func encodePacked(v any) ([]byte, error) {
	if b, exact := encodeNumber(v); exact {
		return b, nil
	} else if b != nil && v == 0.0 && !math.Signbit(v.(float64)) {
		return b, nil // the integer 0 is the same number
	} else if b != nil {
		return nil, fmt.Errorf("%v would be read back as another number, or as an array; encode it as MessagePack", v)
	}
	vec, ok := v.(Vector)
	if !ok {
		vec = Vector{Data: v}
		if vec.element() == 0 {
			return nil, fmt.Errorf("%T is neither a number nor an array of numbers", v)
		}
		vec.Shape = []int{reflect.ValueOf(v).Len()}
	}
	b, err := encodeVector(vec)
	switch {
	case err != nil:
		return nil, err
	case len(vec.Shape) == 0:
		return nil, fmt.Errorf("an array without dimensions would be read back as one with one; encode the number itself")
	case len(b) <= numberSize:
		return nil, fmt.Errorf("an array of %d bytes would be read back as a number or as text; encode it as a list in MessagePack", len(b))
	case mixed(vec.Data):
		return nil, fmt.Errorf("uint64 numbers on both sides of 2^63 would be read back rounded; encode them as a list in MessagePack")
	}
	return b, nil
}

// mixed says that the Python package would read numbers by way of floats, since no other type of
// numpy's holds all of them.
func mixed(data any) bool {
	small, large := false, false
	unsigned, slice := reflect.TypeFor[[]uint64](), reflect.ValueOf(data)
	if !slice.CanConvert(unsigned) {
		return false
	}
	for _, n := range slice.Convert(unsigned).Interface().([]uint64) {
		small = small || n <= math.MaxInt64
		large = large || n > math.MaxInt64
	}
	return small && large
}

// sharedDepth is how deep a value may nest so that the Python package reads it in each encoding.
const sharedDepth = 120

func encodeTree(e Encoding, v any) (b []byte, err error) {
	switch v.(type) {
	case []byte, Pickled, Vector:
		return nil, fmt.Errorf("%T has an encoding of its own: use Encode, or a list", v)
	}
	switch e {
	case JSON:
		b, err = encodeJSON(v)
	case MessagePack:
		if err = refuseLong(v); err == nil {
			b, err = encodeMessagePack(v)
		}
	default:
		if err = refuseLong(v); err == nil {
			b, err = encodeCBOR(v)
		}
	}
	if err != nil {
		return nil, err
	}
	// What came out tells what went in: structs, pointers and methods of the caller's types have
	// been resolved.
	tree, err := decodePayload(e, b)
	if err != nil {
		return nil, err
	}
	return b, checkShared(tree, 0)
}

// refuseLong refuses integers that only JSON has, as its decoding gives them: the libraries for the
// other encodings make something else of them.
func refuseLong(v any) error {
	switch v := v.(type) {
	case *big.Int:
		return fmt.Errorf("the integer %.40v needs more than 64 bits, which only JSON has", v)
	case []any:
		for _, item := range v {
			if err := refuseLong(item); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, item := range v {
			if err := refuseLong(item); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkShared refuses what the Python package does not read back as it is.
func checkShared(v any, depth int) error {
	switch v := v.(type) {
	case []byte:
		return fmt.Errorf("bytes inside a value; only a whole value can be bytes")
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%v inside a value would be read back as None", v)
		}
	case []any:
		for _, item := range v {
			if err := checkNested(item, depth); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, item := range v {
			if err := checkNested(item, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkNested(v any, depth int) error {
	if depth >= sharedDepth {
		return fmt.Errorf("it nests deeper than %d levels", sharedDepth)
	}
	return checkShared(v, depth+1)
}
