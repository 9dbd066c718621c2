package typed

import (
	"encoding/binary"
	"encoding/json"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/kohakuvault/kvault/internal/plain"
)

// Value is a value and what it was decoded from.
type Value struct {
	Encoding Encoding
	// Headed says that there was a header. Raw values have none, unless they need one.
	Headed bool
	// Data is the decoded value: see the package's description for its type.
	Data any
	// Payload is what follows the header. It shares memory with what was decoded.
	Payload []byte
}

// Pickled is a Python pickle. Nothing here looks into it: loading a pickle runs the program that it
// is.
type Pickled []byte

// Decode decodes a value as it is stored, with its header if it has one. Errors are an *Error and
// match ErrHeader or ErrPayload. Data that is bytes shares memory with b.
func Decode(b []byte) (Value, error) {
	e, headed, err := ParseHeader(b)
	if err != nil {
		return Value{}, err
	}
	v := Value{Encoding: e, Headed: headed, Payload: b}
	if headed {
		v.Payload = b[HeaderSize:]
	}
	if v.Data, err = decodePayload(e, v.Payload); err != nil {
		return Value{}, badPayload(e, "%w", err)
	}
	return v, nil
}

func decodePayload(e Encoding, b []byte) (any, error) {
	switch e {
	case Pickle:
		return Pickled(b), nil
	case DataPacker:
		return decodePacked(b)
	case JSON:
		return decodeJSON(b)
	case MessagePack:
		return decodeMessagePack(b)
	case CBOR:
		return decodeCBOR(b)
	case Text:
		if !utf8.Valid(b) {
			return nil, errNotUTF8
		}
		return string(b), nil
	}
	return b, nil
}

// decodePacked tells an array from a number: eight bytes that the Python package takes for an
// integer are one, even where they could be an array of two bytes.
func decodePacked(b []byte) (any, error) {
	if len(b) == numberSize {
		bits := binary.LittleEndian.Uint64(b)
		if v, err := parseVector(b); err == nil && !pythonReadsInt(bits) {
			return v, nil
		}
		return guessNumber(bits), nil
	}
	return parsed(parseVector(b))
}

// parsed keeps a vector from hiding that there is none.
func parsed(v Vector, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Kind names the type of Data: bytes, pickle, i64, f64, vec:f32 and so on, or json, msgpack, cbor,
// text.
func (v Value) Kind() string {
	switch data := v.Data.(type) {
	case Vector:
		return "vec:" + data.ElementType()
	case int64:
		if v.Encoding == DataPacker {
			return "i64"
		}
	case float64:
		if v.Encoding == DataPacker {
			return "f64"
		}
	}
	return v.Encoding.String()
}

// Unmarshal stores a decoded JSON, MessagePack or CBOR value in what dst points to, by the rules
// and struct tags of its library: encoding/json, vmihailenco/msgpack or fxamacker/cbor. Integers of
// the latter two come as int64, or uint64 above that, wherever dst has an any. For other encodings
// the error matches ErrValue.
func (v Value) Unmarshal(dst any) error {
	var err error
	switch v.Encoding {
	case JSON:
		err = json.Unmarshal(v.Payload, dst)
	case MessagePack:
		err = unmarshalMessagePack(v.Payload, dst)
	case CBOR:
		err = cborDecoding.Unmarshal(v.Payload, dst)
	default:
		return badValue(v.Encoding, "only json, msgpack and cbor go into a variable; Data has this one")
	}
	if err != nil {
		return badPayload(v.Encoding, "for a %T: %w", dst, err)
	}
	if v.Encoding == JSON {
		return nil
	}
	if err := plain.Variable(dst); err != nil {
		return badPayload(v.Encoding, "for a %T: %w", dst, err)
	}
	return nil
}

func unmarshalMessagePack(b []byte, dst any) (err error) {
	defer plain.Unhashable(&err)
	return msgpack.Unmarshal(b, dst)
}
