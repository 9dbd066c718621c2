package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/jsonform"
	"github.com/kohakuvault/kvault/typed"
)

// typedForms are the forms in which put --as takes a value, besides arrays.
var typedForms = []string{"raw", "text", "json", "msgpack", "cbor", "i64", "f64", "vec:f32", "vec:f64", "vec:i64", "vec:u8"}

// encodeInput makes a typed value of what a person or a program wrote: text as it is, everything
// else as JSON.
func encodeInput(form string, in io.Reader) ([]byte, error) {
	b, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	switch text := strings.TrimSpace(string(b)); form {
	case "i64":
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%.40q is not an integer of 64 bits", text)
		}
		return typed.EncodeAs(typed.DataPacker, n)
	case "f64":
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("%.40q is not a number", text)
		}
		return typed.EncodeAs(typed.DataPacker, f)
	}
	v, err := typed.Decode(append(typed.AppendHeader(nil, typed.JSON), b...))
	if err != nil {
		if bad := (*jsonform.Error)(nil); errors.As(err, &bad) {
			err = bad
		}
		return nil, fmt.Errorf("the input is not JSON that can be kept: %w", err)
	}
	switch form {
	case "json":
		return append(typed.AppendHeader(nil, typed.JSON), b...), nil
	case "msgpack":
		return typed.EncodeAs(typed.MessagePack, v.Data)
	case "cbor":
		return typed.EncodeAs(typed.CBOR, v.Data)
	}
	vec, err := vectorOf(strings.TrimPrefix(form, "vec:"), b)
	if err != nil {
		return nil, err
	}
	return typed.EncodeAs(typed.DataPacker, vec)
}

// vectorOf reads nested lists of numbers of equal length.
func vectorOf(element string, b []byte) (typed.Vector, error) {
	data := map[string]any{"f32": &[]float32{}, "f64": &[]float64{}, "i64": &[]int64{}, "u8": &[]uint8{}}[element]
	var list any
	if err := json.Unmarshal(b, &list); err != nil { // what Python's JSON has, and no other
		return typed.Vector{}, errors.New("an array here is of finite numbers: neither NaN nor Infinity")
	}
	vec := typed.Vector{}
	for l, ok := list.([]any); ok; l, ok = l[0].([]any) {
		if vec.Shape = append(vec.Shape, len(l)); len(l) == 0 {
			break
		}
	}
	flat, err := flatten(nil, b, vec.Shape)
	if err != nil {
		return vec, err
	}
	to := reflect.ValueOf(data).Elem()
	for _, number := range flat {
		item := reflect.New(to.Type().Elem())
		if err := json.Unmarshal(number, item.Interface()); err != nil {
			return vec, fmt.Errorf("%.40q is not a number of type %s", number, element)
		}
		to.Set(reflect.Append(to, item.Elem()))
	}
	vec.Data = to.Interface()
	return vec, nil
}

func flatten(flat []json.RawMessage, b json.RawMessage, shape []int) ([]json.RawMessage, error) {
	if len(shape) == 0 {
		if string(b) == "null" { // which encoding/json would take for 0
			return nil, errors.New("an array has no null")
		}
		return append(flat, b), nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(b, &list); err != nil || len(list) != shape[0] {
		return nil, errors.New("an array is nested lists of equal length, such as [[1, 2], [3, 4]]")
	}
	for _, item := range list {
		var err error
		if flat, err = flatten(flat, item, shape[1:]); err != nil {
			return nil, err
		}
	}
	return flat, nil
}

// getTyped writes a value decoded: text, raw bytes and pickles as they are, everything else as
// JSON.
func (a *app) getTyped(ctx context.Context, v *kvault.Vault, key, to string, forceBinary bool) error {
	p, err := typed.Open(ctx, v, key)
	if err != nil {
		return named("get", key, err)
	}
	defer p.Close()
	if p.Encoding == typed.Pickle {
		a.note("%s is a Python pickle: these are its bytes. Loading one runs what is in it.", a.shown(key))
	}
	write := func(w io.Writer) error { return a.writeTyped(ctx, w, v, key, p) }
	if to != "" && to != "-" {
		return a.writeFile(to, write)
	}
	if to == "" && !forceBinary && a.terminal(a.sys.Out) {
		start := make([]byte, min(p.Size(), 64<<10))
		if _, err := p.ReadAt(start, 0); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if asBytes(p.Encoding) && looksBinary(start) {
			return errBinary
		}
	}
	return write(a.out)
}

func asBytes(e typed.Encoding) bool {
	return e == typed.Raw || e == typed.Pickle || e == typed.Text
}

func (a *app) writeTyped(ctx context.Context, w io.Writer, v *kvault.Vault, key string, p *typed.Payload) error {
	if asBytes(p.Encoding) && !a.flags.json {
		_, err := io.Copy(w, p.SectionReader)
		return err
	}
	b, err := io.ReadAll(p.SectionReader)
	if err != nil {
		return err
	}
	if p.Headed {
		b = append(typed.AppendHeader(nil, p.Encoding), b...)
	}
	value, err := typed.Decode(b)
	if err != nil {
		return named("get", key, err)
	}
	if !a.flags.json {
		return encodeLine(w, jsonValue(value.Data))
	}
	return encodeLine(w, typedJSON{jsonKey(key), value.Kind(), jsonValue(value.Data)})
}

type typedJSON struct {
	keyJSON
	Encoding string `json:"encoding"`
	Value    any    `json:"value"`
}

type vectorJSON struct {
	Type  string `json:"type"`
	Shape []int  `json:"shape"`
	Data  any    `json:"data"`
}

// jsonValue is a decoded value as JSON has it: bytes as Base64, and floats that JSON does not have
// as text.
func jsonValue(v any) any {
	switch v := v.(type) {
	case typed.Pickled:
		return []byte(v)
	case float64:
		return jsonFloat(v, 64)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = jsonValue(v[i])
		}
		return list
	case map[string]any:
		table := make(map[string]any, len(v))
		for key := range v {
			table[key] = jsonValue(v[key])
		}
		return table
	case typed.Vector:
		data := reflect.ValueOf(v.Data)
		list := make([]any, data.Len())
		for i := range list {
			if list[i] = data.Index(i).Interface(); data.Index(i).CanFloat() {
				list[i] = jsonFloat(data.Index(i).Float(), data.Type().Elem().Bits())
			}
		}
		return vectorJSON{v.ElementType(), v.Shape, list}
	}
	return v
}

// jsonFloat is a float that keeps its point, by which readers know it from an integer, or text if
// JSON does not have it.
func jsonFloat(f float64, bits int) any {
	if !isFinite(f) {
		return strings.TrimPrefix(strconv.FormatFloat(f, 'g', -1, 64), "+")
	}
	return json.RawMessage(jsonform.AppendFloat(nil, f, bits))
}

func isFinite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// encodingOf names the encoding of a value that has a header, by its first bytes; empty for all
// others.
func encodingOf(ctx context.Context, v *kvault.Vault, key string) (string, error) {
	info, err := typed.Stat(ctx, v, key)
	switch {
	case errors.Is(err, typed.ErrHeader):
		return "", nil // raw bytes that begin like a header
	case err != nil || !info.Headed:
		return "", err
	}
	return info.Encoding.String(), nil
}
