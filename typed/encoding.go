package typed

import "fmt"

// Encoding says how the payload of a typed value is to be read. The numbers are those in the
// header.
type Encoding uint8

const (
	// Raw is bytes.
	Raw Encoding = iota
	// Pickle is a Python object in Python's own form, which only Python can read, and which is a
	// program: whoever loads it runs it.
	Pickle
	// DataPacker is a number of eight bytes, or an array of numbers.
	DataPacker
	// JSON is JSON as Python writes it, where NaN and Infinity are numbers too.
	JSON
	// MessagePack is one MessagePack value.
	MessagePack
	// CBOR is one CBOR data item.
	CBOR
	// Text is UTF-8 text.
	Text
)

var encodingNames = [...]string{"raw", "pickle", "datapacker", "json", "msgpack", "cbor", "text"}

// String returns the name: raw, pickle, datapacker, json, msgpack, cbor or text.
func (e Encoding) String() string {
	if e.known() {
		return encodingNames[e]
	}
	return fmt.Sprintf("encoding %02x", uint8(e))
}

func (e Encoding) known() bool { return int(e) < len(encodingNames) }
