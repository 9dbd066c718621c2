// Package jsonform reads JSON strictly, and writes floating-point numbers so that readers do not
// take them for integers. What other readers silently replace is an error here, with its line and
// byte: text that is not UTF-8, half a surrogate pair, and a key that an object has twice.
package jsonform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Error is JSON that cannot be taken, and where it stands.
type Error struct {
	// Line counts from 1, and so does Byte within it.
	Line, Byte int64
	// Path leads to the value, as a JSON Pointer (RFC 6901). It is empty for the whole of it.
	Path string
	// Err says what is wrong.
	Err error
}

func (e *Error) Error() string {
	place := fmt.Sprintf("line %d, byte %d", e.Line, e.Byte)
	if e.Path != "" {
		place += fmt.Sprintf(", in %.100q", e.Path)
	}
	return place + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Reader reads values that follow one another. They are nil, bool, string, []any, map[string]any,
// and what Number makes of numbers.
type Reader struct {
	dec *jsontext.Decoder
	in  *lineCounter
	// Number makes a value of a number, whose text begins at the byte at of all that is read. The
	// text is the caller's.
	Number func(text string, at int64) (any, error)
	// MaxDepth is how deep values may be nested. 0 is the limit of package jsontext, 10,000.
	MaxDepth int
}

// NewReader returns a Reader whose numbers are each a json.Number.
func NewReader(r io.Reader) *Reader {
	in := &lineCounter{r: r, line: 1}
	return &Reader{dec: jsontext.NewDecoder(in), in: in, Number: func(text string, _ int64) (any, error) { return json.Number(text), nil }}
}

// ErrTooDeep: values are nested deeper than MaxDepth.
var ErrTooDeep = errors.New("values lie too deep in one another")

var errNoObject = errors.New("there is no object: a list becomes one object a line with jq -c '.[]'")

// Offset is the number of bytes up to the end of the last value that was read.
func (r *Reader) Offset() int64 { return r.dec.InputOffset() }

// Line is the line on which the last value ends, from 1.
func (r *Reader) Line() int64 { return r.in.at(r.dec.InputOffset()).line }

// Read returns the next value, or io.EOF if there is none. Bad JSON is an *Error; other errors are
// those of the reader underneath.
func (r *Reader) Read() (any, error) {
	v, err := r.value(0)
	return v, r.explain(err)
}

// Members reads the next value, which has to be an object, and calls each for its members, in
// order.
func (r *Reader) Members(each func(name string, v any) error) error {
	return r.explain(r.members(0, each))
}

// End returns an error unless nothing but white space follows.
func (r *Reader) End() error {
	_, err := r.dec.ReadToken()
	switch {
	case err == io.EOF:
		return nil
	case err == nil:
		err = r.here(errors.New("something follows the value"))
	}
	return r.explain(err)
}

func (r *Reader) members(depth int, each func(name string, v any) error) error {
	if kind := r.dec.PeekKind(); kind != '{' {
		if _, err := r.dec.ReadToken(); err != nil {
			return err
		}
		return r.here(errNoObject)
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	if err := r.enter(depth); err != nil {
		return err
	}
	for r.dec.PeekKind() != '}' {
		name, err := r.dec.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		v, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		if err := each(key, v); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return err
}

func (r *Reader) value(depth int) (any, error) {
	switch r.dec.PeekKind() {
	case '{':
		object := map[string]any{}
		err := r.members(depth, func(name string, v any) error {
			object[name] = v
			return nil
		})
		return object, err
	case '[':
		return r.list(depth)
	}
	token, err := r.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '"':
		return token.String(), nil
	case '0':
		text := token.String()
		at := r.dec.InputOffset() - int64(len(text))
		v, err := r.Number(text, at)
		if err != nil {
			err = r.located(at, err)
		}
		return v, err
	case 't', 'f':
		return token.Bool(), nil
	}
	return nil, nil
}

func (r *Reader) list(depth int) (any, error) {
	if _, err := r.dec.ReadToken(); err != nil {
		return nil, err
	}
	if err := r.enter(depth); err != nil {
		return nil, err
	}
	list := []any{}
	for r.dec.PeekKind() != ']' {
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := r.dec.ReadToken()
	return list, err
}

func (r *Reader) enter(depth int) error {
	if r.MaxDepth > 0 && depth >= r.MaxDepth {
		return r.here(ErrTooDeep)
	}
	return nil
}

// here makes an error of what was read last.
func (r *Reader) here(err error) error { return r.located(max(r.dec.InputOffset()-1, 0), err) }

func (r *Reader) located(at int64, err error) error {
	p := r.in.at(at)
	return &Error{Line: p.line, Byte: p.byte, Path: string(r.dec.StackPointer()), Err: err}
}

// explain gives an error of the decoder its place, and words of its own.
func (r *Reader) explain(err error) error {
	if err == nil {
		r.in.passed(r.dec.InputOffset())
		return nil
	}
	if r.in.err != nil && errors.Is(err, r.in.err) {
		return r.in.err
	}
	bad := (*jsontext.SyntacticError)(nil)
	if !errors.As(err, &bad) {
		return err
	}
	p := r.in.at(bad.ByteOffset)
	e := &Error{Line: p.line, Byte: p.byte, Path: string(bad.JSONPointer), Err: bad.Err}
	switch {
	case bad.Err == jsontext.ErrDuplicateName:
		e.Err = fmt.Errorf("the key %.100q is there twice", bad.JSONPointer.LastToken())
		e.Path = string(bad.JSONPointer.Parent())
	case bad.Err == io.ErrUnexpectedEOF:
		e.Err = errEnds
	case strings.HasPrefix(bad.Err.Error(), "invalid UTF-8"):
		e.Err = errors.New("the text is not valid UTF-8")
	}
	return e
}

var errEnds = errors.New("it ends in the middle of a value")

// lineCounter knows the line of every byte that was read and not passed yet.
type lineCounter struct {
	r    io.Reader
	err  error
	read int64 // bytes
	line int64 // of the first byte that was not passed
	last int64 // the offset at which it begins
	ends []int64
}

func (c *lineCounter) Read(p []byte) (n int, err error) {
	n, err = c.r.Read(p)
	for i := 0; i < n; i++ {
		at := bytes.IndexByte(p[i:n], '\n')
		if at < 0 {
			break
		}
		i += at
		c.ends = append(c.ends, c.read+int64(i)+1)
	}
	c.read += int64(n)
	if err != nil {
		c.err = err
	}
	return n, err
}

// passed forgets the lines before the byte at offset.
func (c *lineCounter) passed(offset int64) {
	n := 0
	for n < len(c.ends) && c.ends[n] <= offset {
		c.last = c.ends[n]
		n++
	}
	c.line += int64(n)
	c.ends = c.ends[n:]
}

type place struct{ line, byte int64 }

// at is the place of the byte at offset.
func (c *lineCounter) at(offset int64) place {
	line, start := c.line, c.last
	for _, end := range c.ends {
		if end > offset {
			break
		}
		line, start = line+1, end
	}
	return place{line, offset - start + 1}
}
